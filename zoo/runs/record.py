"""A run's JSON held against what a run writes, as it comes from a disk and through people's hands."""

import json
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, TypeAdapter, ValidationError

from zoo.recipe.shown import shown

_Number = Annotated[float, Field(strict=True, allow_inf_nan=False)] | None  # what is not finite is written as null
_Count = Annotated[int, Field(strict=True, ge=0, lt=2**63)]


class _Similarity(BaseModel):
    first_block: _Number
    last_block: _Number


class _NonFinite(BaseModel):
    block: StrictInt | None
    said: StrictStr


class _Diagnosis(BaseModel):
    said: StrictStr


class _Result(BaseModel):
    """What is read of result.json. Any of it may be missing, as there are versions that did not write it."""

    model_config = ConfigDict(extra="ignore")

    recipe: StrictStr = ""
    changes: list[StrictStr] = []
    identity: StrictStr = ""
    seed: _Count = 0
    status: StrictStr = ""
    metric: StrictStr = ""
    higher_is_better: StrictBool = True
    metric_range: Annotated[list[_Number], Field(min_length=2, max_length=2)] | None = None
    val: _Number = None
    test: _Number = None
    train: _Number = None
    best_epoch: _Count = 0
    seconds: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] = 0.0
    together: Annotated[int, Field(strict=True, ge=1, lt=2**63)] = 1
    gradient_similarity: _Similarity | None = None
    diagnosis: _Diagnosis | None = None
    c: _Number = None
    c_range: Annotated[list[_Number], Field(min_length=2, max_length=2)] | None = None
    non_finite: _NonFinite | None = None
    weights: StrictStr | None = None


_ROW = TypeAdapter(dict[str, _Number | StrictBool | list[_Number]])


def parse_json(text: str) -> Any:
    """The value of a JSON text. Raises: ValueError, also for what Python's parser lets pass: NaN, nesting too deep."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("lists or objects in each other, too deep to be read") from None


def check_result(value: Any) -> None:
    """Refuse a result of which a known key has a value of another kind. Raises: ValueError, which names the key."""
    try:
        _Result.model_validate(value)
    except ValidationError as error:
        raise ValueError(_said(error)) from None
    if "gradient_similarity" in value and value["gradient_similarity"] is None:
        raise ValueError("gradient_similarity is None, expected what was read of the untrained network")


def check_row(value: Any, *required: str) -> None:
    """Refuse a line that is no object of numbers, or of lists with one for each block.

    required: names of whole numbers. Raises: ValueError, which names the key.
    """
    try:
        _ROW.validate_python(value)
    except ValidationError as error:
        raise ValueError(_said(error, deep=1)) from None
    if not all(type(value.get(key)) is int and 0 <= value[key] < 2**63 for key in required):
        raise ValueError(f"a line is without {' or '.join(required)}")


def _said(error: ValidationError, deep: int | None = None) -> str:
    """The first thing that is wrong. deep: how much of its place lies in the value itself, and not in the type."""
    first = error.errors(include_url=False)[0]
    message = first["msg"].removeprefix("Input should be ")
    place = ".".join(str(part) for part in first["loc"][:deep])
    return f"{shown(place) if place else 'the whole'} is {shown(first['input'])}, expected {message}"


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")
