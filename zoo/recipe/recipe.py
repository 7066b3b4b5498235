"""A recipe, once read and checked: frozen, complete, with every default filled in."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StrictFloat,
    StrictInt,
    WithJsonSchema,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticUndefined

from zoo.recipe.fields import Count, Duration, Few, Length, NonNegative, Positive, Table, WholeDuration
from zoo.untrusted import check_name


class Section(BaseModel):
    """Base of a recipe's parts: no unknown key is accepted, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Component(Section):
    """A name from a registry table with its options; options that are components themselves are nested."""

    name: str
    options: Mapping[str, Any] = Field(default_factory=dict)

    @model_serializer
    def plain(self) -> dict[str, Any]:
        """As written in a recipe: `{name: frobenius, c: 0.5}`."""
        return {"name": self.name, **{key: _plain(value) for key, value in self.options.items()}}


class Prepare(Section):
    """Changes of a data set's graph and features before training; the run records the outcome."""

    self_loops: Literal["add", "remove", "keep"] = Field(
        default="add", description="loops: one per node, none, or as shipped"
    )
    direction: Literal["both", "keep", "reverse"] = Field(
        default="both", description="both adds the reverse of every edge"
    )
    features: Literal["none", "row", "standardize"] = Field(
        default="none",
        description="row: each node's features sum to 1; standardize: each feature has mean 0, deviation 1",
    )
    edge_features: Literal["keep", "drop"] = Field(
        default="keep", description="keep: edges that have features stay as shipped; drop: they become plain edges"
    )


class Calibration(Section):
    """The search for `c: auto`, which brings μ(G) of the first block over that of the last into a band."""

    low: Positive = Field(default=0.5, description="lower end of the band for μ(G_1)/μ(G_L)")
    high: Positive = Field(default=1.5, description="upper end of the band")
    passes: Few = Field(default=1, description="backward passes averaged per trial, each with fresh dropout masks")

    @model_validator(mode="after")
    def _ordered(self) -> "Calibration":
        if not self.low < self.high:
            raise ValueError(f"expected low below high, got {self.low} and {self.high}")
        return self


class Probing(Section):
    """A probe or a set of probes, and when it is read."""

    component: Component
    every: Duration = Field(default=Length(1, "%"), description="how often; besides at the start and the last step")
    start: Duration | None = Field(default=None, description="not before this; unset: from the first step")
    stop: Duration | None = Field(default=None, description="not after this; unset: to the last step")
    precision: Literal["float32", "float64"] = Field(
        default="float32", description="what is reduced in; squares of gradients below 1e-23 are 0 in float32"
    )

    @model_serializer
    def plain(self) -> dict[str, Any]:
        """As written in a recipe: `{name: standard, every: 5 epochs}`."""
        schedule = {"every": self.every, "start": self.start, "stop": self.stop, "precision": self.precision}
        fields = type(self).model_fields
        kept = {key: _plain(item) for key, item in schedule.items() if key == "every" or item != fields[key].default}
        return {**self.component.plain(), **kept}


class Training(Section):
    """Length, precision and stopping of a training run."""

    duration: WholeDuration = Field(default=Length(400, "epochs"), description="the whole training")
    patience: Duration | None = Field(
        default=None,
        description="stop when validation has not improved for so long, and was measured again; null: train to the end",
    )
    evaluate: Duration = Field(default=Length(1, "epochs"), description="how often validation is measured")
    save: Duration | None = Field(
        default=None,
        description="how often the state to resume from is written; unset: every tenth of the training, and after ten "
        "minutes at the latest, but for no more than 2 % of the time",
    )
    precision: Literal["float32", "bf16"] = Field(
        default="float32", description="of steps; bf16: mixed precision by autocast. Scores are in full precision"
    )
    clip: Positive | None = Field(default=None, description="bound on the norm of all gradients together")
    memory: Literal["full", "checkpoint"] = Field(
        default="full",
        description="what is kept of the blocks for the backward pass: all, or √depth inputs",
    )

    @field_validator("memory", mode="before")
    @classmethod
    def _not_reversible(cls, memory: Any) -> Any:
        if memory == "reversible":  # until version 0.1.0
            raise ValueError("memory: checkpoint, which is exact, or model: rev-gnn, which keeps no features at all")
        return memory


