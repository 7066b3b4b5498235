"""Schema of a study: the recipes that it trains, their search, and its report."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    Tag,
    model_validator,
)

from zoo.recipe.fields import Count, Index
from zoo.recipe.recipe import Section, Seed

Changes = Mapping[str, Any]  # dotted recipe path → value, as typed on the command line

LIST, MAPPING = "(list)", "(mapping)"  # their names in the location of a pydantic error


def _kind(value: Any) -> str | None:
    return LIST if isinstance(value, list | tuple) else MAPPING if isinstance(value, Mapping | BaseModel) else None


def _one_of(expected: str) -> Discriminator:
    """Tell a list from a mapping, so that errors are only those of the kind that was meant."""
    return Discriminator(_kind, custom_error_type="neither", custom_error_message=f"Input should be {expected}")


class Range(Section):
    """Numbers between two ends, both included; whole numbers where both ends are."""

    low: StrictFloat | StrictInt
    high: StrictFloat | StrictInt
    log: StrictBool = Field(default=False, description="sampled uniformly in the logarithm")

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if not self.low < self.high:
            raise ValueError(f"expected low below high, got {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"expected low above 0 for log, got {self.low}")
        return self


Values = Annotated[tuple[Any, ...], Field(min_length=1)]
Space = Mapping[
    str,
    Annotated[
        Annotated[Range, Tag(MAPPING)] | Annotated[Values, Tag(LIST)], _one_of("a list of values, or {low, high, log}")
    ],
]


class Alternative(BaseModel):
    """Meaning of one label of an axis: recipe paths and their values.

    base: a recipe in place of the study's. space: adds to what is tuned.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    base: str | None = None
    space: Space = Field(default_factory=dict)

    @property
    def changes(self) -> Changes:
        """The recipe paths and their values."""
        return self.model_extra or {}


def _text(name: Any) -> Any:
    return str(name) if type(name) in (int, float) else name  # YAML's `2:` is a name here


def _own(axis: str) -> str:
    if axis in Alternative.model_fields:
        raise ValueError("expected a recipe path, or a name of your own with alternatives in which it stands")
    return axis


_Name = Annotated[str, BeforeValidator(_text)]
_Cell = Annotated[Alternative, BeforeValidator(lambda value: {} if value is None else value)]
Axis = Annotated[
    Annotated[Values, Tag(LIST)] | Annotated[Mapping[_Name, _Cell], Field(min_length=1), Tag(MAPPING)],
    _one_of("a list of values, or a mapping of named alternatives"),
]
Vary = Annotated[
    Annotated[Mapping[Annotated[str, AfterValidator(_own)], Axis], Tag(MAPPING)]
    | Annotated[tuple[_Cell, ...], Field(min_length=1), Tag(LIST)],
    _one_of("a mapping of axes, or a list of cells"),
]


def _distinct(numbers: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(numbers)) < len(numbers):
        raise ValueError("expected each number once")
    return numbers


Seeds = Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(_distinct)]
Splits = Annotated[tuple[Index, ...], Field(min_length=1), AfterValidator(_distinct)]


class Tuning(Section):
    """A search within every cell of the study: each gets the same number of trials, and validation alone decides."""

    space: Space = Field(default_factory=dict, description="recipe path → list of values, or {low, high, log}")
    method: Literal["tpe", "random", "grid"] = Field(default="tpe", description="how trials are chosen")
    trials: Annotated[int, Field(strict=True, ge=1, le=10_000)] = Field(
        default=8, description="per cell; grid tries all combinations, which may not be more"
    )
    round: Count = Field(default=4, description="trials chosen at a time, knowing the rounds before; tpe only")
    seeds: Seeds = Field(default=(0,), description="each trial is trained with these; their mean validation counts")
    splits: Splits | None = Field(default=None, description="likewise; unset: the first of the study's")


class Report(Section):
    """Layout of the table and the picture."""

    rows: tuple[str, ...] = Field(default=(), description="axes down the side of the table")
    columns: tuple[str, ...] = Field(default=(), description="axes across its top; unset: one row for each cell")
    baseline: Mapping[str, Any] = Field(default_factory=dict, description="axis → label that others are compared with")
    x: str | None = Field(default=None, description="the axis along the bottom of the picture; unset: a numeric one")
    predictors: tuple[str, ...] = Field(default=(), description="probed quantities to be held against the test figure")
    families: tuple[str, ...] = Field(
        default=(), description="axes that tell families of networks; predictors are counted within each as well"
    )
    predict_at: Literal["start", "best"] = Field(default="start", description="which reading of them counts")


class Study(Section):
    """A whole experiment, described.

    vary: axis → its values; the study is their grid. An axis with a list of values is a recipe path, e.g. `model.depth:
    [2, 64]`. An axis with a mapping has a name of its own and named alternatives, each a mapping of recipe paths to
    values: `method: {gcn: {model: gcn}, deep: {model.depth: 64}}`; in it `base` replaces the study's recipe and `space`
    adds to what is tuned. A list of such mappings in place of `vary`'s mapping gives cells without a grid, each with a
    `name` if it is to have one.
    """

    name: str
    description: str = ""
    base: str
    change: Changes = Field(default_factory=dict, description="changes to the recipe, in every cell")
    vary: Vary = Field(default_factory=dict)
    tune: Tuning | None = None
    seeds: Seeds = (0, 1, 2)
    splits: Splits | None = Field(default=None, description="numbers of the split; unset: as the recipe says")
    plugins: tuple[str, ...] = ()
    report: Report = Report()
