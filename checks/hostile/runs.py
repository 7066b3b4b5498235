"""Run folders to be spoiled: finished ones, one that was broken off, and a study's."""

import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

STUDY = "base: smoke/res-gcn\nchange: {training.duration: 2 epochs}\nvary: {model.depth: [1, 2]}\nseeds: [0]\n"
SMALL = ["training.duration=4 epochs", "probes={name: standard, every: 1 epochs}"]
RECIPES = {
    "nodes": ("smoke/res-gcn", ["normalizer.c={name: adaptive, every: 1 steps}"]),
    "links": ("smoke/links", []),
    "graphs": ("smoke/graphs", []),
    "reversible": ("smoke/rev-gnn", ["split.seed=1"]),
}
RESUMED = ("smoke/res-gcn", [*SMALL, "training.duration=6 epochs", "training.save=1 steps"])


class BrokenOff(Exception):
    """Ends a training as an error of the machine would."""


class _Breaks:
    """Raises at the third validation."""

    def __init__(self, built: Any) -> None:
        self._left = 3

    def measured(self, row: Mapping[str, Any]) -> None:
        self._left -= 1
        if not self._left:
            raise BrokenOff

    def probed(self, row: dict[str, Any]) -> None:
        """Not of interest."""


def make(root: Path) -> None:
    """Train everything, each kind below a folder of its own: `nodes`, `links`, …, `unfinished`, `whole`, `study`."""
    import zoo
    from zoo.studies.study_file import read_study
    from zoo.studies.study_plan import StudyPlan

    for name, (recipe, overrides) in RECIPES.items():
        run = zoo.train(recipe, [*SMALL, *overrides], runs=root / name)
        zoo.evaluate(run).save()
    zoo.train(*RESUMED, runs=root / "whole")
    with suppress(BrokenOff):
        zoo.train(*RESUMED, runs=root / "unfinished", watch=_Breaks)
    file = root / "small.yaml"
    file.write_text(STUDY, encoding="utf-8")
    for planned in StudyPlan(read_study(file), root / "study").runs():
        zoo.train(planned.recipe, seed=planned.seed, runs=root / "study")


def go_on(root: Path) -> Any:
    """Resume what is below `unfinished`; what the zoo warns of is part of what it says."""
    import zoo

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return zoo.train(*RESUMED, runs=root, resume=True)


def restart(file: Path, runs: Path) -> list[str]:
    """Go on with the study in this process; the reasons of the runs that failed."""
    from zoo.studies.processes import Executor, Job, JobResult, train_job
    from zoo.studies.run_study import run_study
    from zoo.studies.study_file import read_study
    from zoo.studies.study_plan import StudyPlan

    class Here(Executor):
        """Works at once, one at a time."""

        slots, why = 1, "as it is a check"

        def __init__(self) -> None:
            self._open: list[tuple[Job, JobResult]] = []

        def start(self, job: Job) -> None:
            self._open.append((job, train_job(job, "cpu", 1)))

        def wait(self, seconds: float) -> list[tuple[Job, JobResult]]:
            ended, self._open = self._open, []
            return ended

        def close(self) -> None:
            self._open.clear()

    plan = StudyPlan(read_study(file), runs)
    run_study(plan, Here())
    return [str(planned.failure) for planned in plan.runs() if planned.failure is not None]
