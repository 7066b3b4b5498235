"""The constructor is the schema: which options an object takes, read from its signature.

Positional parameters without a default are what the builder supplies; every other parameter is an option.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import Strict

from zoo.recipe.fields import SplitNumber, Table

# Annotations that hold others.
_HOLDERS: tuple[Any, ...] = (list, tuple, dict, set, frozenset, Sequence, Mapping, Iterable)

REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Parameter:
    """One option: its type, its default (`REQUIRED` if it has none), and the table if it names a component.

    plain: where a component is one possibility beside plain values (`Positive | Literal["auto"] | …`), their type.
    """

    name: str
    annotation: Any
    default: Any
    table: str | None
    fixed: bool = False
    plain: Any = None


def options_of(target: Callable[..., Any]) -> dict[str, Parameter]:
    """The options of a registered object, in the order of its signature."""
    preset: Mapping[str, Any] = {}
    if isinstance(target, partial):
        preset, target = target.keywords, target.func
    found: dict[str, Parameter] = {}
    for parameter in inspect.signature(target, eval_str=True).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            continue
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.default is REQUIRED:
            continue
        annotation = Any if parameter.annotation is REQUIRED else parameter.annotation
        name = parameter.name
        found[name] = Parameter(
            name,
            annotation,
            preset.get(name, parameter.default),
            _table_of(annotation),
            fixed=name in preset,
            plain=_plain_of(annotation),
        )
    return found


def number_option(split: Callable[..., Any]) -> str | None:
    """The option of a split that is annotated as its `Number`; None if it has none."""
    return next((name for name, option in options_of(split).items() if _is_number(option.annotation)), None)


def _is_number(annotation: Any) -> bool:
    return any(isinstance(part, SplitNumber) or _is_number(part) for part in get_args(annotation))


def strict(annotation: Any) -> Any:
    """The annotation with its numbers and booleans taken as they are: none is read as the other, or out of a text."""
    origin: Any = get_origin(annotation)
    inner = get_args(annotation)
    if annotation in (bool, int, float):
        return Annotated[annotation, Strict()]
    if origin is Annotated:
        return Annotated[(strict(inner[0]), *inner[1:])]
    if origin in (Union, UnionType):
        return Union[tuple(map(strict, inner))]  # noqa: UP007 - made from a list
    if origin in _HOLDERS:
        return origin[tuple(each if each is Ellipsis else strict(each) for each in inner)]
    return annotation


def _table_of(annotation: Any) -> str | None:
    """The registry table that an annotation names, also inside `… | None`."""
    if get_origin(annotation) is Annotated:
        tables = [extra.name for extra in get_args(annotation)[1:] if isinstance(extra, Table)]
        return tables[0] if tables else None
    if get_origin(annotation) in (Union, UnionType):
        return next((table for table in map(_table_of, get_args(annotation)) if table), None)
    return None


def _plain_of(annotation: Any) -> Any:
    """The arms of a union that are neither a table's nor None, or None if there are none."""
    if get_origin(annotation) not in (Union, UnionType) or _table_of(annotation) is None:
        return None
    arms = [arm for arm in get_args(annotation) if arm is not type(None) and _table_of(arm) is None]
    return Union[tuple(arms)] if arms else None  # noqa: UP007 - made from a list