_DEVICE = r"^(auto|cpu|cuda(:\d+)?)$"


def _device(name: str) -> str:
    if not re.match(_DEVICE, name):
        raise ValueError("expected auto, cpu, cuda or cuda:N")
    return name


Device = Annotated[str, AfterValidator(_device), WithJsonSchema({"type": "string", "pattern": _DEVICE})]


class Execution(Section):
    """Device, kernels and threads that compute a run; no part of its identity."""

    device: Device = Field(default="auto", description="auto, cpu, cuda, cuda:1")
    kernel: Literal["auto", "compiled", "triton", "dgl", "torch"] = Field(
        default="auto", description="who multiplies by the adjacency matrix"
    )
    cuda_graphs: Literal["auto", "always", "never"] = Field(
        default="auto", description="whether a GPU repeats the steps of a full-graph training by itself"
    )
    threads: Count | None = Field(
        default=None, description="CPU threads; unset: one for small graphs, else PyTorch's choice"
    )


class Figure(Section):
    """A mean over runs and its sample standard deviation; one run has none."""

    test: StrictFloat
    sd: NonNegative | None = None


class Measured(Figure):
    """Figures that a shipped recipe reached when it was last run, with the command that gives them.

    splits: their numbers, where they were fixed. without: the same runs with normalizer=none.
    """

    metric: str = "accuracy"
    seeds: Annotated[tuple[StrictInt, ...], Field(min_length=1)]
    splits: Annotated[tuple[StrictInt, ...], Field(min_length=1)] | None = None
    command: str
    note: str = ""
    without: Figure | None = None

    @model_validator(mode="after")
    def _spread(self) -> "Measured":
        alone = len(self.seeds) * len(self.splits or (None,)) == 1
        if alone and any(figure.sd is not None for figure in (self, self.without) if figure):
            raise ValueError("expected no sd, as one run has no spread")
        return self


Seed = Annotated[int, Field(strict=True, ge=0, lt=2**31)]


def _distinct(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) < len(seeds):  # the same run twice would make a spread look smaller than it is
        raise ValueError("expected each seed once")
    return seeds


def _folder(name: str) -> str:
    check_name(name)
    return name


