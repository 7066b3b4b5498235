"""Digests of files, and of the content of data sets and splits: equal only where every number is equal."""

import hashlib
import json
from collections.abc import Iterator, Sequence

from torch import Tensor

from zoo.datasets.base import AnySplit, Data, Masks, Official
from zoo.system.files import sha256

_SIZE = 16  # bytes
_NOT_CONTENT = ("name", "facts", "published", "digest", "verified", "absent", "why", "repeats")


def git_blob(content: bytes) -> str:
    """Return the id that git gives a file of this content, as `git:<40 hex digits>`."""
    return "git:" + hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def accepted(content: bytes, digests: Sequence[str]) -> bool:
    """Tell whether the content has one of these digests (`sha256:…`, `git:…`); an empty list accepts anything."""
    if not digests or sha256(content) in digests:
        return True
    return any(digest.startswith("git:") for digest in digests) and git_blob(content) in digests


def parts_of(data: Data | AnySplit) -> dict[str, str]:
    """Return a digest of each tensor of a data set, or of a split, by its name: `src`, `masks.public.train` …"""
    return {name: digest_of_tensor(value) for name, value in _flat(data) if isinstance(value, Tensor)}


def digest_of(data: Data | AnySplit) -> str:
    """Return one digest of a data set (or a split), except for its name and its provenance.

    Numbers count with their type and shape; the number of classes, the metric and what else is no tensor, as text.
    """
    plain = {name: value for name, value in _flat(data) if not isinstance(value, Tensor)}
    text = json.dumps([parts_of(data), plain], sort_keys=True, default=str)
    return _blake2b(text.encode())


def digest_of_tensor(values: Tensor) -> str:
    """Return a digest of a tensor's numbers, their type and their shape."""
    array = values.detach().cpu().contiguous()
    head = f"{str(array.dtype).removeprefix('torch.')} {list(array.shape)}\n".encode()
    return _blake2b(head, array.numpy().reshape(-1).view("uint8").data)


def _flat(data: Data | AnySplit | Masks, prefix: str = "") -> Iterator[tuple[str, object]]:
    for field, value in vars(data).items():
        name = prefix + field
        if field in _NOT_CONTENT or value is None:
            continue
        if field == "masks":
            for kind, masks in value.items():
                yield from _flat(masks, f"{name}.{kind}.")
        elif isinstance(value, Official):
            yield name, [value.metric, value.higher_is_better, value.by]
        elif field == "links":
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def _blake2b(*pieces: bytes | memoryview) -> str:
    made = hashlib.blake2b(digest_size=_SIZE)
    for piece in pieces:
        made.update(piece)
    return f"blake2b:{made.hexdigest()}"
