"""From a recipe to live objects: the only place where registry names become things."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from zoo.contracts import broken
from zoo.datasets.base import Data
from zoo.datasets.content import digest_of
from zoo.datasets.given import as_tensors
from zoo.datasets.prepare import prepare
from zoo.datasets.splits import check_any_split
from zoo.datasets.store import Store
from zoo.errors import BuildError, TrainingError
from zoo.factory import factory
from zoo.graphs.graph import Graph
from zoo.initializers.base import Default, Initializer
from zoo.layers.conv import Note, edge_notes
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
from zoo.recipe.recipe import Component, Probing, Recipe
from zoo.regularizers.base import NoRegularizer, Regularizer
from zoo.sampling.batching import TaskSetting
from zoo.system.allocator import give_back
from zoo.system.choice import Choice
from zoo.system.team import Team
from zoo.tasks.base import Task
from zoo.training import loss
from zoo.training.device import choose_device, choose_threads
from zoo.training.memory_errors import enough_memory
from zoo.training.schedule import FactorLR, Schedule
from zoo.training.seed import checked_seed, seed_everything
from zoo.training.trainer import Trainer
from zoo.training.watcher import Saver, Watcher


@dataclass(frozen=True)
class Built:
    """Everything that a recipe describes, made for one seed and ready to train.

    `data` and `split` are of the kind that the task takes; the facts of each have the digest of its content, of the
    data as they were before they were prepared. `initial` is what `evidence_probes` read before the first step;
    `choices` are the automatic ones, with reasons. `c`: the bound that was calibrated, if one was.
    """

    recipe: Recipe
    seed: int
    data: Any
    split: Any
    task: Task
    network: Network
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    device: torch.device
    initial: Reading
    choices: tuple[Choice, ...]
    plan: ProbeSchedule
    controller: Controller | None
    team: Team
    c: float | None = None

    @property
    def graph(self) -> Graph:
        """The graph that is trained on; of many, the first batch."""
        return self.task.graph

    def trainer(self, watchers: tuple[Watcher, ...] = (), saver: Saver | None = None) -> Trainer:
        """A trainer of these objects."""
        return Trainer(
            self.network,
            self.task,
            self.optimizer,
            self.scheduler,
            self.recipe.training,
            self.device,
            watchers,
            saver,
            plan=self.plan if self.team.leads else None,
            controller=self.controller,
            evidence=evidence_probes() if self.team.leads else (),
            team=self.team,
            cuda_graphs=self.recipe.execution.cuda_graphs,
            material=self.material,
        )

    @property
    def material(self) -> dict[str, str]:
        """The digests of what is trained on: data and split."""
        return {"data set": self.data.facts["digest"], "split": self.split.facts["digest"]}


def build(recipe: Recipe, seed: int = 0, team: Team | None = None) -> Built:
    """Make every object of a checked recipe, seeded, on its device.

    Sets PyTorch's number of CPU threads for the process: `execution.threads`, or what suits the graph's size.
    team: the processes that will train together, all of which build; each gets its share of the batches.
    Raises: DataError, BuildError, TrainingError, RegistryError.
    """
    seed = checked_seed(seed)
    with enough_memory(f"building {recipe.name}", recipe):
        return _build(recipe, seed, team or Team())


def _build(recipe: Recipe, seed: int, team: Team) -> Built:
    device, device_choice = choose_device(recipe.execution.device, team.place, team.local_size)
    data = team.local_rank_first(partial(load_data, recipe, seed))
    split = as_tensors(factory(recipe.split, "splits")(data, seed))
    check_any_split(data, split)  # which may be a plug-in's
    split = replace(split, facts={**split.facts, "digest": digest_of(split)})
    _check_same(team, {f"data set {data.name}": data.facts["digest"], f"split {split.name}": split.facts["digest"]})
    setting = TaskSetting(seed=seed, kernel=recipe.execution.kernel, rank=team.rank, processes=team.size)
    task: Task = factory(recipe.task, "tasks")(data, split, setting).to(device)
    threads, threads_choice = choose_threads(
        recipe.execution.threads, team.broadcast(task.nodes_per_step), team.local_size
    )
    torch.set_num_threads(threads)

    seed_everything(seed)
    initializer: Initializer = factory(recipe.initializer, "initializers")()
    embedding: Embedding = factory(recipe.embedding, "embeddings")(task.inputs, recipe.model.options.get("width", 64))
    network = _network(recipe, task, embedding, initializer).to(device)
    drawn = initializer.chosen()
    controller = _controller(recipe)
    memory = recipe.training.memory
    allocator = give_back(memory != "full", device)
    network.set_activation_memory("full" if memory == "full" else "checkpoint")
    found = _calibrated(recipe, network, task, controller)
    choices = [
        device_choice,
        *([Choice("processes", str(team.size), f"started by torchrun; {team.backend}")] if team.size > 1 else []),
        Choice("kernel", task.graph.kernel, task.graph.kernel_reason),
        threads_choice,
        *([Choice("data", data.name, data.facts["verified"])] if "verified" in data.facts else []),
        Choice("split", split.name, split.facts.get("why", "asked for")),
        Choice("metric", task.metric, task.metric_reason),
        Choice("embedding", type(embedding).__name__, embedding.reason),
        *(Choice(*chosen) for chosen in task.choices),
        *(Choice(*note) for note in _edge_notes(data, network)),
        *([Choice("initializer", *drawn)] if drawn else []),
        *([Choice("c", f"{found[0]:.6g}", found[1])] if found else []),
        *([Choice("memory", memory, network.set_activation_memory(memory))] if memory != "full" else []),
        *([allocator] if allocator else []),
    ]
    initial = snapshot(network, evidence_probes(), partial(training_loss, network, task))

    total = recipe.training.duration.steps(task.steps_per_epoch)
    plan = ProbeSchedule(network, [_scheduled(item, task.steps_per_epoch, total) for item in recipe.probes], total)
    schedule: Schedule = factory(recipe.schedule, "schedules")(total, task.steps_per_epoch)
    make_optimizer = factory(recipe.optimizer, "optimizers")
    optimizer: torch.optim.Optimizer = make_optimizer(network)
    if {id(each) for each in network.parameters()}.isdisjoint(
        id(each) for group in optimizer.param_groups for each in group["params"]
    ):
        broken("optimizer", make_optimizer, "moves no parameter of the network", "one of network.parameters()")
    scheduler = FactorLR(optimizer, schedule)
    team.reseed(seed)
    return Built(
        recipe=recipe,
        seed=seed,
        data=data,
        split=split,
        task=task,
        network=network,
        optimizer=optimizer,
        scheduler=scheduler,
        device=device,
        initial=initial,
        choices=tuple(choices),
        plan=plan,
        controller=controller,
        team=team,
        c=found[0] if found else None,
    )


def load_data(recipe: Recipe, seed: int = 0) -> Data:
    """The recipe's data set, prepared as it says; what it draws at random follows from the seed.

    `facts["digest"]` is of what the data set returned.
    """
    seed_everything(seed)
    data = as_tensors(factory(recipe.dataset, "datasets")(Store()))
    prepared = prepare(data, **recipe.prepare.model_dump())
    return replace(prepared, facts={**prepared.facts, "digest": digest_of(data)})


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
    sites = [getattr(made.func, "site", None) for made in factories]
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
    network.embed_with(embedding)
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


def _calibrated(
    recipe: Recipe, network: Network, task: Task, controller: Controller | None
) -> tuple[float, str] | None:
    """Choose c, and say why, where it is `auto` or will be moved by a controller, which has a band of its own."""
    bounded = [item for item in network.normalization.bounded() if item.auto] if network.normalization else []
    if not bounded:
        return None
    settings = recipe.calibration
    low, high = (controller.low, controller.high) if controller else (settings.low, settings.high)
    found = calibrate(
        network, bounded, partial(training_loss, network, task), low=low, high=high, passes=settings.passes
    )
    return found.c, f"calibrated at initialisation: {found}, {low:g} to {high:g}"


def training_loss(network: Network, task: Task) -> torch.Tensor:
    """The loss of the first batch, penalty included, with the network in training."""
    network.train()
    return loss.training_loss(network, task, next(iter(task.batches(0))))
