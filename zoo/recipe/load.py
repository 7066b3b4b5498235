"""From a name or a path, and what is typed after it, to a checked `Recipe`, with the plug-ins that may run."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from registry import load_plugin
from zoo.errors import Problem, RecipeError
from zoo.recipe import yaml_text
from zoo.recipe.check import check
from zoo.recipe.overrides import OWN, Change, apply_changes, parse_changes, resets, without
from zoo.recipe.recipe import Recipe
from zoo.recipe.recipe_files import read
from zoo.recipe.values import as_list, flat
from zoo.system.files import absolute
from zoo.untrusted import escape_controls

Plugins = Sequence[str | Path] | str | Path
Overrides = Mapping[str, Any] | Sequence[str] | str


def load(
    recipe: str | Path | Recipe,
    overrides: Overrides = (),
    plugins: Plugins = (),
    *,
    device: str | None = None,
    allow_plugins: bool = False,
) -> Recipe:
    """Read, extend, override, check.

    recipe: a shipped recipe's name, the path of a YAML file, or a `Recipe`. overrides: `["model.depth=128", "~clip"]`
    or `{"model.depth": 128}`; their order does not count, and what they set back besides is the recipe's `resets`.
    plugins: files to run first, before those that the recipe names. Of both, one may stand for a list of one.
    device: of `execution`. allow_plugins: run the plug-ins that the recipe, or an override, names. Otherwise only those
    are run that are among `plugins`, or that a `Recipe` has already, and any other is an error.
    Raises: RecipeError with every problem; RegistryError if a plug-in fails.
    """
    earlier = recipe if isinstance(recipe, Recipe) else None
    if earlier and not overrides and not plugins and not device:
        return earlier
    name, tree = (earlier.name, earlier.plain()) if earlier else read(str(recipe))
    changes, problems = _changes(name, overrides)
    if device:
        changes.append(Change("execution.device", device, f"execution.device={device}"))
    before = without(tree, OWN) if overrides or device else tree
    tree, not_there = apply_changes(before, changes)
    named = tree.get("plugins") or []
    files = allowed_plugins(
        map(str, named if isinstance(named, list) else [named]),
        plugins,
        known=earlier.plugins if earlier else (),
        allow=allow_plugins,
        recipe=name,
    )
    for file in files:
        load_plugin(file)
    if files:
        tree["plugins"] = [str(file) for file in files]
    checked = check(name, tree, [*problems, *not_there])
    typed = [text for change in changes for text in _as_typed(change)]
    lost = resets(before, changes, checked.plain())
    if earlier:
        typed, lost = [*earlier.changes, *typed], [*earlier.resets, *lost]
    return checked.with_history(typed, lost)


def allowed_plugins(
    named: Iterable[str | Path],
    given: Plugins,
    *,
    known: Iterable[str | Path] = (),
    allow: bool,
    recipe: str,
    what: str = "recipe",
) -> list[Path]:
    """Return the plug-in files to run, each once: those that the user gave, then those that a recipe names.

    named: by the recipe, its parents, its study or its run folder. given: by the user, which is consent to these files:
    one that the recipe names is the same if it lies at the same place or has the same bytes, and the user's is run in
    its stead. known: those that were consented to before. allow: consent to whatever the recipe names.
    Raises: RecipeError that names the files which nobody allowed.
    """
    files = list(dict.fromkeys(_own_path(file) for file in as_list(given)))
    digests = {digest for file in files if (digest := _digest(file))}
    others = [file for file in dict.fromkeys(map(_own_path, named)) if file not in files]
    others = [file for file in others if _digest(file) not in digests]
    allowed = set(others if allow else map(_own_path, known))
    if refused := [escape_controls(file) for file in others if file not in allowed]:
        expected = "--allow-plugins (allow_plugins=True) once you have read them, or --plugin FILE for each"
        message = f"it wants to run code of its own: {', '.join(refused)} — expected {expected}"
        raise RecipeError(recipe, [Problem("plugins", message)], what)
    return [*files, *others]


def _changes(name: str, overrides: Overrides) -> tuple[list[Change], list[Problem]]:
    """Return the changes and what is wrong with them; a path of too many words would be followed call inside call."""
    if isinstance(overrides, Mapping):
        asked = {path: value.item() if isinstance(value, np.generic) else value for path, value in overrides.items()}
    else:
        asked = as_list(overrides)
    for path in (word.partition("=")[0] for word in asked):
        if path.count(".") > yaml_text.DEPTH or len(path) > yaml_text.BYTES:
            message = f"a path of {path.count('.') + 1} words — expected at most {yaml_text.DEPTH}"
            raise RecipeError(name, [Problem(f"{path[:20]}…", message)])
    return parse_changes(asked)


def _as_typed(change: Change) -> list[str]:
    """Return a change as one would type it; of a mapping, that of each value in it."""
    if change.removes:
        return [f"~{change.path}"]
    return [f"{path}={value}" for path, value in flat(change.value, change.path)]


def _own_path(file: str | Path) -> Path:
    try:
        return absolute(file)
    except (OSError, ValueError, RuntimeError):  # links in a circle: refused as no file when it is run
        return Path(file)


def _digest(file: Path) -> str:
    """Return a digest of the content; empty if there is none to read, which running it will say."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
    except (OSError, ValueError):
        return ""
