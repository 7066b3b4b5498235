"""Plan of a study: the runs that it needs, as far as the finished ones determine them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal

from zoo.errors import RecipeError
from zoo.identity import Digests, identity_of, is_current
from zoo.recipe.load import load
from zoo.recipe.recipe import Recipe
from zoo.runs import folder
from zoo.runs.run import Run, finished_below
from zoo.runs.run_lock import is_claimed
from zoo.studies.grid import Variant, label, outermost_first, variants, with_split_number
from zoo.studies.study_schema import Study
from zoo.studies.tune import Params, Trial, best, next_params

State = Literal["finished", "failed", "running", "waiting"]


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study. path: its folder, existing or not; title: its place in the study, in words.

    outdated: the time of a result in the folder that is of other data than the recipe's data set holds now.
    """

    title: str
    recipe: Recipe
    seed: int
    split: int | None
    path: Path
    outdated: int | None = None

    @property
    def finished(self) -> bool:
        """True if it has its result."""
        return folder.is_finished(self.path) and folder.finished_at(self.path) != self.outdated

    @property
    def failure(self) -> str | None:
        """The error that ended it, if one did."""
        return folder.failure_of(self.path)

    @property
    def state(self) -> State:
        """Its state at this moment, whoever trains it."""
        if self.finished:
            return "finished"
        if is_claimed(self.path):
            return "running"
        return "failed" if self.failure is not None else "waiting"


class SearchCell:
    """One cell of a study: the trials of its search, if it has one, and the runs that are reported.

    `trials`: those that are complete. `final`: the runs that are reported, None while the search goes on or if none of
    its trials has a value. `params`: those chosen.
    """

    def __init__(self, plan: "StudyPlan", variant: Variant) -> None:
        self.variant = variant
        self.trials: list[Trial] = []
        self.final: list[PlannedRun] | None = None
        self.params: Params = {}
        self._plan, self._study = plan, plan.study
        self._splits: Sequence[int | None] = self._study.splits or (None,)
        tuning = self._study.tune
        self._trial_splits: Sequence[int | None] = (tuning.splits if tuning else None) or self._splits[:1]
        self._open: list[tuple[Params, list[PlannedRun]]] = []
        self._tried: list[PlannedRun] = []
        self.advance()

    @property
    def runs(self) -> list[PlannedRun]:
        """Every run that is known to be needed, trials first."""
        return [*self._tried, *(self.final or [])]

    @property
    def reported(self) -> int:
        """The number of runs that are reported, chosen yet or not."""
        return len(self._study.seeds) * len(self._splits)

    @property
    def still_unknown(self) -> int:
        """The number of runs that will be needed besides `runs`, at most."""
        tuning = self._study.tune
        if self.final is not None or tuning is None or self.is_hopeless:
            return 0
        per_trial = len(tuning.seeds) * len(self._trial_splits)
        open_or_done = len(self.trials) + len(self._open)
        trials = tuning.trials if self.variant.space and tuning.method != "grid" else open_or_done
        return (trials - open_or_done) * per_trial + self.reported

    @property
    def is_hopeless(self) -> bool:
        """True if the search is over and no trial of it has a value."""
        return self.final is None and not self._open

    def advance(self) -> None:
        """Take note of what has finished, and plan what follows from it."""
        tuning = self._study.tune
        if self.final is not None:
            return
        if tuning is None:
            self.final = self._runs({}, self._study.seeds, self._splits)
            return
        while True:
            while self._open and (trial := self._complete(*self._open[0])) is not None:
                self.trials.append(trial)
                self._open.pop(0)
            if self._open:
                return
            asked = next_params(self._study.name, tuning, self.variant.space, self.trials, maximize=self._maximize)
            if not asked:
                break
            for params in asked:
                runs = self._runs(params, tuning.seeds, self._trial_splits, "trial: ")
                self._open.append((params, runs))
                self._tried += [run for run in runs if run not in self._tried]
        chosen = best(self.trials, maximize=self._maximize)
        if chosen is not None:
            self.params = chosen.params
            self.final = self._runs(chosen.params, self._study.seeds, self._splits)

    @property
    def _maximize(self) -> bool:
        """The direction of the metric, by a finished trial; another cell of the study may have another metric."""
        finished = (run for run in self._tried if run.finished)
        return next((Run(run.path).record.higher_is_better for run in finished), True)

    def _complete(self, params: Params, runs: Sequence[PlannedRun]) -> Trial | None:
        """Return the trial with its mean validation, once all of its runs are over."""
        if not all(map(self._plan.is_over, runs)):
            return None
        values = [Run(run.path).val if run.finished else None for run in runs]
        known = [value for value in values if value is not None]
        return Trial(params, sum(known) / len(known) if len(known) == len(values) else None)

    def _runs(
        self, params: Params, seeds: Sequence[int], splits: Sequence[int | None], purpose: str = ""
    ) -> list[PlannedRun]:
        recipe = load(self.variant.recipe, outermost_first(params))
        words = [f"{axis} {name}" for axis, name in self.variant.axes.items()]
        words += [f"{path}={label(value)}" for path, value in params.items()]
        return [
            self._plan.planned(with_split_number(recipe, split), seed, split, purpose + ", ".join(words))
            for split, seed in product(splits, seeds)
        ]


