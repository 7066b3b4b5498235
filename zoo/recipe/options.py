"""The constructor is the schema: the options that an object takes, read from its signature.

Positional parameters without a default are what the builder supplies; every other parameter is an option.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import Strict

from zoo.recipe.fields import SplitNumber, Table

REQUIRED = inspect.Parameter.empty
_UNIONS: tuple[Any, ...] = (Union, UnionType)
_HOLDERS: tuple[Any, ...] = (list, tuple, dict, set, frozenset, Sequence, Mapping, Iterable)


@dataclass(frozen=True)
class Parameter:
    """One option: its type, its default (`REQUIRED` if it has none), and the table if it names a component.

    fixed: by the name of a preset. plain: where a component is one possibility beside plain values
    (`Positive | Literal["auto"] | …`), their type.
    """

    name: str
    annotation: Any
    default: Any
    table: str | None
    fixed: bool = False
    plain: Any = None


def options_of(target: Callable[..., Any]) -> dict[str, Parameter]:
    """Return the options of a registered object, in the order of its signature."""
    preset: Mapping[str, Any] = {}
    if isinstance(target, partial):
        preset, target = target.keywords, target.func
    found: dict[str, Parameter] = {}
    for name, parameter in inspect.signature(target, eval_str=True).parameters.items():
        is_supplied = parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.default is REQUIRED
        if is_supplied or parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            continue
        annotation = Any if parameter.annotation is REQUIRED else parameter.annotation
        default = preset.get(name, parameter.default)
        table = next((mark.name for mark in _marks(annotation) if isinstance(mark, Table)), None)
        found[name] = Parameter(name, annotation, default, table, name in preset, _plain_of(annotation))
    return found


def number_option(split: Callable[..., Any]) -> str | None:
    """Return the option of a split that is annotated as its `Number`; None if it has none."""
    options = options_of(split).values()
    return next(
        (each.name for each in options if any(isinstance(m, SplitNumber) for m in _marks(each.annotation))), None
    )


def strict(annotation: Any) -> Any:
    """Return the annotation with its numbers and booleans taken as they are: none is read out of another or a text."""
    origin: Any = get_origin(annotation)
    inner = get_args(annotation)
    if annotation in (bool, int, float):
        return Annotated[annotation, Strict()]
    if origin is Annotated:
        return Annotated[(strict(inner[0]), *inner[1:])]
    if origin in _UNIONS:
        return Union[tuple(map(strict, inner))]  # noqa: UP007 - made from a list
    if origin in _HOLDERS:
        return origin[tuple(each if each is Ellipsis else strict(each) for each in inner)]
    return annotation


def _marks(annotation: Any) -> Iterator[Any]:
    """Yield what `Annotated` adds to a type, also inside `… | None`."""
    if get_origin(annotation) is Annotated:
        yield from get_args(annotation)[1:]
    elif get_origin(annotation) in _UNIONS:
        for arm in get_args(annotation):
            yield from _marks(arm)


def _plain_of(annotation: Any) -> Any:
    """Return the arms of a union that are neither a table's nor None, or None if there are none."""
    if get_origin(annotation) not in _UNIONS:
        return None
    arms = [arm for arm in get_args(annotation) if arm is not NoneType]
    plain = [arm for arm in arms if not any(isinstance(mark, Table) for mark in _marks(arm))]
    return Union[tuple(plain)] if 0 < len(plain) < len(arms) else None  # noqa: UP007 - made from a list
