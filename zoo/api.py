"""The zoo from Python: `train`, `build` and `load`, the same verbs that the command line has."""

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from safetensors.torch import load_model

from zoo.builder import Built, build_ready, calibrated, first_reading, probes_of
from zoo.builder import build as _build
from zoo.errors import RunError, TrainingError
from zoo.identity import OtherData, identity_of, is_current, is_of, recorded_data
from zoo.layers.network import Network
from zoo.plugin_errors import told_as_the_plugins
from zoo.probes.advice import Situation
from zoo.probes.diagnosis import Diagnosis, outlook
from zoo.probes.reading import Reading
from zoo.probes.snapshot import snapshot
from zoo.recipe.load import Overrides, Plugins
from zoo.recipe.load import load as _load_recipe
from zoo.recipe.recipe import Component, Recipe
from zoo.recipe.values import as_list
from zoo.recording import environment_of, record_of
from zoo.runs import checkpoints, folder
from zoo.runs.folder import RunFolder
from zoo.runs.run import Run
from zoo.runs.run_lock import claim, refuse_if_claimed
from zoo.system.choice import Choice
from zoo.system.process import prepare_process
from zoo.system.seeds import checked_seed
from zoo.system.stop import Interrupted, Terminated
from zoo.system.team import Team
from zoo.training.memory_errors import enough_memory
from zoo.training.outcome import Watcher
from zoo.training.steps import first_loss

RUNS = Path("runs")


@told_as_the_plugins()
def train(
    recipe: str | Path | Recipe,
    overrides: Overrides = (),
    *,
    seed: int = 0,
    runs: str | Path = RUNS,
    device: str | None = None,
    plugins: Plugins = (),
    allow_plugins: bool = False,
    again: bool = False,
    resume: bool = False,
    watch: Callable[[Built], Watcher] | None = None,
) -> Run:
    """Train a recipe with one seed, and return its run.

        run = zoo.train("cora-res-gcn-64", {"model.depth": 128})
        run.test, run.metrics["val"]

    recipe: a shipped name, a YAML file, or a `Recipe`. overrides: `{"model.depth": 128}` or `["model.depth=128"]`.
    runs: the folder that run folders are made in. device: auto, cpu, cuda or cuda:N. plugins: files that register
    names. allow_plugins: run those too that the recipe names by itself, which else is an error.
    A run that is already finished there is returned as it is; `again=True` moves it aside and trains anew.
    resume: continue an unfinished run from the state that it saved last. With neither a run that could be resumed is
    an error; one that saved nothing is moved aside.
    A Ctrl-C or SIGTERM while it is trained is answered when the step is done and the state saved, by `Interrupted`, a
    KeyboardInterrupt, or `Terminated`, a SystemExit (see `zoo.system.stop`); in other threads than the main one, and
    where the caller has handlers of its own, signals do what they always do.
    watch: given the built objects, returns who else sees each validation (a progress bar).

    In a program started by `torchrun` its processes train together, and each returns the run; see docs/distributed.md.
    What was asked for is then what the leading process asked for; `watch` is called there alone.
    Raises: RecipeError, RegistryError, DataError, BuildError, TrainingError, RunError (RunBusy while another process
    trains the run).
    """
    began = time.perf_counter()
    seed = checked_seed(seed)
    with Team.of_environment() as team:
        resolved = resolve(recipe, overrides, device, plugins, allow_plugins=allow_plugins)
        path = folder.place(Path(runs), resolved, identity_of(resolved), seed)
        if team.broadcast(team.leads and not again and is_current(path, resolved, seed)):
            if team.leads:
                checkpoints.forget(path)  # left there if the process was killed at its very end
            return Run(path)
        if team.leads:
            refuse_if_claimed(path)  # building takes a while, and makes no folder if it fails
            if not (resume or again):
                folder.refuse_interrupted(path)
        built = _build(resolved, seed, team)
        built = calibrated(built)
        built = first_reading(built)
        if team.leads:
            _fit_and_record(built, path, again=again, resume=resume, watch=watch, began=began)
        else:
            _fit_beside(built)
        team.broadcast(None)  # that the run is written
        return Run(path)


