"""Identity of runs: the recipe and the user's code, which name the folder, and the data, which the record notes."""

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from registry import TABLES
from zoo import __version__
from zoo.builder import load_data
from zoo.datasets.sources import known_content, superseded_content
from zoo.errors import RunError
from zoo.own_code import own_code
from zoo.recipe.recipe import Recipe
from zoo.runs import folder
from zoo.runs.record import ENVIRONMENT, read_json

Digests = dict[str, str]  # of data, by data set, code and seed: kept by who asks for many runs at once


class OtherData(UserWarning):
    """A finished run is there, and is of other data than its data set holds now."""


def identity_of(recipe: Recipe) -> str:
    """Return the identity of a recipe with this version of the zoo and the user's own code; see `Recipe.identity`."""
    digests = [hashlib.sha256(Path(plugin).read_bytes()).hexdigest() for plugin in recipe.plugins]
    return recipe.identity([f"zoo {__version__}", *digests, *own_code(recipe)])


def is_current(path: Path, recipe: Recipe, seed: int, digests: Digests | None = None) -> bool:
    """Tell whether a folder holds a finished run that was trained on what the recipe's data set holds now.

    Where digests of the zoo's own source files do not tell, the data set is loaded. digests: of those loaded before, to
    which this one is added.
    Warns: OtherData, with the reason, of a finished run of other data. Raises: DataError as the data set does.
    """
    if not folder.is_finished(path):
        return False
    reason = _why_not(path, recipe, seed, {} if digests is None else digests)
    if reason:
        warnings.warn(f"run folder {path} — not counted as finished: {reason}", OtherData, stacklevel=3)
    return not reason


def is_of(path: Path, data: Any) -> bool:
    """Tell whether a folder holds a finished run that was trained on these data, which were just loaded."""
    return folder.is_finished(path) and recorded_data(path).get("digest") == data.digest


def recorded_data(path: Path) -> Mapping[str, Any]:
    """Return the facts of the data that a run was trained on; none where its record cannot be read."""
    try:
        found = read_json(path / ENVIRONMENT).get("data")
    except RunError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _why_not(path: Path, recipe: Recipe, seed: int, digests: Digests) -> str | None:
    recorded = recorded_data(path)
    files = found if isinstance(found := recorded.get("files"), Mapping) else {}
    for file, digest in files.items():
        if wrong := superseded_content(file, str(digest)):
            return f"of its file {file} it is known now that {wrong}"
    if TABLES["datasets"].find(recipe.dataset.name).source == "built-in":
        known = all(known_content(recipe.dataset.name, file, str(digest)) for file, digest in files.items())
        if known or "digest" not in recorded:  # before digests were noted, files were known ones or none
            return None
    elif "digest" not in recorded:
        return "it was trained before runs noted what their data held, and the data set is not one of the zoo's"
    return None if _digest_now(recipe, seed, digests) == recorded["digest"] else "its data set has changed since"


def _digest_now(recipe: Recipe, seed: int, digests: Digests) -> str:
    key = json.dumps([recipe.dataset.plain(), own_code(recipe), seed], sort_keys=True, default=str)
    if key not in digests:
        digests[key] = load_data(recipe, seed).digest
    return digests[key]
