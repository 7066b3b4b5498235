"""Study files: from a name or a path to a checked `Study`."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from shlex import quote
from typing import Any

from pydantic import ValidationError

from registry.name_errors import did_you_mean
from zoo.errors import Problem, RecipeError
from zoo.recipe import overrides, recipe_files, yaml_text
from zoo.recipe.load import Plugins, allowed_plugins
from zoo.recipe.recipe_files import is_recipe
from zoo.recipe.values import as_list, error_sentence
from zoo.studies.grid import label
from zoo.studies.study_schema import LIST, MAPPING, Range, Report, Study, Tuning

_EXPECTED = {"too_short": "at least one", "tuple_type": "a list"} | dict.fromkeys(
    ("dict_type", "mapping_type", "model_type", "model_attributes_type"), "a mapping"
)


def read_study(
    study: str | Path,
    *,
    quick: bool = False,
    changes: dict[str, Any] | None = None,
    plugins: Plugins = (),
    allow_plugins: bool = False,
) -> Study:
    """Read and check a study.

    study: a shipped study's name or the path of a YAML file. quick: lay its `quick:` part over it, where lists and
    axes replace and other mappings merge. changes: `seeds`, or dotted recipe paths that are added to `change`.
    plugins: files to run before those that the study names. allow_plugins: let it name others than these; its recipes
    are asked when they are loaded, by `variants`.
    Raises: RecipeError with every problem.
    """
    file = _find(str(study))
    tree = yaml_text.read(file)
    if is_recipe(tree):
        raise _a_recipe(str(study))
    short = tree.pop("quick", None)
    if quick:
        if not isinstance(short, dict) or not all(isinstance(key, str) for key in short):
            missing = Problem("quick", "this study has no quick form — expected a mapping of what it changes")
            raise RecipeError(str(study), [missing], "study")
        replaced = {key: short[key] for key in ("vary", "seeds", "splits") if key in short}
        tree = {**overrides.merge(tree, short), **replaced}
    problems = _apply(changes or {}, tree)
    tree["name"] = f"{file.stem}-quick" if quick else file.stem
    _make_paths_absolute(file, tree)
    if isinstance(tree.get("plugins"), list):
        named = map(Path, tree["plugins"])
        files = allowed_plugins(named, plugins, allow=allow_plugins, recipe=str(study), what="study")
        tree["plugins"] = list(map(str, files))
    elif plugins and tree.get("plugins") is None:
        tree["plugins"] = list(map(str, as_list(plugins)))
    return _checked(str(study), tree, problems)


def portable_text(study: str | Path) -> str:
    """Return the text of a study for a file in any folder: paths of files beside it are made absolute.

    Raises: RecipeError if there is no such study, or it is no YAML.
    """
    file = _find(str(study))
    tree = yaml_text.read(file)
    moved = deepcopy(tree)
    for part in (moved, moved.get("quick")):
        if isinstance(part, dict):
            _make_paths_absolute(file, part)
    return file.read_text(encoding="utf-8") if moved == tree else yaml_text.write(moved)


def _make_paths_absolute(file: Path, tree: dict[str, Any]) -> None:
    """Resolve paths that are relative to the study's file: of plug-ins, and of recipes given by their path."""
    vary = tree.get("vary")
    parts = [tree]
    for axis in vary.values() if isinstance(vary, dict) else [vary]:
        cells = axis.values() if isinstance(axis, dict) else vary if isinstance(vary, list) else ()
        parts += [cell for cell in cells if isinstance(cell, dict)]
    for part in parts:
        if str(part.get("base")).endswith(recipe_files.YAML):
            part["base"] = str(recipe_files.relative(file, part["base"]))
    if isinstance(tree.get("plugins"), list):
        tree["plugins"] = [str(recipe_files.relative(file, plugin)) for plugin in tree["plugins"]]


