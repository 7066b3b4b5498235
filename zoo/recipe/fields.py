"""The vocabulary of options: annotated types that a constructor's keyword-only parameters use.

A parameter annotated with one of the table types (`Conv`, `Residual`, …) is written in a recipe as a name from that
table, or as `{name: …, option: …}`; the constructor receives a factory with those options already applied.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field


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
