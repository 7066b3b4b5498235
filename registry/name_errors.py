"""Errors about names, and the nearest right spelling.

RegistryError
├── UnknownName     nothing of that name in the table
├── DuplicateName   the name is taken by something else
├── BrokenEntry     the name is known, but its target cannot be imported
└── PluginError     a plug-in file cannot be run, or brings nothing

Each message reads: where — what is wrong — what was expected — the nearest right thing.
"""

import difflib
from collections.abc import Iterable


class RegistryError(Exception):
    """Base of every error about names: a mistake of the user, not of the program."""


class UnknownName(RegistryError):
    """The table has no entry of this name."""

    def __init__(self, table: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        self.advice = f"expected one of: {', '.join(known) or 'none'}{did_you_mean(name, known)}"
        super().__init__(f"{table} — unknown name {name!r} — {self.advice}")


class DuplicateName(RegistryError):
    """The name already means something else in this table."""

    def __init__(self, table: str, name: str, first: str, second: str) -> None:
        super().__init__(
            f"{table} — the name {name!r} is taken twice — expected one target, found {first} and {second} — "
            "give the newer one another name"
        )


class BrokenEntry(RegistryError):
    """The entry's target cannot be imported."""

    def __init__(self, table: str, name: str, target: str, source: str, reason: str) -> None:
        super().__init__(
            f"{table}.{name} — {target} ({source}) cannot be loaded: {reason} — expected an importable 'module:object'"
        )


class PluginError(RegistryError):
    """A plug-in file is missing, fails when run, or registers nothing."""

    def __init__(self, path: str, reason: str, expected: str) -> None:
        super().__init__(f"plug-in {path} — {reason} — expected {expected}")


_LONGEST = 100  # characters of a word that could be a misspelt name; the search takes their square


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The entry of `known` that is spelled most like `word`, in capitals or not, if any is close."""
    if len(word) > _LONGEST:
        return None
    alike = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(word.lower(), alike, n=1, cutoff=0.65)
    return alike[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The closing words of an error about `word`: the nearest right spelling, or nothing."""
    match = nearest(word, known)
    return f" — did you mean {match!r}?" if match else ""
