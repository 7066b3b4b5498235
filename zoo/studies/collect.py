"""Finished runs, wherever they came from, as cells to compare."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo.errors import RecipeError, RunError
from zoo.identity import recorded_data
from zoo.recipe import yaml_text
from zoo.recipe.recipe import NO_RESULT, is_below
from zoo.recipe.values import flat, in_words
from zoo.runs import folder
from zoo.runs.run import Run, find
from zoo.studies.cells import Cell, EvaluationSetting, Score
from zoo.studies.formatting import is_number
from zoo.studies.labels import ABSENT, Fields, labels

SELECTION = "test at best validation"
_RESULT = ("recipe", "identity", "seed", "metric", "val", "test", "status")


@dataclass(frozen=True)
class _Read:
    """A run, and what of its recipe can make a difference. number: that of its split, where the recipe fixed it."""

    run: Run
    fields: Fields
    number: int | None
    ground: EvaluationSetting

    @property
    def name(self) -> str:
        return self.run.result["recipe"]

    @property
    def identity(self) -> str:
        return self.run.result["identity"]

    @property
    def content(self) -> str:
        """The beginning of the digest of the data that it was trained on."""
        return str(recorded_data(self.run.path).get("digest", ABSENT)).removeprefix("blake2b:")[:8]


def cells_of_runs(paths: Sequence[str | Path], left: list[tuple[Path, Exception]] | None = None) -> list[Cell]:
    """Group finished runs into cells: those on one ground together, in the order of their labels.

    paths: run folders, or folders above some; runs that were moved aside are passed over unless named themselves. Runs
    of one recipe name and identity are one cell; so are those that differ in the number of their split alone. Cells on
    one ground have the same axes, `labels` of their recipes.
    left: takes up the runs that cannot be read, each with its error; without it they are raised.
    Raises: RunError if there is no finished run, one cannot be read, or the same run is found twice.
    """
    by_ground: dict[EvaluationSetting, dict[str, list[_Read]]] = {}
    for run in _by_content(list(_all_of(paths, left))):
        by_ground.setdefault(run.setting, {}).setdefault(run.name, []).append(run)
    cells: list[Cell] = []
    for by_name in by_ground.values():
        groups = [group for members in by_name.values() for group in _groups(members)]
        first = [group[0] for group in groups]
        places = labels([run.name for run in first], [run.fields for run in first], [run.identity for run in first])
        cells += _sorted([_cell(axes, group) for axes, group in zip(places, groups, strict=True)])
    return cells


def _all_of(paths: Sequence[str | Path], left: list[tuple[Path, Exception]] | None) -> Iterator[_Read]:
    for path in find(paths, "compare"):
        try:
            yield _read(Run(path))
        except RunError as error:
            if left is None:
                raise
            left.append((path, error))


def _by_content(runs: Sequence[_Read]) -> list[_Read]:
    """The runs, on grounds of their own where the same recipe and seed was trained on a data set that has changed."""
    contents: dict[tuple[str, int], set[str]] = {}
    for run in runs:
        contents.setdefault((run.identity, run.run.seed), set()).add(run.content)
    changed = {identity for (identity, _), found in contents.items() if len(found) > 1}
    return [
        replace(run, setting=replace(run.setting, dataset=f"{run.setting.dataset}, content {run.content}"))
        if run.identity in changed
        else run
        for run in runs
    ]


def _sorted(cells: Sequence[Cell]) -> list[Cell]:
    """Cells by their labels, axis after axis: numbers as they grow, other labels in the order in which they came."""
    by_axis = {axis: list(dict.fromkeys(cell.axes[axis] for cell in cells)) for axis in cells[0].axes}
    numeric = {axis: all(map(is_number, found)) for axis, found in by_axis.items()}
    return sorted(
        cells,
        key=lambda cell: [
            float(label) if numeric[axis] else by_axis[axis].index(label) for axis, label in cell.axes.items()
        ],
    )


def ground_of(run: Run, selection: str = SELECTION) -> EvaluationSetting:
    """What a run's figures stand on: task, data set, family of splits, metric and its direction.

    The number of the split is left out, as it is a run's key; whether the recipe fixed it is not.
    Raises: RunError if a record of the run cannot be read.
    """
    return _ground(run, _recipe(run), selection)


def _ground(run: Run, tree: Mapping[str, Any], selection: str) -> EvaluationSetting:
    split = run.record.split
    return EvaluationSetting(
        dataset=in_words(_component(run, tree, "dataset")),
        split=f"{split.family}, of a fixed number" if split.fixed else split.family,
        metric=run.metric,
        higher_is_better=run.record.higher_is_better,
        selection=selection,
        task=str(_component(run, tree, "task")["name"]),
        range=run.record.metric_range,
    )


def _read(run: Run) -> _Read:
    if missing := [key for key in _RESULT if key not in run.result]:
        raise RunError(f"{run.path / folder.RESULT} — has no {', '.join(missing)} — expected what the run wrote")
    tree = _recipe(run)
    split = run.record.split
    unused = (*NO_RESULT, f"split.{split.option}") if split.option else NO_RESULT
    fields = {path: value for path, value in flat(tree) if not is_below(path, unused)}
    fields["zoo"] = str(run.environment.get("zoo", ABSENT))
    fields["plugins"] = " ".join(sorted(map(_digest, run.path.glob("plugins/**/*.py"))))
    return _Read(run, fields, split.number if split.fixed else None, _ground(run, tree, SELECTION))


def _groups(runs: Sequence[_Read]) -> list[list[_Read]]:
    """Runs that make one cell: of one identity, or of identities that differ in the number of their split alone."""
    by_identity: dict[str, list[_Read]] = {}
    for run in runs:
        by_identity.setdefault(run.identity, []).append(run)
    by_fields: dict[tuple[tuple[str, str], ...], list[list[_Read]]] = {}
    for members in by_identity.values():
        _refuse_twice(members)
        by_fields.setdefault(tuple(sorted(members[0].fields.items())), []).append(members)
    groups: list[list[_Read]] = []
    for alike in by_fields.values():
        together = [run for members in alike for run in members]
        keys = {(run.number, run.run.seed) for run in together}
        groups += [together] if len(keys) == len(together) else alike  # what tells these apart is in no recipe
    return groups


def _refuse_twice(runs: Sequence[_Read]) -> None:
    by_seed: dict[int, Path] = {}
    for run in runs:
        first = by_seed.setdefault(run.run.seed, run.run.path)
        if first != run.run.path:
            raise RunError(
                f"compare — {first} and {run.run.path} are the same run ({run.name}, identity {run.identity}, seed "
                f"{run.run.seed}) — expected each run once, as twice would make the spread look smaller"
            )


def _cell(axes: Mapping[str, str], runs: Sequence[_Read]) -> Cell:
    scores = [
        Score(run.run.seed, run.number, run.run.test, run.run.val, run.run.status, str(run.run.path)) for run in runs
    ]
    return Cell(axes, runs[0].setting, tuple(sorted(scores, key=lambda score: score.key)))


def _recipe(run: Run) -> Mapping[str, Any]:
    try:
        return yaml_text.read(run.path / folder.RECIPE)
    except RecipeError as error:
        raise RunError(f"{error} — expected the recipe that the run wrote") from error


def _component(run: Run, tree: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    value = tree.get(field)
    if not isinstance(value, dict) or "name" not in value:
        raise RunError(
            f"{run.path / folder.RECIPE} — has no {field} with a name — expected the recipe that the run wrote"
        )
    return value


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:8]