class StudyPlan:
    """All cells of a study over the run folders below `runs`; nothing is trained here.

    allow_plugins: run the plug-ins that its recipes name besides those of the study.
    Raises: RecipeError with the problems of all cells; ZooError where a search needs optuna, and it is not installed.
    """

    def __init__(self, study: Study, runs: str | Path, *, allow_plugins: bool = False) -> None:
        self.study = study
        self.root = Path(runs)
        self._elsewhere: dict[tuple[str, int], Path] = {}  # finished runs by identity and seed, wherever they lie
        for path in finished_below(self.root):
            word, _, seed = path.name.partition("-")
            if word == "seed" and seed.isdigit():
                self._elsewhere.setdefault((path.parent.name, int(seed)), path)
        self._digests: Digests = {}
        self._known: dict[tuple[str, int], PlannedRun] = {}
        self._retrying = False
        self._tried: set[Path] = set()
        self.cells = self._begun(variants(study, allow_plugins=allow_plugins))

    def retry(self) -> None:
        """Count runs that failed before as still to be trained; searches begin anew."""
        self._retrying = True
        self.cells = self._begun([cell.variant for cell in self.cells])

    def tried(self, run: PlannedRun) -> None:
        """Take note that the run has had its turn, whatever came of it."""
        self._tried.add(run.path)

    def is_over(self, run: PlannedRun) -> bool:
        """Return whether nothing more is to be expected of a run."""
        return run.finished or run.path in self._tried or (run.failure is not None and not self._retrying)

    def runs(self) -> Iterator[PlannedRun]:
        """Yield every run that is known to be needed, each once, in the order to train them."""
        seen: set[Path] = set()
        for cell in self.cells:
            cell.advance()
            for run in cell.runs:
                if run.path not in seen:
                    seen.add(run.path)
                    yield run

    def planned(self, recipe: Recipe, seed: int, split: int | None, title: str) -> PlannedRun:
        """Return the run of a recipe with a seed: one for all recipes of equal identity, planned or trained before."""
        key = identity_of(recipe), seed
        known = self._known.get(key)
        if known is None:
            own = folder.place(self.root, recipe, *key)
            path = own if folder.is_finished(own) else self._elsewhere.get(key, own)
            outdated = None
            if folder.is_finished(path) and not is_current(path, recipe, seed, self._digests):
                path, outdated = own, folder.finished_at(own)
            known = self._known[key] = PlannedRun(title, recipe, seed, split, path, outdated)
        title = f"{title or known.recipe.name}, seed {seed}" + ("" if split is None else f", split {split}")
        return replace(known, title=title, split=split)

    def _begun(self, wanted: Sequence[Variant]) -> list[SearchCell]:
        cells, problems = [], []
        for variant in wanted:
            try:
                cells.append(SearchCell(self, variant))
            except RecipeError as error:
                problems += error.problems
        if problems:
            raise RecipeError(self.study.name, list(dict.fromkeys(problems)), "study")
        return cells