@told_as_the_plugins()
def build(
    recipe: str | Path | Recipe,
    overrides: Overrides = (),
    *,
    seed: int = 0,
    device: str | None = None,
    plugins: Plugins = (),
    allow_plugins: bool = False,
) -> Built:
    """Make everything that a recipe describes, without training it: data, graph, network, task, optimizer.

    `c: auto` is calibrated, and `initial` has the gradients before the first step. Threads, allocator and random state
    of the process are left alone; a training loop of one's own runs as `train` does with
    `prepare_process(built.process)` of `zoo.system.process`. Parameters and errors as for `train`.
    """
    return build_ready(resolve(recipe, overrides, device, plugins, allow_plugins=allow_plugins), seed)


def _fit_and_record(
    built: Built, path: Path, *, again: bool, resume: bool, watch: Callable[[Built], Watcher] | None, began: float
) -> None:
    """Train, and keep the record."""
    with (
        claim(path),
        enough_memory(f"training {built.recipe.name}", built.recipe, built.network, built.task, saves=True),
    ):
        if built.team.broadcast(not again and is_of(path, built.data)):  # by a process that held the folder until now
            return
        with closing(RunFolder(path, resume=resume)) as kept:
            environment = environment_of(built)
            kept.describe(built.recipe, environment)
            watchers = (kept, watch(_resumed(built, kept))) if watch else (kept,)
            trainer = built.trainer(watchers, kept)
            if (state := built.team.broadcast(kept.state)) is not None:
                trainer.resume(state)
            earlier = trainer.seconds  # that it was trained for before it was resumed
            try:
                outcome = trainer.fit()
            except (Interrupted, Terminated) as left:
                left.path = path
                raise
            seconds = earlier + time.perf_counter() - began
            kept.finish(built.network.state_dict(), record_of(built, path.parent.name, outcome, environment, seconds))


def _resumed(built: Built, record: RunFolder) -> Built:
    """Return the objects of a run, with a note of the step that it is resumed after."""
    if record.state is None:
        return built
    choice = Choice("resume", f"after step {record.state.get('step')}", f"from {record.resumed}")
    return replace(built, choices=(*built.choices, choice))


def _fit_beside(built: Built) -> None:
    """Train beside the process that keeps the record, with the same broadcasts in the same order."""
    if built.team.broadcast(True):
        return
    trainer = built.trainer()
    nothing: Any = None
    with enough_memory(f"training {built.recipe.name}", built.recipe, built.network, built.task, saves=True):
        if (state := built.team.broadcast(nothing)) is not None:
            trainer.resume(state)
        trainer.fit()


@dataclass(frozen=True)
class Probed:
    """An untrained network: its depth, normaliser and c (None where nothing is bounded), and what was read of it."""

    depth: int
    normalizer: str
    c: float | None
    reading: Reading
    outlook: Diagnosis


@told_as_the_plugins()
def probe(
    recipe: str | Path | Recipe,
    overrides: Overrides = (),
    *,
    depths: Sequence[int] | int = (),
    normalizers: Sequence[str] | str = (),
    seed: int = 0,
    device: str | None = None,
    plugins: Plugins = (),
    allow_plugins: bool = False,
) -> Iterator[Probed]:
    """Read the gradients of a recipe's network at initialisation, for each depth and normaliser; nothing is trained.

        for network in zoo.probe("cora-res-gcn-64", depths=[2, 64, 512], normalizers=["none", "frobenius:auto"]):
            print(network.depth, network.normalizer, network.reading.ratio, network.outlook)

    normalizers: names, each with its c after a colon if it is not the default. Left out, both are the recipe's own.
    Networks are built as they are asked for; every recipe is checked before the first one.
    Raises: as for `train`.
    """
    seed = checked_seed(seed)
    resolved = resolve(recipe, overrides, device, plugins, allow_plugins=allow_plugins)
    chosen, numbers = as_list(normalizers) or [None], as_list(depths) or [None]
    variants = [_varied(resolved, depth, normalizer) for normalizer in chosen for depth in numbers]
    return (_probed(variant, seed) for variant in variants)


