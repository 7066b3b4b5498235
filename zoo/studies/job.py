"""One run as work for a process of its own: everything in it is plain, and so is what comes back."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from registry import load_plugin
from zoo import api
from zoo.errors import USER_ERRORS, ComponentError, RunBusy
from zoo.recipe.check import check
from zoo.recipe.recipe import Recipe
from zoo.runs import folder
from zoo.system.files import expanded

How = Literal["done", "failed", "busy", "died"]


@dataclass(frozen=True)
class Job:
    """A run to be trained. path: its run folder below `runs`; again: not from a state saved before a failure."""

    name: str
    tree: Mapping[str, Any]
    seed: int
    runs: str
    path: str
    again: bool = False

    @classmethod
    def of(cls, recipe: Recipe, seed: int, runs: Path, *, again: bool = False) -> "Job":
        """The job of training a recipe with a seed."""
        path = folder.place(runs, recipe, api.identity_of(recipe), seed)
        return cls(recipe.name, recipe.plain(), seed, str(expanded(runs).absolute()), str(path.absolute()), again)


@dataclass(frozen=True)
class JobResult:
    """How a job ended, and why: `busy` if another process trains that run, `died` if its process did."""

    how: How
    reason: str = ""


def work(job: Job, device: str, threads: int | None = None) -> JobResult:
    """Train the run of a job on a device; an error is noted in its run folder and told, never raised.

    A run that was broken off goes on from the state that it saved last.
    """
    try:
        tree = dict(job.tree)
        for plugin in tree.get("plugins", ()):
            load_plugin(plugin)
        anew = job.again and not folder.is_finished(Path(job.path))  # by another process meanwhile
        tree["execution"] = {**tree["execution"], "device": device, **({"threads": threads} if threads else {})}
        api.train(check(job.name, tree), seed=job.seed, runs=job.runs, resume=not job.again, again=anew)
    except RunBusy as error:
        return JobResult("busy", str(error))
    except ComponentError as error:  # a bug of a plug-in's, mostly, whose author wants the trace
        return _failed(job, str(error).partition("\n")[0], traceback.format_exc())
    except USER_ERRORS as error:
        return _failed(job, str(error), "")
    except Exception as error:  # a bug must not end the runs after it
        return _failed(job, f"{type(error).__name__}: {error}", traceback.format_exc())
    return JobResult("done")


def _failed(job: Job, reason: str, trace: str) -> JobResult:
    try:
        folder.note_failure(Path(job.path), reason, trace)
    except OSError as error:
        reason = f"{reason} (and {folder.FAILURE} cannot be written: {error})"
    return JobResult("failed", reason)
