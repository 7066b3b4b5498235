"""Grid of a study: the recipes that it trains, each with its label on every axis."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from registry import TABLES
from zoo.errors import Problem, RecipeError
from zoo.recipe.load import load
from zoo.recipe.options import number_option
from zoo.recipe.recipe import Recipe
from zoo.studies.study_schema import Alternative, Changes, Space, Study

CELLS = 2_000  # of one study: more would be planned for minutes before the first is trained
_NAMED = 3  # so many cells with the same problem are named one by one


@dataclass(frozen=True)
class Variant:
    """One cell's recipe. axes: axis → label; space: what is tuned in it."""

    axes: Mapping[str, str]
    recipe: Recipe
    space: Space


def variants(study: Study, *, allow_plugins: bool = False) -> list[Variant]:
    """Return every cell's recipe, checked; the last axis changes fastest.

    allow_plugins: run the plug-ins that its recipes name besides those of the study.
    Raises: RecipeError with the problems of all cells, or if there are more than `CELLS`.
    """
    count = len(study.vary) if isinstance(study.vary, tuple) else math.prod(map(len, study.vary.values()))
    if count > CELLS:
        message = f"{count} cells — expected at most {CELLS}, as each is a recipe to be trained"
        raise RecipeError(study.name, [Problem("vary", message)], "study")
    found: list[Variant] = []
    problems: list[Problem] = []
    in_cells: dict[Problem, list[str]] = {}  # problems of recipes, each with the cells that have it
    places: set[str] = set()
    for axes, alternatives in _cells(study):
        place = ", ".join(f"{axis}: {name}" for axis, name in axes.items())
        space = dict(study.tune.space) if study.tune else {}
        base, changes = study.base, {}
        for alternative in alternatives:
            base = alternative.base or base
            space.update(alternative.space)
            changes.update(alternative.changes)
        if place in places:
            problems.append(Problem("vary", f"two cells are {place} — expected labels that tell them apart"))
        places.add(place)
        if space and study.tune is None:
            problems.append(Problem(f"{place} · space", "there is no search — expected 'tune:' in the study"))
        for path, values in space.items():
            if isinstance(values, tuple) and len(set(map(label, values))) < len(values):
                problems.append(Problem(f"tune.space.{path}", "two values look the same — expected each once"))
        before = {path: value for path, value in study.change.items() if not _is_replaced(path, changes)}
        try:
            changed = {**before, **outermost_first(changes)}
            found.append(Variant(axes, load(base, changed, study.plugins, allow_plugins=allow_plugins), space))
        except RecipeError as error:
            for problem in error.problems:
                in_cells.setdefault(problem, []).append(place)
    for problem, cells in in_cells.items():
        named = cells if len(cells) <= _NAMED else [f"{cells[0]} and {len(cells) - 1} more cells"]
        problems += [
            Problem(" · ".join(part for part in (place, problem.path) if part), problem.text) for place in named
        ]
    if problems:
        raise RecipeError(study.name, list(dict.fromkeys(problems)), "study")
    return found


def _is_replaced(path: str, changes: Changes) -> bool:
    """Return whether a cell sets what the study's `change` does, or a part that holds it: the cell's value counts."""
    return any(f"{path}.".startswith(f"{other}.") for other in changes)


def outermost_first(changes: Changes) -> Changes:
    """Return changes in an order in which none undoes another: `model` before `model.depth`."""
    return {path: changes[path] for path in sorted(changes, key=lambda path: path.count("."))}


def with_split_number(recipe: Recipe, split: int | None) -> Recipe:
    """Return the recipe on the split of that number, by the option that its split declares for it.

    Raises: RecipeError if its split has none.
    """
    if split is None:
        return recipe
    splits = TABLES["splits"]
    option = number_option(splits.get(recipe.split.name))
    if option is None:
        several = ", ".join(name for name in splits.names() if number_option(splits.get(name)))
        message = f"{recipe.split.name!r} has no number — expected one of: {several} for 'splits'"
        advice = " — a plug-in's split annotates the option that has it: zoo.recipe.fields.Number"
        raise RecipeError(recipe.name, [Problem("split", message + advice)])
    return load(recipe, {f"split.{option}": split})


def label(value: Any) -> str:
    """Return a value of an axis in a few words: `frobenius c=auto`, `64`."""
    if isinstance(value, Mapping):
        named = [str(value["name"])] if "name" in value else []
        return " ".join([*named, *(f"{key}={label(item)}" for key, item in value.items() if key != "name")])
    if isinstance(value, list | tuple):
        return " + ".join(map(label, value))
    return "none" if value is None else str(value)


def _cells(study: Study) -> Iterator[tuple[dict[str, str], tuple[Alternative, ...]]]:
    if isinstance(study.vary, tuple):
        for cell in study.vary:
            written = cell.model_dump(exclude_unset=True)
            name = str(written.pop("name")) if "name" in written else label(written)
            yield {"variant": name}, (Alternative.model_validate(written),)
        return
    axes = [
        values.items()
        if isinstance(values, Mapping)
        else [(label(value), Alternative.model_validate({axis: value})) for value in values]
        for axis, values in study.vary.items()
    ]
    for chosen in product(*axes):
        yield dict(zip(study.vary, (name for name, _ in chosen), strict=True)), tuple(cell for _, cell in chosen)
