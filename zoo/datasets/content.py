"""Digests of what a data set or a split holds: equal where, and only where, every number in it is equal."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from torch import Tensor

from zoo.datasets.base import Official

_SIZE = 16  # bytes
_NOT_CONTENT = ("name", "facts", "published")


def parts_of(data: Any) -> dict[str, str]:
    """A digest of each tensor of a data set, or of a split, by its name: `src`, `masks.public.train`, `links.test` …"""
    return {name: digest_of_tensor(value) for name, value in _flat(data) if isinstance(value, Tensor)}


def digest_of(data: Any) -> str:
    """One digest of all that a data set (or a split) holds, except for its name and the facts of its origin.

    Numbers count with their kind and shape; the number of classes, the metric and what else is no tensor, as text.
    """
    plain = {name: value for name, value in _flat(data) if not isinstance(value, Tensor)}
    text = json.dumps([parts_of(data), plain], sort_keys=True, default=str)
    return _hex(text.encode())


def _flat(data: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    for field in fields(data):
        value, name = getattr(data, field.name), above + field.name
        if field.name in _NOT_CONTENT or value is None:
            continue
        if field.name == "masks":
            for kind, masks in value.items():
                yield from _flat(masks, f"{name}.{kind}.")
        elif isinstance(value, Official):
            yield name, [value.metric, value.higher_is_better, value.by]
        elif field.name == "links":
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def digest_of_tensor(values: Tensor) -> str:
    """A digest of a tensor's numbers, their kind and their shape."""
    array = values.detach().cpu().contiguous()
    head = f"{str(array.dtype).removeprefix('torch.')} {list(array.shape)}\n".encode()
    return _hex(head, array.numpy().reshape(-1).view("uint8"))


def _hex(*pieces: Any) -> str:
    made = hashlib.blake2b(digest_size=_SIZE)
    for piece in pieces:
        made.update(piece)
    return f"blake2b:{made.hexdigest()}"
