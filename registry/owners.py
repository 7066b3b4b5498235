"""Owners of code: from a component, or a place in a module, to the registry entry that it belongs to."""

import inspect
from pathlib import Path
from typing import Any

from registry.catalog import TABLES
from registry.core import Entry, place_of


def owner_of(module: str, qualname: str) -> Entry | None:
    """Return the entry whose target is the object of that name in the module, or holds it, as a class its methods."""
    found = [
        entry
        for table in TABLES.values()
        for entry in table.entries()
        if entry.module == module and f"{qualname}.".startswith(f"{entry.attribute}.")
    ]
    return max(found, key=lambda entry: len(entry.attribute), default=None)


def described(component: Any, role: str) -> str:
    """Return a component's name and place, `normalizer row-of-means (mine.py:12)`; of the zoo's own, without place.

    role: what it is there as. An object that stands in no table is called by its class.
    """
    function = getattr(component, "func", component)  # of a partial
    kinds = inspect.getmro(function if isinstance(function, type) else type(function))
    named = [function] if inspect.isroutine(function) else list(kinds)
    for kind in named:
        entry = owner_of(kind.__module__, kind.__qualname__)
        if entry and entry.source != "built-in":
            return f"{role} {entry.name} ({short(place_of(kind))})"
        if entry and kind is named[0]:
            return f"{role} {entry.name}"
    return f"{role} {named[0].__qualname__} ({short(place_of(named[0]))})"


def short(file: str) -> str:
    """Return a path from the working directory, where it lies below it."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
