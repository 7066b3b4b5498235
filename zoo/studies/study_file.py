"""From a name or a path to a checked `Study`."""

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
from zoo.recipe.values import as_list, short_repr
from zoo.studies.grid import label
from zoo.studies.study_schema import LIST, MAPPING, Range, Report, Study, Tuning

_MAPPING = "a mapping"
_EXPECTED = {"too_short": "at least one", "tuple_type": "a list"} | dict.fromkeys(
    ("dict_type", "mapping_type", "model_type", "model_attributes_type"), _MAPPING
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
            said = "this study has no quick form — expected a mapping of what it changes"
            raise RecipeError(str(study), [Problem("quick", said)], "study")
        tree = {
            **overrides.merge(tree, short),
            **{key: short[key] for key in ("vary", "seeds", "splits") if key in short},
        }
    problems = _changed(tree, changes or {})
    tree["name"] = f"{file.stem}-quick" if quick else file.stem
    _name_wholly(file, tree)
    if isinstance(tree.get("plugins"), list):
        files = allowed_plugins(
            map(Path, tree["plugins"]), plugins, allow=allow_plugins, recipe=str(study), what="study"
        )
        tree["plugins"] = list(map(str, files))
    elif plugins and tree.get("plugins") is None:
        tree["plugins"] = list(map(str, as_list(plugins)))
    return _checked(str(study), tree, problems)


def portable_text(study: str | Path) -> str:
    """The text of a study for a file in any folder: as it stands, or with whole paths where it names files beside it.

    Raises: RecipeError if there is no such study, or it is no YAML.
    """
    file = _find(str(study))
    tree = yaml_text.read(file)
    moved = deepcopy(tree)
    for part in (moved, moved.get("quick")):
        if isinstance(part, dict):
            _name_wholly(file, part)
    return file.read_text(encoding="utf-8") if moved == tree else yaml_text.write(moved)


def _name_wholly(file: Path, tree: dict[str, Any]) -> None:
    """Put the paths of what lies beside the study's file in place of names that are relative to it."""
    for place in (tree, *_alternatives(tree.get("vary"))):
        if "base" in place:
            place["base"] = _beside(file, place["base"])
    if isinstance(tree.get("plugins"), list):
        tree["plugins"] = [str(recipe_files.relative(file, plugin)) for plugin in tree["plugins"]]


def _changed(tree: dict[str, Any], changes: dict[str, Any]) -> list[Problem]:
    """Put what was typed into the tree, after what stands there; what the study itself decides is a problem."""
    problems = []
    for path, value in changes.items():
        if path == "seeds":
            tree["seeds"] = value
            continue
        if isinstance(tree.get("vary"), dict) and path in tree["vary"]:
            said = "is an axis of the study, whose values count — expected a change of something else"
            problems.append(Problem(path, said))
        change = tree.get("change") or {}
        if isinstance(change, dict):  # else it is a problem of its own
            tree["change"] = {**overrides.without(change, [path]), path: value}
    return problems


def _alternatives(vary: Any) -> Iterator[dict[str, Any]]:
    """Those that name a recipe."""
    axes = vary.values() if isinstance(vary, dict) else [vary]
    for axis in axes:
        cells = axis.values() if isinstance(axis, dict) else axis if isinstance(vary, list) else ()
        yield from (cell for cell in cells if isinstance(cell, dict) and "base" in cell)


def _find(study: str) -> Path:
    file = recipe_files.find(study) if study.endswith((".yaml", ".yml")) else recipe_files.study(study)
    if file is None:
        if recipe_files.find(study):
            raise _a_recipe(study)
        near = did_you_mean(Path(study).stem, recipe_files.studies())
        said = f"no such study — expected a name from 'zoo list studies' or a .yaml file{near}"
        raise RecipeError(study, [Problem("", said)], "study")
    return file


def _a_recipe(named: str) -> RecipeError:
    said = f"is a recipe — expected a study — to train it: zoo train {quote(named)}"
    return RecipeError(named, [Problem("", said)], "study")


def _beside(file: Path, base: Any) -> Any:
    """A recipe given by its path lies relative to the study."""
    return str(recipe_files.relative(file, base)) if str(base).endswith(recipe_files.YAML) else base


def _checked(name: str, tree: dict[str, Any], problems: list[Problem]) -> Study:
    """The study in a tree. Raises: RecipeError with all its problems, those handed in included."""
    fields = [field for field in Study.model_fields if field != "name"]
    problems += [
        Problem(key, f"unknown key — expected one of: {', '.join([*fields, 'quick'])}{did_you_mean(key, fields)}")
        for key in tree
        if key not in Study.model_fields
    ]
    known = {key: value for key, value in tree.items() if key in Study.model_fields and value is not None}
    try:
        study = Study(**known)
    except ValidationError as error:
        found: dict[str, str] = {}
        for item in error.errors(include_url=False):
            place = ".".join(str(part) for part in item["loc"] if part not in (LIST, MAPPING, "[key]"))
            if not (item["type"] == "too_short" and item["input"]):  # its items are what is wrong
                found.setdefault(place, _sentence(item))
        problems += [Problem(place, said) for place, said in found.items()]
        raise RecipeError(name, [*problems, *_about_axes(known)], "study") from error
    problems += _about_axes(known)
    if problems:
        raise RecipeError(name, problems, "study")
    return study


def _sentence(item: Any) -> str:
    kind, place = item["type"], item["loc"]
    if kind == "missing":
        return "missing — expected a value"
    if kind == "extra_forbidden":
        section = {"tune": Tuning, "report": Report}[place[0]] if len(place) == 2 else Range
        known = list(section.model_fields)
        return f"unknown key — expected one of: {', '.join(known)}{did_you_mean(str(place[-1]), known)}"
    message = item["msg"].removeprefix("Value error, ").removeprefix("Input should be ").removeprefix("expected ")
    near = ""
    if kind == "literal_error":
        words = [word.strip(" '") for word in item["ctx"]["expected"].replace(" or ", ",").split(",")]
        near = did_you_mean(str(item["input"]), words)
    return f"{short_repr(item['input'])} is not valid — expected {_EXPECTED.get(kind, message)}{near}"


def _about_axes(tree: dict[str, Any]) -> Iterator[Problem]:
    """What the report says of axes and labels that there are not; read off the tree, whatever else is wrong in it."""
    vary, report = tree.get("vary") or {}, tree.get("report")
    if not isinstance(report, dict) or not isinstance(vary, list | dict):
        return
    labels: dict[str, list[str]] = {"variant": []}
    if isinstance(vary, dict):
        labels = {str(axis): _labels(values) for axis, values in vary.items()}
    axes: list[str] = list(labels)
    sides: list[str] = []
    for field in ("rows", "columns", "baseline", "x", "families"):
        for axis in _named(report.get(field)):
            if axis not in axes:
                said = f"{axis!r} is no axis — expected: {', '.join(axes) or 'none'}{did_you_mean(axis, axes)}"
                yield Problem(f"report.{field}", said)
            elif field in ("rows", "columns"):
                if axis in sides:
                    yield Problem(f"report.{field}", f"{axis!r} is named twice — expected each axis once")
                sides.append(axis)
    for axis, value in report["baseline"].items() if isinstance(report.get("baseline"), dict) else ():
        if labels.get(axis) and label(value) not in labels[axis]:
            said = f"{label(value)!r} is no label — expected one of: {', '.join(labels[axis])}"
            yield Problem(f"report.baseline.{axis}", said + did_you_mean(label(value), labels[axis]))
    if report.get("rows") and report.get("columns"):
        for axis in axes:
            if axis not in sides and len(labels[axis]) > 1:
                yield Problem("report", f"{axis!r} is neither in rows nor in columns — expected it in one of them")


def _named(axes: Any) -> list[str]:
    return [axes] if isinstance(axes, str) else [str(axis) for axis in axes] if isinstance(axes, list | dict) else []


def _labels(axis: Any) -> list[str]:
    if isinstance(axis, dict):
        return [str(name) for name in axis]
    return [label(value) for value in axis] if isinstance(axis, list) else []
