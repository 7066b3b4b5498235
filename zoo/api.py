"""The zoo from Python: `train`, `build` and `load`, the same verbs that the command line has."""

import hashlib
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from zoo import __version__
from zoo.builder import Built
from zoo.builder import build as _build
from zoo.errors import RunError
from zoo.layers.network import Network
from zoo.recipe.load import Overrides
from zoo.recipe.load import load as _load_recipe
from zoo.recipe.schema import Component, Recipe
from zoo.runs import folder
from zoo.runs.folder import RunFolder
from zoo.runs.run import Run
from zoo.training.trainer import Outcome, Trainer, Watcher

RUNS = Path("runs")


def train(
    recipe: str | Path | Recipe,
    overrides: Overrides = (),
    *,
    seed: int = 0,
    runs: str | Path = RUNS,
    device: str | None = None,
    plugins: Sequence[str | Path] = (),
    again: bool = False,
    resume: bool = False,
    watch: Callable[[Built], Watcher] | None = None,
) -> Run:
    """Train a recipe with one seed, and return its run.

        run = zoo.train("cora-res-gcn-64", {"model.depth": 128})
        run.test, run.metrics["val"]

    recipe: a shipped name, a YAML file, or a `Recipe`. overrides: `{"model.depth": 128}` or `["model.depth=128"]`.
    runs: the folder that run folders are made in. device: auto, cpu, cuda or cuda:N. plugins: files that register
    names.
    A run that is already finished there is returned as it is; `again=True` moves it aside and trains anew.
    resume: go on with an unfinished run from the state that it saved last; else it is moved aside and trained anew.
    watch: given the built objects, returns who else sees each validation (a progress bar).
    Raises: RecipeError, RegistryError, DataError, BuildError, TrainingError, RunError.
    """
    resolved = _resolve(recipe, overrides, device, plugins)
    identity = identity_of(resolved)
    path = folder.place(Path(runs), resolved, identity, seed)
    if folder.is_finished(path) and not again:
        return Run(path)
    began = time.perf_counter()
    threads = torch.get_num_threads()
    try:
        built = _build(resolved, seed)
        with closing(RunFolder(path, resume=resume)) as record:
            record.describe(resolved, _environment(built))
            watchers = (record, watch(built)) if watch else (record,)
            trainer = Trainer(
                built.network,
                built.task,
                built.optimizer,
                built.scheduler,
                resolved.training,
                built.device,
                watchers,
                record,
                plan=built.plan,
                controller=built.controller,
            )
            if record.state is not None:
                trainer.resume(record.state)
            outcome = trainer.fit()
            record.finish(built.network.state_dict(), _result(built, identity, outcome, time.perf_counter() - began))
    finally:
        torch.set_num_threads(threads)
    return Run(path)


def build(
    recipe: str | Path | Recipe,
    overrides: Overrides = (),
    *,
    seed: int = 0,
    device: str | None = None,
    plugins: Sequence[str | Path] = (),
) -> Built:
    """Make everything that a recipe describes, without training it: data, graph, network, task, optimizer.

    Parameters and errors as for `train`.
    """
    return _build(_resolve(recipe, overrides, device, plugins), seed)


def load(run: str | Path | Run, *, device: str = "cpu") -> Network:
    """The trained network of a run folder, with the weights that validated best, in evaluation mode.

    Raises: RunError if the folder holds no finished run, or weights that do not fit its recipe.
    """
    finished = run if isinstance(run, Run) else Run(run)
    recipe = _resolve(finished.path / folder.RECIPE, (), device, ())
    found = {path: component.options.get("c") for path, table, component in recipe.components() if table == "normalizers"}
    moved = [path for path, c in found.items() if c == "auto" or isinstance(c, Component)]
    if moved:  # c was found in the run, and is among the weights: nothing is to be calibrated
        recipe = _load_recipe(recipe, {f"{path}.c": 1.0 for path in moved})
    built = _build(recipe, finished.seed)
    file = finished.path / folder.WEIGHTS
    try:
        state = load_file(file, device=str(built.device))
        built.network.load_state_dict(state)
    except Exception as error:
        raise RunError(
            f"{file} — does not fit the recipe beside it: {error} — expected the weights that the run wrote"
        ) from error
    return built.network.eval()


def identity_of(recipe: Recipe) -> str:
    """The identity of a recipe with this version of the zoo and the code of its plug-ins; see `Recipe.identity`."""
    digests = [hashlib.sha256(Path(plugin).read_bytes()).hexdigest() for plugin in recipe.plugins]
    return recipe.identity([f"zoo {__version__}", *digests])


def _resolve(
    recipe: str | Path | Recipe, overrides: Overrides, device: str | None, plugins: Sequence[str | Path]
) -> Recipe:
    resolved = _load_recipe(recipe, overrides, plugins)
    return _load_recipe(resolved, {"execution.device": device}) if device else resolved


def _environment(built: Built) -> dict[str, Any]:
    return {
        "zoo": __version__,
        "versions": {name: _version(name) for name in ("torch", "dgl", "numpy", "scipy", "ogb")},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
        "choices": [{"what": choice.what, "chosen": choice.chosen, "why": choice.why} for choice in built.choices],
        "data": built.data.facts,
        "split": {"name": built.split.name, **built.split.facts},
    }


def _result(built: Built, identity: str, outcome: Outcome, seconds: float) -> dict[str, Any]:
    bad = outcome.non_finite
    return {
        "recipe": built.recipe.name,
        "identity": identity,
        "seed": built.seed,
        "status": outcome.status,
        "metric": built.task.metric,
        "val": outcome.val,
        "test": outcome.test,
        "train": outcome.train,
        "best_epoch": outcome.best_epoch,
        "epochs": outcome.epochs,
        "steps": outcome.steps,
        "seconds": round(outcome.seconds, 3),
        "seconds_with_setup": round(seconds, 3),
        "parameters": sum(parameter.numel() for parameter in built.network.parameters()),
        "gradient_similarity": {
            "when": "at initialisation",
            "first_block": built.initial.first,
            "last_block": built.initial.last,
            "ratio": built.initial.ratio,
        },
        "c": next((float(choice.chosen) for choice in built.choices if choice.what == "c"), None),
        "non_finite": {"step": bad.step, "what": bad.what, "block": bad.block, "said": str(bad)} if bad else None,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