class Recipe(Section):
    """A whole run, described. name: that of the folder which its runs lie in.

    A field of one or several components says by `Table` which registry table they are from.
    """

    name: Annotated[str, AfterValidator(_folder)]
    description: str = ""
    measured: Measured | None = None
    plugins: tuple[str, ...] = ()
    task: Annotated[Component, Table("tasks")] = Component(name="nodes")
    dataset: Annotated[Component, Table("datasets")]
    split: Annotated[Component, Table("splits")] = Component(name="default")
    prepare: Prepare = Prepare()
    model: Annotated[Component, Table("models")]
    normalizer: Annotated[tuple[Component, ...], Table("normalizers")] = (Component(name="none"),)
    regularizer: Annotated[tuple[Component, ...], Table("regularizers")] = (Component(name="none"),)
    initializer: Annotated[Component, Table("initializers")] = Component(name="default")
    embedding: Annotated[Component, Table("embeddings")] = Component(name="auto", options={"width": None})
    optimizer: Annotated[Component, Table("optimizers")] = Component(name="adam")
    schedule: Annotated[Component, Table("schedules")] = Component(name="constant")
    calibration: Calibration = Calibration()
    training: Training = Training()
    probes: tuple[Probing, ...] = (Probing(component=Component(name="quick")),)
    execution: Execution = Execution()
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(_distinct)] = (0,)

    _changes: tuple[str, ...] = PrivateAttr(default=())
    _resets: tuple[str, ...] = PrivateAttr(default=())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipe) and (self.name, self.plain()) == (other.name, other.plain())

    @property
    def changes(self) -> tuple[str, ...]:
        """The changes of the recipe that has its name, as typed: `dataset=wisconsin`, the last of each path."""
        return self._changes

    @property
    def resets(self) -> tuple[str, ...]:
        """A sentence for each change that it was loaded with, on what it set back though nobody asked for it."""
        return self._resets

    def with_history(self, changes: Iterable[str], resets: Iterable[str]) -> "Recipe":
        """Take note of changes, of which those count that make another run of it, and of resets; return the recipe."""
        by_path = {change.partition("=")[0].removeprefix("~"): change for change in changes}
        self._changes = tuple(change for path, change in by_path.items() if not is_below(path, NO_RESULT))
        self._resets = tuple(resets)
        return self

    def plain(self) -> dict[str, Any]:
        """Return the recipe as plain values that read back to itself."""
        values = self.model_dump(exclude={"name", "measured"})
        for field in (*LISTS, "probes"):
            several = values[field]
            values[field] = several[0] if len(several) == 1 else list(several) or "none"
        return values | {"plugins": list(self.plugins), "seeds": list(self.seeds)}

    def identity(self, code: Sequence[str] = ()) -> str:
        """Return twelve hex digits that change when, and only when, something changes that can change the result.

        code: what names the code that runs it (the zoo's version, plug-ins' digests). Left out: name, description,
        measured figures, seeds (each has its folder), device, kernel, threads, how often state is saved, checkpointing,
        probes; and at their defaults fields and options that came after runs had been made, which keep their identity.
        """
        values = self.plain()
        defaults = Recipe(name="x", dataset=self.dataset, model=self.model).plain()
        for key in list(values):
            if key in NO_RESULT or (key not in _FIRST and values[key] == defaults[key]):
                del values[key]
        for key in ("save", "memory"):
            values["training"].pop(key)
        for path, default in _LATER_OPTIONS.items():
            *above, last = path.split(".")
            place = reduce(lambda found, key: found.get(key) or {}, above, values)
            if last in place and place[last] == default:
                del place[last]
        values["code"] = sorted(code)
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]

    def components(self) -> Iterator[tuple[str, str, Component]]:
        """Yield every top-level component: (path, table, component)."""
        values = dict(self)
        for field, table in COMPONENTS.items():
            yield field, table, values[field]
        for field, table in LISTS.items():
            several: tuple[Component, ...] = values[field]
            for index, component in enumerate(several):
                yield f"{field}.{index}" if len(several) > 1 else field, table, component


def _tables(kind: Any) -> dict[str, str]:
    """Return the fields of that type, each with the table that it is marked with."""
    fields = ((name, field) for name, field in Recipe.model_fields.items() if field.annotation == kind)
    return {name: mark.name for name, field in fields for mark in field.metadata if isinstance(mark, Table)}


# The table that each field of one component, or of one or a list of them, is looked up in; the names of defaults.
COMPONENTS = _tables(Component)
LISTS = _tables(tuple[Component, ...])
DEFAULTS: dict[str, str] = {
    name: default.name if isinstance(default, Component) else default[0].name
    for name in (*COMPONENTS, *LISTS)
    if (default := Recipe.model_fields[name].default) is not PydanticUndefined
}
# Fields that change no result, and so make no run another one.
NO_RESULT = ("name", "description", "measured", "plugins", "probes", "seeds", "execution", "training.save")
# Fields that every identity holds; options, by path, that no identity holds at these values.
_FIRST_COMPONENTS = ("task", "dataset", "split", "model", "normalizer", "optimizer", "schedule")
_FIRST = (*_FIRST_COMPONENTS, "prepare", "calibration", "training")
_LATER_OPTIONS: dict[str, Any] = {
    "prepare.edge_features": "keep",
    "task.sampler": {"name": "full"},
    "task.inference": "whole",
    "task.chunk": 65536,
    "model.share_weights": False,
    "model.conv.attention_norm": "none",
}


def is_below(path: str, fields: Sequence[str]) -> bool:
    """Return true for a dotted path that is one of the fields or below one."""
    return any(path == field or path.startswith(f"{field}.") for field in fields)


def _plain(value: Any) -> Any:
    if isinstance(value, Component):
        return value.plain()
    if isinstance(value, Length):
        return str(value)
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
