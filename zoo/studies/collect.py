"""Collection of finished runs, wherever they came from, into cells to compare."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo.errors import RunError
from zoo.recipe.recipe import NO_RESULT, is_below
from zoo.recipe.values import flat, in_words
from zoo.runs.record import RECIPE, RunRecord, read_recipe
from zoo.runs.run import Run, find
from zoo.studies.cells import Cell, EvaluationSetting, Score
from zoo.studies.formatting import is_number

SELECTION = "test at best validation"
ABSENT = "–"

Fields = Mapping[str, str]  # dotted recipe path → value as text


@dataclass(frozen=True)
class _Member:
    """A run of a cell. fields: everything in its recipe that can change the result."""

    path: Path
    record: RunRecord
    fields: Fields
    setting: EvaluationSetting

    @property
    def score(self) -> Score:
        record = self.record
        number = record.split.number if record.split.fixed else None
        return Score(record.seed, number, record.test, record.val, record.status, str(self.path))


def cells_of_runs(paths: Sequence[str | Path], left: list[tuple[Path, Exception]] | None = None) -> list[Cell]:
    """Group finished runs into cells: those with one setting together, in the order of their labels.

    paths: run folders, or folders above some; runs that were moved aside are passed over unless named themselves. Runs
    of one recipe name and identity are one cell; so are those that differ in the number of their split alone. Cells
    with one setting have the same axes, `labels` of their recipes.
    left: takes up the runs that cannot be read, each with its error; without it they are raised.
    Raises: RunError if there is no finished run, one cannot be read, or the same run is found twice.
    """
    members: list[_Member] = []
    for path in find(paths, "compare"):
        try:
            members.append(_member(Run(path)))
        except RunError as error:
            if left is None:
                raise
            left.append((path, error))
    by_setting: dict[EvaluationSetting, dict[str, list[_Member]]] = {}
    for member in _with_contents(members):
        by_setting.setdefault(member.setting, {}).setdefault(member.record.recipe, []).append(member)
    cells: list[Cell] = []
    for by_name in by_setting.values():
        groups = [group for runs in by_name.values() for group in _groups(runs)]
        first = [group[0] for group in groups]
        places = labels(
            [member.record.recipe for member in first],
            [member.fields for member in first],
            [member.record.identity for member in first],
        )
        made = []
        for axes, group in zip(places, groups, strict=True):
            scores = sorted((member.score for member in group), key=lambda score: score.key)
            made.append(Cell(axes, group[0].setting, tuple(scores)))
        cells += _sorted(made)
    return cells


def setting_of(run: Run, selection: str = SELECTION, recipe: Mapping[str, Any] | None = None) -> EvaluationSetting:
    """Return the setting of a run's scores: task, data set, family of splits, metric and its direction.

    The number of the split is left out, as it is a run's key; whether the recipe fixed it is not. recipe: of the run's
    folder, where it was read already.
    Raises: RunError if a record of the run cannot be read.
    """
    record = run.record
    recipe = read_recipe(run.path) if recipe is None else recipe
    return EvaluationSetting(
        dataset=in_words(_component(run, recipe, "dataset")),
        split=f"{record.split.family}, of a fixed number" if record.split.fixed else record.split.family,
        metric=record.metric,
        higher_is_better=record.higher_is_better,
        selection=selection,
        task=str(_component(run, recipe, "task")["name"]),
        range=record.metric_range,
    )


def _component(run: Run, recipe: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    value = recipe.get(field)
    if not isinstance(value, dict) or "name" not in value:
        raise RunError(f"{run.path / RECIPE} — has no {field} with a name — expected the recipe that the run wrote")
    return value


def _member(run: Run) -> _Member:
    record, recipe = run.record, read_recipe(run.path)
    ignored = (*NO_RESULT, f"split.{record.split.option}") if record.split.option else NO_RESULT
    fields = {path: value for path, value in flat(recipe) if not is_below(path, ignored)}
    digests = (hashlib.sha256(file.read_bytes()).hexdigest()[:8] for file in run.path.glob("plugins/**/*.py"))
    fields |= {"zoo": record.environment.zoo or ABSENT, "plugins": " ".join(sorted(digests))}
    return _Member(run.path, record, fields, setting_of(run, recipe=recipe))


def _with_contents(members: Sequence[_Member]) -> list[_Member]:
    """Give settings of their own to runs of one recipe and seed that were trained on a data set that has changed."""
    digests: dict[tuple[str, int], set[str | None]] = {}
    for member in members:
        digests.setdefault((member.record.identity, member.record.seed), set()).add(member.record.data_digest)
    changed = {identity for (identity, _), found in digests.items() if len(found) > 1}
    found = []
    for member in members:
        if member.record.identity in changed:
            content = (member.record.data_digest or ABSENT).removeprefix("blake2b:")[:8]
            dataset = f"{member.setting.dataset}, content {content}"
            member = replace(member, setting=replace(member.setting, dataset=dataset))
        found.append(member)
    return found


def _groups(members: Sequence[_Member]) -> list[list[_Member]]:
    """Group runs into cells: of one identity, or of identities that differ in the number of their split alone."""
    by_identity: dict[str, list[_Member]] = {}
    for member in members:
        others = by_identity.setdefault(member.record.identity, [])
        if first := next((other.path for other in others if other.record.seed == member.record.seed), None):
            raise RunError(
                f"compare — {first} and {member.path} are the same run ({member.record.recipe}, identity "
                f"{member.record.identity}, seed {member.record.seed}) — expected each run once, as twice would make "
                "the spread look smaller"
            )
        others.append(member)
    by_fields: dict[frozenset[tuple[str, str]], list[list[_Member]]] = {}
    for runs in by_identity.values():
        by_fields.setdefault(frozenset(runs[0].fields.items()), []).append(runs)
    groups: list[list[_Member]] = []
    for equal in by_fields.values():
        together = [member for runs in equal for member in runs]
        keys = {member.score.key for member in together}
        groups += [together] if len(keys) == len(together) else equal  # no recipe tells these apart
    return groups


def _sorted(cells: Sequence[Cell]) -> list[Cell]:
    """Sort cells by their labels, axis after axis: numbers by value, other labels in the order in which they came."""
    by_axis = {axis: list(dict.fromkeys(cell.axes[axis] for cell in cells)) for axis in cells[0].axes}
    numeric = {axis for axis, found in by_axis.items() if all(map(is_number, found))}

    def place(cell: Cell) -> list[float]:
        return [float(label) if axis in numeric else by_axis[axis].index(label) for axis, label in cell.axes.items()]

    return sorted(cells, key=place)


def labels(names: Sequence[str], fields: Sequence[Fields], identities: Sequence[str]) -> list[dict[str, str]]:
    """Return each recipe's label on every axis: `recipe`, its name, and what tells recipes of one name apart.

    An axis is a field in which recipes of one name differ, and all of them have a label on it. An option that not all
    of them have is no axis, as nothing could be compared along it: it stands in the label of its component, `frobenius
    c=0.5` beside `none`. Fields that only some have tell apart where values do not, and at last the identity.
    """
    paths = list(dict.fromkeys(path for own in fields for path in own))
    found: list[dict[str, str]] = []
    for absent_counts in (False, True):
        by_axis: dict[str, list[str]] = {}
        for path in paths:
            if _differs(path, names, fields, absent_counts):
                by_axis.setdefault(_axis(path, fields), []).append(path)
        found = [
            {"recipe": name, **{axis: _label(axis, own, options, fields) for axis, options in by_axis.items()}}
            for name, own in zip(names, fields, strict=True)
        ]
        if len({tuple(place.values()) for place in found}) == len(found):
            return found
    return [{**place, "identity": identity} for place, identity in zip(found, identities, strict=True)]


def _differs(path: str, names: Iterable[str], fields: Iterable[Fields], absent_counts: bool) -> bool:
    """Return whether recipes of one name differ in a field; also where some are without it, if `absent_counts`."""
    by_name: dict[str, set[str | None]] = {}
    for name, own in zip(names, fields, strict=True):
        if absent_counts or path in own:
            by_name.setdefault(name, set()).add(own.get(path))
    return any(len(values) > 1 for values in by_name.values())


def _axis(path: str, fields: Sequence[Fields]) -> str:
    """Return the field itself, or if some are without it the nearest component above it that all recipes have."""
    above = path
    while above and not all(above in own for own in fields):
        above = above.rpartition(".")[0]
    return above or path


def _label(axis: str, own: Fields, paths: Sequence[str], fields: Sequence[Fields]) -> str:
    """Return the value on an axis, with those of its options in which recipes with this value differ."""
    named = own.get(axis, ABSENT)
    others = [other for other in fields if other.get(axis) == named]
    options = [
        f"{path.removeprefix(axis)[1:]}={own[path]}"
        for path in paths
        if path != axis and path in own and len({other.get(path) for other in others}) > 1
    ]
    return " ".join([named, *options])