@told_as_the_plugins()
def probe_run(
    run: str | Path | Run,
    probes: str | Sequence[str] = "deep",
    *,
    device: str = "cpu",
    plugins: Plugins = (),
    allow_plugins: bool = False,
) -> Reading:
    """Read a finished run's network, with the weights that validated best, by sets of probes or single ones.

    One forward and one backward pass over the training part; the run folder is only read. plugins, allow_plugins: as
    for `load`. Raises: RunError, RecipeError, RegistryError, DataError.
    """
    finished = run if isinstance(run, Run) else Run(run)
    built = reopen(finished, device, plugins, allow_plugins=allow_plugins)
    with enough_memory(f"probing {finished.path}", built.recipe, built.network, built.task, trains=False):
        chosen = [probe for name in as_list(probes) for probe in probes_of(Component(name=name))]
        with prepare_process(built.process):
            return snapshot(built.network, chosen, partial(first_loss, built.network, built.task))


@told_as_the_plugins()
def load(run: str | Path | Run, *, device: str = "cpu", plugins: Plugins = (), allow_plugins: bool = False) -> Network:
    """The trained network of a run folder, with the weights that validated best, in evaluation mode.

    allow_plugins: run the copies of plug-ins that the folder has; of one that is the same as a file among `plugins`
    that file is run. Without either they are not run, and the run cannot be loaded.
    Raises: RunError if the folder holds no finished run, or weights that do not fit its recipe; RecipeError if plug-ins
    are needed that nobody allowed.
    """
    finished = run if isinstance(run, Run) else Run(run)
    return reopen(finished, device, plugins, allow_plugins=allow_plugins).network.eval()


@told_as_the_plugins()
def reopen(finished: Run, device: str = "cpu", plugins: Plugins = (), *, allow_plugins: bool = False) -> Built:
    """A finished run's objects (data, task, network …), its network with the weights that validated best.

    Raises: as `load`.
    """
    recipe = resolve(finished.path / folder.RECIPE, (), device, plugins, allow_plugins=allow_plugins)
    built = _build(recipe, finished.seed)  # a c that was calibrated or moved is among the weights
    if recorded_data(finished.path).get("digest", built.data.digest) != built.data.digest:
        warnings.warn(
            f"run folder {finished.path} — its data set has changed since it was trained — expected the data of then — "
            "figures of now are of other data",
            OtherData,
            stacklevel=3,
        )
    file = finished.weights
    try:
        with enough_memory(f"loading {file}", recipe, built.network, built.task, trains=False):
            load_model(built.network, file)  # of shared weights, which have several names, the file has one
    except TrainingError:
        raise
    except Exception as error:
        raise RunError(
            f"{file} — does not fit the recipe beside it: {error} — expected the weights that the run wrote"
        ) from error
    return built


def _varied(recipe: Recipe, depth: int | None, normalizer: str | None) -> Recipe:
    if depth is not None:
        recipe = _load_recipe(recipe, {"model.depth": depth})
    if normalizer is not None:
        name, _, c = normalizer.partition(":")
        recipe = _load_recipe(recipe, [f"normalizer={name}", *([f"normalizer.c={c}"] if c else [])])
    return recipe.with_history(recipe.changes, ())


@told_as_the_plugins()
def _probed(recipe: Recipe, seed: int) -> Probed:
    built = build_ready(recipe, seed)
    bounds = built.network.bounds()
    return Probed(
        depth=len(built.network.blocks),
        normalizer=" + ".join(component.name for component in recipe.normalizer),
        c=max(float(c.max()) for _, c in bounds) if bounds else None,
        reading=built.initial,
        outlook=outlook(built.initial, Situation.of(recipe, built.network)),
    )


def resolve(
    recipe: str | Path | Recipe,
    overrides: Overrides,
    device: str | None,
    plugins: Plugins,
    *,
    allow_plugins: bool = False,
) -> Recipe:
    """The recipe that is asked for, checked."""
    return _load_recipe(recipe, overrides, plugins, device=device, allow_plugins=allow_plugins)
