"""A length of training in the unit that suits: epochs, steps, or a share of the whole."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

Unit = Literal["epochs", "steps", "%"]
_WRITTEN = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(epochs?|steps?|%)?\s*$")


@dataclass(frozen=True)
class Length:
    """`10 epochs`, `200 steps` or `5%`."""

    amount: float
    unit: Unit

    def __str__(self) -> str:
        amount = repr(int(self.amount) if float(self.amount).is_integer() else self.amount)
        return f"{amount}%" if self.unit == "%" else f"{amount} {self.unit}"

    def steps(self, steps_per_epoch: int, total: int | None = None) -> int:
        """The number of optimiser steps, at least 1; `total` is what a share is taken of."""
        if self.unit == "steps":
            return max(1, round(self.amount))
        if self.unit == "epochs":
            return max(1, round(self.amount * steps_per_epoch))
        if total is None:
            raise ValueError("a share of the training needs its total length")
        return max(1, round(self.amount / 100 * total))


def _parse(value: Any) -> Length:
    if isinstance(value, Length):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("expected a duration such as '10 epochs', '200 steps' or '5%'")
    match = _WRITTEN.match(str(value))
    if not match or float(match[1]) <= 0:
        raise ValueError("expected a duration above 0 such as '10 epochs', '200 steps' or '5%'")
    word = match[2] or "epochs"
    unit: Unit = "%" if word == "%" else "steps" if word.startswith("step") else "epochs"
    return Length(float(match[1]), unit)


def _parse_whole(value: Any) -> Length:
    length = _parse(value)
    if length.unit == "%":
        raise ValueError("expected the whole length in epochs or steps, such as '400 epochs'")
    return length


_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "number"}, {"type": "string", "examples": ["10 epochs", "200 steps", "5%"]}]}
)
_TEXT = PlainSerializer(str, return_type=str)

Duration = Annotated[Length, BeforeValidator(_parse), _TEXT, _SCHEMA]
WholeDuration = Annotated[Length, BeforeValidator(_parse_whole), _TEXT, _SCHEMA]
