"""Whose code it is: from a place in a module to the registry entry that it belongs to."""

import inspect
from pathlib import Path
from typing import Any

from registry.core import Entry
from registry.tables import TABLES


def owner_of(module: str, qualname: str) -> Entry | None:
    """The entry whose target is the object of that name in the module, or holds it, as a class holds its methods."""
    found: Entry | None = None
    for table in TABLES.values():
        for entry in table.entries():
            inside = entry.module == module and f"{qualname}.".startswith(f"{entry.attribute}.")
            if inside and (found is None or len(entry.attribute) > len(found.attribute)):
                found = entry
    return found


def described(component: Any, role: str) -> str:
    """A component by its name and place, `normalizer row-of-means (mine.py:12)`; of the zoo's own, without place.

    role: what it is there as. An object that stands in no table is called by its class.
    """
    function = getattr(component, "func", component)  # of a partial
    kinds = inspect.getmro(function if isinstance(function, type) else type(function))
    named = [function] if inspect.isroutine(function) else list(kinds)
    for kind in named:
        entry = owner_of(kind.__module__, kind.__qualname__)
        if entry and entry.source != "built-in":
            return f"{role} {entry.name} ({place_of(kind)})"
        if entry and kind is named[0]:
            return f"{role} {entry.name}"
    return f"{role} {named[0].__qualname__} ({place_of(named[0])})"


def place_of(code: Any) -> str:
    """Where a class or function is written, `mine.py:12`; its module where no file can be told."""
    try:
        return f"{short(str(inspect.getsourcefile(code)))}:{inspect.getsourcelines(code)[1]}"
    except (OSError, TypeError):  # of a class that a call of `type` made, its first method
        kinds = inspect.getmro(code) if isinstance(code, type) else ()
        methods = (method for kind in kinds for method in vars(kind).values() if inspect.isfunction(method))
        if (method := next(methods, None)) is not None:
            return f"{short(method.__code__.co_filename)}:{method.__code__.co_firstlineno}"
        return str(getattr(code, "__module__", "?"))


def short(file: str) -> str:
    """A path from the working directory, where it lies below it."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
