"""The vocabulary of options: annotated types that a constructor's keyword-only parameters use.

A parameter annotated with one of the table types (`Conv`, `Residual`, …) is written in a recipe as a name from that
table, or as `{name: …, option: …}`; the constructor receives a factory with those options already applied.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

Unit = Literal["epochs", "steps", "%"]
_WRITTEN = re.compile(r"\s*(\d{1,15}(?:\.\d{1,40})?)\s*(epochs?|steps?|%)?\s*", re.ASCII)
LONGEST = 1e12  # epochs or steps, far from where numbers lose their ends


@dataclass(frozen=True)
class Length:
    """`10 epochs`, `200 steps` or `5%`."""

    amount: float
    unit: Unit

    def __str__(self) -> str:
        amount = repr(int(self.amount)) if float(self.amount).is_integer() else _positional(self.amount)
        return f"{amount}%" if self.unit == "%" else f"{amount} {self.unit}"

    def steps(self, steps_per_epoch: int, total: int | None = None) -> int:
        """Return the number of optimiser steps, at least 1; `total` is what a share is taken of."""
        if self.unit == "%" and total is None:
            raise ValueError("a share of the training needs its total length")
        factor = {"steps": 1, "epochs": steps_per_epoch, "%": (total or 0) / 100}[self.unit]
        return max(1, round(self.amount * factor))


def _parse(value: Any) -> Length:
    if isinstance(value, Length):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("expected a duration such as '10 epochs', '200 steps' or '5%'")
    if not isinstance(value, str):
        value = _positional(value) if 0 < value <= LONGEST else ""  # NaN is neither
    match = _WRITTEN.fullmatch(value)
    if not match or not 0 < float(match[1]) <= LONGEST:
        raise ValueError("expected a duration above 0 such as '10 epochs', '200 steps' or '5%', below 10¹² of them")
    word = match[2] or "epochs"
    if word == "%" and float(match[1]) > 100:
        raise ValueError("expected at most 100%, the whole of the training")
    unit: Unit = "%" if word == "%" else "steps" if word.startswith("step") else "epochs"
    return Length(float(match[1]), unit)


def _positional(value: float) -> str:
    """Return all digits that tell the number from its neighbours, and no exponent, which would not be read."""
    return f"{Decimal(repr(float(value))):f}"


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


@dataclass(frozen=True)
class Table:
    """Marks an annotation as a name from a registry table."""

    name: str


@dataclass(frozen=True)
class SplitNumber:
    """Marks the option of a split that chooses one of several: what a study's `splits` sets, and runs are paired by."""


Factory = Callable[..., Any]

Conv = Annotated[Factory, Table("convs")]
Residual = Annotated[Factory, Table("residuals")]
Activation = Annotated[Factory, Table("activations")]
EdgeEmbedding = Annotated[Factory, Table("edge_embeddings")]
Pooling = Annotated[Factory, Table("poolings")]
Metric = Annotated[Factory, Table("metrics")]
Sampler = Annotated[Factory, Table("samplers")]
Decoder = Annotated[Factory, Table("decoders")]

# Strict, as all numbers of recipes: a boolean is none, and neither is a text.
Depth = Annotated[int, Field(strict=True, ge=1, le=1024)]
Count = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
Few = Annotated[int, Field(strict=True, ge=1, le=1000)]  # of what is made or done one after the other
Index = Annotated[int, Field(strict=True, ge=0)]
Number = Annotated[int, Field(strict=True, ge=0), SplitNumber()]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Probability = Annotated[float, Field(strict=True, ge=0, lt=1)]
Fraction = Annotated[float, Field(strict=True, gt=0, lt=1)]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]

Mode = Literal["reparametrize", "project"]
# The bound of a normaliser: a number, "auto", or a controller that moves it, by name or as {name: options}.
Scale = Positive | Literal["auto"] | Annotated[Factory, Table("controllers")]
