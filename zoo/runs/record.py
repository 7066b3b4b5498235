"""The record of a run: one frozen dataclass, kept as result.json and environment.json in the run's folder."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from zoo.errors import RecipeError, RunError
from zoo.probes.diagnosis import Diagnosis, NonFinite
from zoo.recipe import yaml_text
from zoo.recipe.values import error_sentence, short_repr
from zoo.runs.jsonl import parse_json, write_json
from zoo.runs.record_v0 import upgraded
from zoo.system.choice import Choice

RESULT, ENVIRONMENT, RECIPE = "result.json", "environment.json", "recipe.yaml"
SCHEMA_VERSION = 1  # of both files; those of version 0.1.0 have none

Status = Literal["finished", "stopped early", "non-finite"]
Figure = Annotated[float, Field(allow_inf_nan=False)] | None  # null stands for what is not finite
Count = Annotated[int, Field(ge=0, lt=2**63)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Range = tuple[Figure, Figure]


@dataclass(frozen=True)
class SplitId:
    """The family of splits that a run's split is one of, and its number among them.

    family: in words, the same for all splits that differ in their number alone. number: None where there is one split.
    fixed: whether the recipe chose the number, not the run's seed. option: the recipe's option that would choose it.
    """

    family: str
    number: int | None = None
    fixed: bool = False
    option: str | None = None


@dataclass(frozen=True)
class GradientSimilarity:
    """μ(G) at the first and at the last block, and the one over the other; null where it is not finite."""

    first_block: Figure
    last_block: Figure
    ratio: Figure = None
    when: str = "at initialisation"


@dataclass(frozen=True)
class Environment:
    """The machine, the programs, the data and the automatic choices of a run: all that is known before its first step.

    zoo, commit, code: the zoo's version, git's commit of a checkout, a digest of its source files. versions: of
    packages, None where one is not installed. device: type, cpu, instructions, cuda; of a GPU its name and libraries.
    variables: of the process that bear on figures. resets: what a change in the recipe set back. plan: how the network
    is executed, in words. data, split: facts of the data set and of the split, each with the digest of its content.
    """

    zoo: str = ""
    commit: str | None = None
    code: str | None = None
    versions: Mapping[str, str | None] = field(default_factory=dict)
    python: str = ""
    platform: str = ""
    device: Mapping[str, Any] = field(default_factory=dict)
    threads: Count = 0
    variables: Mapping[str, str] = field(default_factory=dict)
    processes: Count = 1
    resets: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    plan: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    split: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """All that is kept of a run besides its curves and its weights.

    recipe, changes: the name, and what was changed of it, as typed. metric_by: whose code computes the metric, "zoo" or
    the authors' of the data set; None in records of version 0.1.0. metric_range: its least and greatest value, None
    where there is none. val, test, train: the metric at the best validation, None where it is not finite. seconds: of
    training; seconds_with_setup: of all. together: the number of runs that were trained as one, in the same seconds.
    c: the normalisers' bound that was calibrated; c_range: the least and the greatest bound at the end. weights: the
    digest of the file of weights.
    """

    recipe: str
    identity: str
    seed: Count
    status: Status
    metric: str
    val: Figure
    test: Figure
    split: SplitId
    environment: Environment
    gradient_similarity: GradientSimilarity
    train: Figure = None
    changes: tuple[str, ...] = ()
    metric_by: str | None = None
    higher_is_better: bool = True
    metric_range: Range = (None, None)
    best_epoch: Count = 0
    epochs: Count = 0
    steps: Count = 0
    seconds: Seconds = 0.0
    seconds_with_setup: Seconds = 0.0
    together: Annotated[int, Field(ge=1, lt=2**63)] = 1
    cuda_graphs: str | None = None
    parameters: Count = 0
    diagnosis: Diagnosis | None = None
    c: Figure = None
    c_range: Range | None = None
    non_finite: NonFinite | None = None
    weights: str | None = None

    @property
    def scores(self) -> dict[str, float | None]:
        """The metric by part of the data."""
        return {"train": self.train, "val": self.val, "test": self.test}

    @property
    def data_digest(self) -> str | None:
        """The digest of the data set's content; None of a run from before it was noted."""
        return self.environment.data.get("digest")


def write_record(folder: Path, record: RunRecord | Environment) -> None:
    """Write the environment, before the first step, or what else there is to record, at the end.

    Sentences are written beside the numbers that they are made of, for people; they are not read back.
    """
    values = asdict(record)
    if isinstance(record, Environment):
        write_json(folder / ENVIRONMENT, {"schema_version": SCHEMA_VERSION, **values})
        return
    del values["environment"]
    if record.diagnosis:
        values["diagnosis"] = record.diagnosis.plain()
    if record.non_finite:
        values["non_finite"]["sentence"] = str(record.non_finite)
    write_json(folder / RESULT, {"schema_version": SCHEMA_VERSION, **values})


def read_record(folder: Path) -> RunRecord:
    """The record in the folder of a finished run, of this or of version 0.1.0.

    Raises: RunError, which names the file and the key, if it is not what a run writes.
    """
    result, environment = (read_json(folder / name) for name in (RESULT, ENVIRONMENT))
    if "schema_version" not in result:
        result = upgraded(result, environment, read_recipe(folder))
    try:
        return _adapter().validate_json(json.dumps({**result, "environment": environment}), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name, *place = first["loc"]
        file, key = (ENVIRONMENT, place) if name == "environment" else (RESULT, [name, *place])
        where = f"{folder / file} — {short_repr('.'.join(map(str, key)))}"
        raise RunError(f"{where}: {error_sentence(first)}, as the run wrote it") from error


def read_json(file: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises: RunError."""
    try:
        value = parse_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{file} — cannot be read: {error} — expected the JSON that the run wrote") from error
    if not isinstance(value, dict):
        raise RunError(f"{file} — not a JSON object — expected what the run wrote")
    return value


def read_recipe(folder: Path) -> dict[str, Any]:
    """The recipe in a run's folder, as a tree. Raises: RunError."""
    try:
        return yaml_text.read(folder / RECIPE)
    except RecipeError as error:
        raise RunError(f"{error} — expected the recipe that the run wrote") from error


@cache
def _adapter() -> TypeAdapter[RunRecord]:
    return TypeAdapter(RunRecord)
