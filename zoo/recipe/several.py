"""One or several, where people write either."""

from collections.abc import Iterable
from os import PathLike
from typing import TypeVar

T = TypeVar("T")


def several(given: T | Iterable[T] | None) -> list[T]:
    """What was given, as a list: a text, a path or a number is one of its kind, and None is none."""
    if given is None:
        return []
    if isinstance(given, Iterable) and not isinstance(given, str | bytes | PathLike):
        return list(given)
    return [given]  # pyright: ignore[reportReturnType]
