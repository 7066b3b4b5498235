"""Plain values as people write and read them: one or a list of them, dotted paths, short forms for messages."""

import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, TypeVar, cast

from registry.name_errors import did_you_mean

T = TypeVar("T")

_SHORT = reprlib.Repr()
_SHORT.maxlevel = 4
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxset = _SHORT.maxdict = 8
_SHORT.maxstring = _SHORT.maxother = 120
_SHORT.maxlong = 60


def short_repr(value: Any) -> str:
    """Return the value as Python writes it, with dots for what is left out of a long or a deep one."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return f"a {type(value).__name__} of very many digits"


def error_sentence(
    item: Mapping[str, Any],
    *,
    known: Sequence[str] = (),
    arms: Sequence[Mapping[str, Any]] = (),
    expected: str | None = None,
) -> str:
    """Return what is wrong with a value, from an error of pydantic's: `'bot' is not valid — expected 'both'`.

    known: keys that may stand where an unknown one does. arms: the errors of all arms of a union at this place.
    expected: in place of pydantic's own words.
    """
    if item["type"] == "missing":
        return "missing — expected a value"
    if item["type"] == "extra_forbidden":
        return f"unknown key — expected one of: {', '.join(known)}{did_you_mean(str(item['loc'][-1]), known)}"
    if expected is None:
        expected = item["msg"].removeprefix("Value error, ").removeprefix("Input should be ").removeprefix("expected ")
    literals = [arm["ctx"]["expected"] for arm in (*arms, item) if arm["type"] == "literal_error"]
    words = [word.strip(" '") for word in literals[0].replace(" or ", ",").split(",")] if literals else []
    near = did_you_mean(item["input"], words) if isinstance(item["input"], str) else ""
    return f"{short_repr(item['input'])} is not valid — expected {expected}{near}"


def as_list(given: T | Iterable[T] | None) -> list[T]:
    """Return one value or several as a list: a text or a path is one value, None is none."""
    if given is None:
        return []
    if isinstance(given, Iterable) and not isinstance(given, str | bytes | PathLike):
        return list(given)
    return [cast(T, given)]


def flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted path and the text of every value in a tree; a component's name stands at its own path."""
    if isinstance(value, Mapping) and value:
        if path and "name" in value:
            yield path, str(value["name"])
        for key, item in value.items():
            if not path or key != "name":
                yield from flat(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        yield path, " + ".join(str(item.get("name")) if isinstance(item, Mapping) else str(item) for item in value)
        for index, item in enumerate(value):
            yield from flat(item, f"{path}.{index}")
    else:
        yield path, "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def in_words(component: Mapping[str, Any]) -> str:
    """Return a component as `block-model nodes=200 classes=3`."""
    options = {key: value for key, value in component.items() if key != "name"}
    words = [f"{path}={value}" for path, value in flat(options)] if options else []
    return " ".join([str(component["name"]), *words])
