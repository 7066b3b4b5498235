"""From a recipe to live objects: the only place where registry names become things."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from zoo import dgl_backend
from zoo.contracts import broken
from zoo.datasets.base import Data
from zoo.datasets.digests import digest_of
from zoo.datasets.prepare import prepare
from zoo.datasets.splits import check_any_split
from zoo.datasets.store import Store
from zoo.datasets.validity import as_tensors
from zoo.errors import BuildError, TrainingError
from zoo.factory import factory
from zoo.graphs.graph import Graph
from zoo.initializers.base import Default, Initializer
from zoo.layers.conv import Note, attribute_of, edge_notes
from zoo.layers.embedding import Embedding
from zoo.layers.network import Network
from zoo.normalizers.attach import WeightNormalization
from zoo.normalizers.base import NoNormalizer
from zoo.probes.base import Probe
from zoo.probes.calibration import calibrate
from zoo.probes.presets import evidence_probes
from zoo.probes.reading import Reading
from zoo.probes.snapshot import snapshot
from zoo.probes.steering import Controller
from zoo.probes.tap import ProbeSchedule, ScheduledProbes
from zoo.probes.weights import NormalizerBound
from zoo.recipe.recipe import Component, Probing, Recipe
from zoo.regularizers.base import NoRegularizer, Regularizer
from zoo.sampling.batching import TaskSetting
from zoo.system.choice import Choice
from zoo.system.glibc import choose_trimming
from zoo.system.process import ProcessSettings, choose_device, choose_threads, prepare_process, thread_count
from zoo.system.seeds import checked_seed, kept_random_state, random_state, seed_generators
from zoo.system.team import Team
from zoo.tasks.base import Task
from zoo.training.memory_errors import enough_memory
from zoo.training.outcome import Watcher
from zoo.training.saving import Saver
from zoo.training.schedule import FactorLR, Schedule
from zoo.training.steps import TrainingSetup, first_loss
from zoo.training.trainer import Trainer


@dataclass(frozen=True, kw_only=True)
class Built(TrainingSetup):
    """Everything that a recipe describes, made for one seed and ready to train.

    `data` and `split` are of the kind that the task takes; the `digest` of each is of its content, of the data
    as they were before they were prepared. `choices` are the automatic ones, with reasons. `c`: the bound that was
    calibrated, if one was. `reading`: what `evidence_probes` read before the first step, once it was read.
    """

    recipe: Recipe
    seed: int
    data: Any
    split: Any
    choices: tuple[Choice, ...]
    c: float | None = None
    reading: Reading | None = None

    @property
    def graph(self) -> Graph:
        """The graph that is trained on; of many, the first batch."""
        return self.task.graph

    @property
    def initial(self) -> Reading:
        """The reading before the first step. Raises: TrainingError if `first_reading` was not made."""
        if self.reading is None:
            raise TrainingError(
                f"{self.recipe.name} — the network was not read before training — expected objects of zoo.build, or "
                "first_reading(built) of zoo.builder"
            )
        return self.reading

    def trainer(self, watchers: Sequence[Watcher] = (), saver: Saver | None = None) -> Trainer:
        """Return a trainer of these objects; it sets `process` while it trains."""
        return Trainer(self, watchers, saver)


def build(recipe: Recipe, seed: int = 0, team: Team | None = None) -> Built:
    """Make every object of a checked recipe on its device, and nothing else: c is not calibrated, and nothing read.

    The process is left as it was: random numbers are drawn from generators that are seeded here and put back, but for
    DGL's own, which cannot be. team: the processes that will train together, all of which build; each gets its share
    of the batches. Raises: DataError, BuildError, TrainingError, RegistryError.
    """
    seed = checked_seed(seed)
    with enough_memory(f"building {recipe.name}", recipe), kept_random_state():
        return _build(recipe, seed, team or Team())


def _build(recipe: Recipe, seed: int, team: Team) -> Built:
    device, device_choice = choose_device(recipe.execution.device, team.local_rank, team.local_size)
    data = team.local_rank_first(partial(_load_data, recipe, seed))
    split = as_tensors(factory(recipe.split, "splits")(data, seed))
    check_any_split(data, split)  # which may be a plug-in's
    split = replace(split, digest=digest_of(split))
    _check_same(team, {f"data set {data.name}": data.digest, f"split {split.name}": split.digest})
    setting = TaskSetting(seed=seed, kernel=recipe.execution.kernel, rank=team.rank, processes=team.size)
    task: Task = factory(recipe.task, "tasks")(data, split, setting).to(device)
    threads, threads_choice = choose_threads(
        recipe.execution.threads, team.broadcast(task.nodes_per_step), team.local_size
    )
    with thread_count(threads):
        _seed_everything(seed)
        initializer: Initializer = factory(recipe.initializer, "initializers")()
        width = recipe.model.options.get("width", 64)
        embedding: Embedding = factory(recipe.embedding, "embeddings")(task.inputs, width)
        network = _network(recipe, task, embedding, initializer).to(device)
        drawn = initializer.chosen()
        total = recipe.training.duration.steps(task.steps_per_epoch)
        schedule: Schedule = factory(recipe.schedule, "schedules")(total, task.steps_per_epoch)
        optimizer = _optimizer(recipe, network)
    memory = recipe.training.memory
    kept = network.set_activation_memory(memory)
    trimming = choose_trimming(memory != "full", device.type)
    team.reseed(seed)
    choices = [
        device_choice,
        *([Choice("processes", str(team.size), f"started by torchrun; {team.backend}")] if team.size > 1 else []),
        Choice("kernel", task.graph.kernel, task.graph.kernel_reason),
        threads_choice,
        *([Choice("data", data.name, data.verified)] if data.verified else []),
        Choice("split", split.name, split.why or "asked for"),
        Choice("metric", task.metric, task.metric_reason),
        Choice("embedding", type(embedding).__name__, embedding.reason),
        *(Choice(*chosen) for chosen in task.choices),
        *(Choice(*note) for note in _edge_notes(data, network)),
        *([Choice("initializer", *drawn)] if drawn else []),
        *([Choice("memory", memory, kept)] if memory != "full" else []),
        *([trimming] if trimming else []),
    ]
    controller = _controller(recipe)
    scheduled = [_scheduled(item, task.steps_per_epoch, total) for item in recipe.probes]
    if controller is not None:
        every = controller.every.steps(task.steps_per_epoch, total)
        scheduled.append(ScheduledProbes((*controller.probes(), NormalizerBound()), every))
    return Built(
        recipe=recipe,
        seed=seed,
        data=data,
        split=split,
        choices=tuple(choices),
        network=network,
        task=task,
        optimizer=optimizer,
        scheduler=FactorLR(optimizer, schedule),
        training=recipe.training,
        device=device,
        plan=ProbeSchedule(network, scheduled if team.leads else [], total),
        controller=controller,
        evidence=evidence_probes() if team.leads else (),
        team=team,
        cuda_graphs=recipe.execution.cuda_graphs,
        material={"data set": data.digest, "split": split.digest},
        process=ProcessSettings(threads, trimming is not None, random_state()),
    )


def calibrated(built: Built) -> Built:
    """Choose c, and note why, where it is `auto` or will be moved by a controller, which has a band of its own.

    The random numbers of the loss are those that training begins with; they are not used up.
    """
    network, settings, controller = built.network, built.recipe.calibration, built.controller
    bounded = [item for item in network.normalization.bounded() if item.auto] if network.normalization else []
    if not bounded:
        return built
    low, high = (controller.low, controller.high) if controller else (settings.low, settings.high)
    with enough_memory(f"calibrating {built.recipe.name}", built.recipe, network, built.task), _untrimmed(built):
        loss = partial(first_loss, network, built.task)
        found = calibrate(network, bounded, loss, low=low, high=high, passes=settings.passes)
    choice = Choice("c", f"{found.c:.6g}", f"calibrated at initialisation: {found}, {low:g} to {high:g}")
    return replace(built, c=found.c, choices=(*built.choices, choice))


def first_reading(built: Built) -> Built:
    """Read the evidence of how the network stands before the first step, which changes nothing of it."""
    loss = partial(first_loss, built.network, built.task)
    with enough_memory(f"reading {built.recipe.name}", built.recipe, built.network, built.task), _untrimmed(built):
        return replace(built, reading=snapshot(built.network, evidence_probes(), loss))


def build_ready(recipe: Recipe, seed: int = 0) -> Built:
    """Build, calibrate c and read the gradients; the process is left as it was."""
    built = build(recipe, seed)
    return first_reading(calibrated(built))


def _untrimmed(built: Built) -> AbstractContextManager[None]:
    """The process as it is trained in, but for the allocator, whose thresholds cannot be read and put back."""
    return prepare_process(replace(built.process, trims=False))


def load_data(recipe: Recipe, seed: int = 0) -> Data:
    """Return the recipe's data set, prepared as it says; what it draws at random follows from the seed alone.

    `digest` is of what the data set returned.
    """
    with kept_random_state():
        return _load_data(recipe, seed)


def _load_data(recipe: Recipe, seed: int) -> Data:
    _seed_everything(seed)
    data = as_tensors(factory(recipe.dataset, "datasets")(Store()))
    prepared = prepare(data, **recipe.prepare.model_dump())
    return replace(prepared, digest=digest_of(data))


def _seed_everything(seed: int) -> None:
    seed_generators(seed)
    dgl_backend.seed(seed)


def _optimizer(recipe: Recipe, network: Network) -> torch.optim.Optimizer:
    make = factory(recipe.optimizer, "optimizers")
    optimizer: torch.optim.Optimizer = make(network)
    if {id(each) for each in network.parameters()}.isdisjoint(
        id(each) for group in optimizer.param_groups for each in group["params"]
    ):
        broken("optimizer", make, "moves no parameter of the network", "one of network.parameters()")
    return optimizer


def _check_same(team: Team, digests: Mapping[str, str]) -> None:
    """Refuse processes that would train together on different data. Raises: TrainingError in all of them."""
    for what, of_each in ((what, team.gather(digest)) for what, digest in digests.items()):
        if len(set(of_each)) > 1:
            other = next(rank for rank, digest in enumerate(of_each) if digest != of_each[0])
            raise TrainingError(
                f"{what} — process {other} has another than process 0 — expected the same in each — what draws at "
                "random takes its numbers from torch, numpy or random, which are seeded before, or has a seed of its "
                "own; what reads files finds the same ones on every machine"
            )


def _network(recipe: Recipe, task: Task, embedding: Embedding, initializer: Initializer) -> Network:
    factories = [factory(component, "normalizers") for component in recipe.normalizer]
    sites = [attribute_of(made.func, "site") for made in factories]
    for component, site in zip(recipe.normalizer, sites, strict=True):
        if site not in ("weight", "features"):
            raise BuildError(
                f"normalizer.{component.name} — has no site — expected a class derived from "
                "zoo.normalizers.WeightNormalizer or FeatureNormalizer"
            )
    on_features = [made for made, site in zip(factories, sites, strict=True) if site == "features"]
    on_weights = [
        made for made, site in zip(factories, sites, strict=True) if site == "weight" and made.func is not NoNormalizer
    ]
    network: Network = factory(recipe.model, "models")(embedding.out_width, task.out_width, on_features)
    network.embedding = embedding
    task.complete(network)
    if not isinstance(initializer, Default):
        if not network.block_matrices():
            raise BuildError(
                f"initializer — {recipe.model.name} has no weight matrix inside its blocks to draw — expected a model "
                "whose blocks have weights, or initializer=default"
            )
        network.initialize_with(initializer, task.graph)
    if regularizers := _regularizers(recipe):
        network.regularize_with(regularizers)
    if on_weights:
        matrices = network.block_matrices()
        if not matrices:
            raise BuildError(
                f"normalizer — {recipe.model.name} has no weight matrix inside its blocks to normalise — "
                "expected a model whose blocks have weights, or normalizer=none"
            )
        network.normalize_with(WeightNormalization(matrices, on_weights))
    return network


def _edge_notes(data: Data, network: Network) -> Iterator[Note]:
    features = data.edge_features
    columns = 0 if features is None else features.shape[1]
    return edge_notes(network, loops=int((data.src == data.dst).sum()), nodes=data.nodes, columns=columns)


def _regularizers(recipe: Recipe) -> list[Regularizer]:
    made = [factory(component, "regularizers")() for component in recipe.regularizer]
    return [regularizer for regularizer in made if not isinstance(regularizer, NoRegularizer)]


def probes_of(component: Component) -> list[Probe]:
    """The probe that a component names, or all of the set."""
    made = factory(component, "probes")()
    return [made] if isinstance(made, Probe) else list(made)


def _scheduled(item: Probing, steps_per_epoch: int, total: int) -> ScheduledProbes:
    start, stop = (end and end.steps(steps_per_epoch, total) for end in (item.start, item.stop))
    every = item.every.steps(steps_per_epoch, total)
    precision = torch.float64 if item.precision == "float64" else torch.float32
    return ScheduledProbes(tuple(probes_of(item.component)), every, start or 1, stop, precision)


def _controller(recipe: Recipe) -> Controller | None:
    """The controller that a normaliser's c names; each network has one at most."""
    named = [component.options.get("c") for component in recipe.normalizer]
    named = [c for c in named if isinstance(c, Component)]
    if len(named) > 1:
        raise BuildError(
            f"normalizer — {len(named)} normalisers have a controller — expected one at most — c: auto for the others"
        )
    return factory(named[0], "controllers")() if named else None
