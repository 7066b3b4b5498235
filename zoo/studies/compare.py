"""Finished runs, wherever they came from, as cells to compare."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import RecipeError, RunError
from zoo.recipe import text
from zoo.runs import folder
from zoo.runs.find import find
from zoo.runs.run import Run
from zoo.studies.cells import Cell, Ground, Score

SELECTION = "test at best validation"
_UNUSED = ("description", "measured", "plugins", "probes", "seeds", "execution", "training.save")  # change no result
_NUMBER = ("split.index", "split.seed")  # which split of its kind: a run's key, not another thing to compare
_ONE = re.compile(r"number \d+ of (\d+)(, from the run's seed)?$")
_RESULT = ("recipe", "identity", "seed", "metric", "val", "test", "status")
_ABSENT = "–"

Fields = Mapping[str, str]  # dotted recipe path → value as text


@dataclass(frozen=True)
class _Read:
    """A run, and what of its recipe can make a difference."""

    run: Run
    fields: Fields
    number: int | None
    ground: Ground

    @property
    def name(self) -> str:
        return self.run.result["recipe"]

    @property
    def identity(self) -> str:
        return self.run.result["identity"]


def cells_of_runs(paths: Sequence[str | Path]) -> list[Cell]:
    """Group finished runs into cells, in the order in which they are found.

    paths: run folders, or folders above some; runs that were moved aside are passed over unless named themselves. Runs
    of one recipe name and identity are one cell; so are those that differ in the number of their split alone
    (`split.index`, `split.seed`). Axes: `recipe`, and for several cells of one name the recipe fields in which they
    differ, or at last their identities.
    Raises: RunError if there is no finished run, one cannot be read, the same run is found twice, or runs of one cell
    stand on different ground.
    """
    runs = [_read(Run(path)) for path in find(paths, "compare")]
    by_name: dict[str, list[_Read]] = {}
    for run in runs:
        by_name.setdefault(run.name, []).append(run)
    cells: list[Cell] = []
    for name, members in by_name.items():
        groups = _groups(members)
        axes = _labels([group[0] for group in groups])
        cells += [_cell({"recipe": name, **labels}, group) for labels, group in zip(axes, groups, strict=True)]
    return cells


def ground_of(run: Run, selection: str = SELECTION) -> Ground:
    """What a run's figures stand on: task, data set and split in words, metric and its direction.

    The number of the split is left out, as it is a run's key; whether the recipe fixed it is not.
    Raises: RunError if a record of the run cannot be read.
    """
    tree = _recipe(run)
    dataset, split = _component(run, tree, "dataset"), _component(run, tree, "split")
    return Ground(
        dataset=_words(dataset),
        split=_rule(run.environment.get("split"), split),
        metric=run.metric,
        higher_is_better=run.result.get("higher_is_better", True),  # runs from before it was written
        selection=selection,
        task=str(_component(run, tree, "task")["name"]),
    )


def _read(run: Run) -> _Read:
    if missing := [key for key in _RESULT if key not in run.result]:
        raise RunError(f"{run.path / folder.RESULT} — has no {', '.join(missing)} — expected what the run wrote")
    tree = _recipe(run)
    fields = {path: value for path, value in _flat(tree) if not _is_below(path, (*_UNUSED, *_NUMBER))}
    fields["zoo"] = str(run.environment.get("zoo", _ABSENT))
    fields["plugins"] = " ".join(sorted(map(_digest, run.path.glob("plugins/**/*.py"))))
    return _Read(run, fields, _number(_component(run, tree, "split")), ground_of(run))


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


def _labels(runs: Sequence[_Read]) -> list[dict[str, str]]:
    """What tells runs of one name apart: fields with several values, else with those that only some have, else more."""
    if len(runs) == 1:
        return [{}]
    paths = list(dict.fromkeys(path for run in runs for path in run.fields))
    differing = [path for path in paths if len({run.fields[path] for run in runs if path in run.fields}) > 1]
    if not _tell_apart(runs, differing):
        differing = [path for path in paths if len({run.fields.get(path) for run in runs}) > 1]
    labels = [{path: run.fields.get(path, _ABSENT) for path in differing} for run in runs]
    if not _tell_apart(runs, differing):
        labels = [{**known, "identity": run.identity} for known, run in zip(labels, runs, strict=True)]
    return labels


def _tell_apart(runs: Sequence[_Read], paths: Sequence[str]) -> bool:
    return len({tuple(run.fields.get(path) for path in paths) for run in runs}) == len(runs)


def _cell(axes: Mapping[str, str], runs: Sequence[_Read]) -> Cell:
    for run in runs:
        if run.ground != runs[0].ground:
            raise RunError(
                f"compare — {runs[0].run.path} is on {runs[0].ground} and {run.run.path} on {run.ground} — expected "
                "one data set, split and metric in the runs of one recipe — compare them apart"
            )
    scores = [
        Score(run.run.seed, run.number, run.run.test, run.run.val, run.run.status, str(run.run.path)) for run in runs
    ]
    return Cell(axes, runs[0].ground, tuple(sorted(scores, key=lambda score: score.key)))


def _recipe(run: Run) -> Mapping[str, Any]:
    try:
        return text.read(run.path / folder.RECIPE)
    except RecipeError as error:
        raise RunError(f"{error} — expected the recipe that the run wrote") from error


def _component(run: Run, tree: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    value = tree.get(field)
    if not isinstance(value, dict) or "name" not in value:
        raise RunError(
            f"{run.path / folder.RECIPE} — has no {field} with a name — expected the recipe that the run wrote"
        )
    return value


def _number(split: Mapping[str, Any]) -> int | None:
    """The number of the split, if the recipe fixes it."""
    return next((split[key] for key in ("index", "seed") if isinstance(split.get(key), int)), None)


def _rule(facts: Any, split: Mapping[str, Any]) -> str:
    if isinstance(facts, dict) and "rule" in facts:
        name, rule = str(facts.get("name")), _ONE.sub(r"one of \1", str(facts["rule"]))
        rule = rule if rule.startswith(name) else f"{name}, {rule}"
    else:
        rule = _words({key: value for key, value in split.items() if key not in ("index", "seed")})
    return rule if _number(split) is None else f"{rule}, of a fixed number"


def _words(component: Mapping[str, Any]) -> str:
    """A component as `block-model nodes=200 classes=3`."""
    options = {key: value for key, value in component.items() if key != "name"}
    words = [f"{path}={value}" for path, value in _flat(options)] if options else []
    return " ".join([str(component["name"]), *words])


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Dotted path and text of every value, as one would type them; a component's name stands at its own path."""
    if isinstance(value, dict) and value:
        if path and "name" in value:
            yield path, str(value["name"])
        for key, item in value.items():
            if not path or key != "name":
                yield from _flat(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        yield path, " + ".join(str(item.get("name")) if isinstance(item, dict) else str(item) for item in value)
        for index, item in enumerate(value):
            yield from _flat(item, f"{path}.{index}")
    else:
        yield path, "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _is_below(path: str, fields: Sequence[str]) -> bool:
    return any(path == field or path.startswith(f"{field}.") for field in fields)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:8]
