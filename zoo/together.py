"""Seeds, or values of c, of one recipe trained as one: each leaves the run folder that it would leave alone."""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from zoo.api import RUNS, resolve
from zoo.builder import Built, build_ready
from zoo.errors import Problem, RecipeError, TrainingError
from zoo.factory import factory
from zoo.identity import identity_of, is_current, is_of
from zoo.plugin_errors import told_as_the_plugins
from zoo.recipe.load import Overrides, Plugins, load
from zoo.recipe.recipe import Component, Recipe
from zoo.recipe.values import as_list
from zoo.recording import environment_of, record_of
from zoo.runs import folder
from zoo.runs.folder import RunFolder
from zoo.runs.run import Run
from zoo.runs.run_lock import claim, refuse_if_claimed
from zoo.system.choice import Choice
from zoo.system.seeds import checked_seed
from zoo.system.team import Team
from zoo.training.declared import one_pass
from zoo.training.members import Members, MemberSteps
from zoo.training.memory_errors import enough_memory
from zoo.training.outcome import Watcher
from zoo.training.schedule import FactorLR, Schedule
from zoo.training.trainer import Trainer

# Those in which a number's step depends on that number's gradients alone.
_OPTIMIZERS = ("adam", "adamw", "sgd")


@told_as_the_plugins()
def train_together(
    recipe: str | Path | Recipe,
    overrides: Overrides = (),
    *,
    seeds: Sequence[int] | int = (),
    grid: Mapping[str, Any] | None = None,
    runs: str | Path = RUNS,
    device: str | None = None,
    plugins: Plugins = (),
    allow_plugins: bool = False,
    again: bool = False,
    watch: Callable[[Built], Watcher] | None = None,
) -> list[Run]:
    """Train a recipe with several seeds, or values of c, side by side: one step is one of all, in as many calls.

        runs = zoo.train_together("hello", ["probes=none"], seeds=range(8))
        runs = zoo.train_together("hello", ["probes=none"], seeds=[0, 1], grid={"normalizer.c": [0.25, 0.5, 1.0]})

    seeds: the recipe's own if none are given. grid: values of a normaliser's c by its path; every combination, with
    every seed, is a run, in this order: the first path's values vary slowest, seeds fastest. Other arguments as for
    `train`, one run after the other; finished runs are returned as they are.

    Each run has the identity, the initial weights, the split and the records that it has alone, and its figures up to
    the order of sums; where random numbers are drawn in training (dropout) they are others. See docs/together.md for
    when it pays and what cannot be trained so.
    Raises: TrainingError for what cannot, with all reasons; else as `train`.
    """
    began = time.perf_counter()
    resolved = resolve(recipe, overrides, device, plugins, allow_plugins=allow_plugins)
    numbers = list(map(checked_seed, as_list(seeds) or resolved.seeds))
    wanted = [(each, seed) for each in _of_grid(resolved, grid or {}) for seed in numbers]
    places = {folder.place(Path(runs), each, identity_of(each), seed): (each, seed) for each, seed in wanted}
    left = {path: member for path, member in places.items() if again or not is_current(path, *member)}
    while left:
        _refuse([each for each, _ in left.values()])
        for path in left:
            refuse_if_claimed(path)
            if not again:
                folder.refuse_interrupted(path)
        built = [build_ready(each, seed) for each, seed in left.values()]
        if _train(list(left), _noted(built), again=again, watch=watch, began=began):
            break
        left = {path: member for path, member in left.items() if not is_current(path, *member)}
    return [Run(path) for path in places]


def _of_grid(recipe: Recipe, grid: Mapping[str, Any]) -> list[Recipe]:
    strange = [path for path in grid if not (path.startswith("normalizer") and path.endswith(".c"))]
    if strange:
        raise RecipeError(
            recipe.name,
            [Problem(path, "not a c — expected the path of a normaliser's c, normalizer.c") for path in strange],
        )
    if not grid:
        return [recipe]
    return [
        load(recipe, dict(zip(grid, values, strict=True))) for values in itertools.product(*map(as_list, grid.values()))
    ]