def _apply(changes: dict[str, Any], tree: dict[str, Any]) -> list[Problem]:
    """Put changes into the tree after its own; a change of what the study itself decides is a problem."""
    problems = []
    for path, value in changes.items():
        if path == "seeds":
            tree["seeds"] = value
            continue
        if isinstance(tree.get("vary"), dict) and path in tree["vary"]:
            message = "is an axis of the study, whose values count — expected a change of something else"
            problems.append(Problem(path, message))
        change = tree.get("change") or {}
        if isinstance(change, dict):  # else it is a problem of its own
            tree["change"] = {**overrides.without(change, [path]), path: value}
    return problems


def _find(study: str) -> Path:
    file = recipe_files.find(study) if study.endswith(recipe_files.YAML) else recipe_files.study(study)
    if file is None:
        if recipe_files.find(study):
            raise _a_recipe(study)
        near = did_you_mean(Path(study).stem, recipe_files.studies())
        message = f"no such study — expected a name from 'zoo list studies' or a .yaml file{near}"
        raise RecipeError(study, [Problem("", message)], "study")
    return file


def _a_recipe(named: str) -> RecipeError:
    message = f"is a recipe — expected a study — to train it: zoo train {quote(named)}"
    return RecipeError(named, [Problem("", message)], "study")


def _checked(name: str, tree: dict[str, Any], problems: list[Problem]) -> Study:
    """Return the study in a tree. Raises: RecipeError with all its problems, those handed in included."""
    fields = [field for field in Study.model_fields if field != "name"]
    problems += [
        Problem(key, f"unknown key — expected one of: {', '.join([*fields, 'quick'])}{did_you_mean(key, fields)}")
        for key in tree
        if key not in Study.model_fields
    ]
    known = {key: value for key, value in tree.items() if key in Study.model_fields and value is not None}
    study = None
    try:
        study = Study(**known)
    except ValidationError as error:
        found: dict[str, Problem] = {}
        for item in error.errors(include_url=False):
            place = [str(part) for part in item["loc"] if part not in (LIST, MAPPING, "[key]")]
            if not (item["type"] == "too_short" and item["input"]):  # its items are what is wrong
                section = {"tune": Tuning, "report": Report}.get(place[0], Range) if len(place) == 2 else Range
                text = error_sentence(item, known=list(section.model_fields), expected=_EXPECTED.get(item["type"]))
                found.setdefault(".".join(place), Problem(".".join(place), text))
        problems += found.values()
    problems += _problems_of_axes(known)
    if study is None or problems:
        raise RecipeError(name, problems, "study")
    return study


def _problems_of_axes(tree: dict[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each unknown axis or label in the report; read off the tree, which may have others."""
    vary, report = tree.get("vary") or {}, tree.get("report")
    if not isinstance(report, dict) or not isinstance(vary, list | dict):
        return
    labels: dict[str, list[str]] = {"variant": []}
    if isinstance(vary, dict):
        labels = {str(axis): _labels(values) for axis, values in vary.items()}
    sides: list[str] = []
    for field in ("rows", "columns", "baseline", "x", "families"):
        named = report.get(field)
        for axis in map(str, as_list(named) if isinstance(named, str | list | dict) else ()):
            if axis not in labels:
                message = f"{axis!r} is no axis — expected: {', '.join(labels) or 'none'}{did_you_mean(axis, labels)}"
                yield Problem(f"report.{field}", message)
            elif field in ("rows", "columns"):
                if axis in sides:
                    yield Problem(f"report.{field}", f"{axis!r} is named twice — expected each axis once")
                sides.append(axis)
    for axis, value in report["baseline"].items() if isinstance(report.get("baseline"), dict) else ():
        if labels.get(axis) and label(value) not in labels[axis]:
            message = f"{label(value)!r} is no label — expected one of: {', '.join(labels[axis])}"
            yield Problem(f"report.baseline.{axis}", message + did_you_mean(label(value), labels[axis]))
    if report.get("rows") and report.get("columns"):
        for axis in labels:
            if axis not in sides and len(labels[axis]) > 1:
                yield Problem("report", f"{axis!r} is neither in rows nor in columns — expected it in one of them")


def _labels(axis: Any) -> list[str]:
    if isinstance(axis, dict):
        return [str(name) for name in axis]
    return [label(value) for value in axis] if isinstance(axis, list) else []