def _train(
    paths: Sequence[Path],
    built: Sequence[Built],
    *,
    again: bool,
    watch: Callable[[Built], Watcher] | None,
    began: float,
) -> bool:
    """Train the members; False if a process that held one of the folders until now has finished that run."""
    first = built[0]
    members = Members([each.network for each in built])
    if first.task.whole is not None:
        members.check(*first.task.whole)
    with ExitStack() as held:
        for path in paths:
            held.enter_context(claim(path))
        if not again and any(is_of(path, each.data) for path, each in zip(paths, built, strict=True)):
            return False
        environments = list(map(environment_of, built))
        records: list[RunFolder] = []
        for path, each, environment in zip(paths, built, environments, strict=True):
            records.append(held.enter_context(closing(RunFolder(path))))
            records[-1].describe(each.recipe, environment)
        watchers = [(record, watch(each)) if watch else (record,) for each, record in zip(built, records, strict=True)]
        with enough_memory(
            f"training {len(built)} of {first.recipe.name} together", first.recipe, first.network, first.task
        ):
            trainer = loop_of(built, members, watchers)
            trainer.fit()
        seconds = time.perf_counter() - began
        for path, each, kept, outcome, environment in zip(
            paths, built, records, trainer.outcomes, environments, strict=True
        ):
            record = record_of(each, path.parent.name, outcome, environment, seconds)
            kept.finish(each.network.state_dict(), replace(record, together=len(built)))
    return True


def loop_of(built: Sequence[Built], members: Members, watchers: Sequence[Sequence[Watcher]]) -> Trainer:
    """Return a trainer of these members as one; the optimiser and the schedule are the recipe's, made for all."""
    recipe, task = built[0].recipe, built[0].task
    total = recipe.training.duration.steps(task.steps_per_epoch)
    schedule: Schedule = factory(recipe.schedule, "schedules")(total, task.steps_per_epoch)
    optimizer: torch.optim.Optimizer = factory(recipe.optimizer, "optimizers")(members.network)
    setup = replace(built[0], optimizer=optimizer, scheduler=FactorLR(optimizer, schedule), process=built[-1].process)
    return Trainer(setup, steps=MemberSteps(built, members, optimizer, watchers))


def _noted(built: Sequence[Built]) -> list[Built]:
    """The members with a note of it in their records. Raises: TrainingError if they do not compute on one graph."""
    first = built[0].task.whole
    if first is None or one_pass(built[0].task) or not all(_share_graph(first, each.task.whole) for each in built):
        raise TrainingError(
            f"together — {built[0].recipe.name}: its steps are not all made of one pass over one and the same graph — "
            "expected task=nodes with sampler=full and inference=whole — train the seeds one after the other, without "
            "--together"
        )
    why = "trained as one; seconds are those of all; what training draws at random (dropout) differs from a run alone"
    return [replace(each, choices=(*each.choices, Choice("together", str(len(built)), why))) for each in built]


def _share_graph(one: Any, other: Any) -> bool:
    """Return True if both are there, and are equal graphs and features."""
    parts = [(graph.structure.src, graph.structure.dst, features) for graph, features in (one, other) if other]
    return bool(parts) and all(map(torch.equal, *parts))


def _refuse(recipes: Sequence[Recipe]) -> None:
    """Raise TrainingError, with every reason, for recipes that cannot be trained together."""
    recipe, reasons = recipes[0], []
    normalizers = [component for each in recipes for component in each.normalizer]
    if Team.of_environment().size > 1:
        reasons.append("torchrun started several processes: start one")
    if recipe.probes:
        reasons.append(
            "probes are read of one network at a time: probes=none (before and after training they are read)"
        )
    if any(isinstance(component.options.get("c"), Component) for component in normalizers):
        reasons.append("a controller moves c by what probes read: normalizer.c=auto, or a number")
    if any(component.options.get("mode") == "project" for component in normalizers):
        reasons.append("a projection writes into the weights of one network: normalizer.mode=reparametrize")
    if any(component.name != "none" for component in recipe.regularizer):
        reasons.append("a regulariser draws one graph for all: regularizer=none")
    if recipe.training.memory != "full":
        reasons.append("blocks are run again one network at a time: training.memory=full")
    if recipe.optimizer.name not in _OPTIMIZERS:
        reasons.append(f"optimizer {recipe.optimizer.name} may mix the members: {', '.join(_OPTIMIZERS)}")
    if reasons:
        raise TrainingError(
            "\n  ".join([f"together — {recipe.name} cannot be trained so:", *reasons])
            + "\n  or train the seeds one after the other, without --together"
        )
