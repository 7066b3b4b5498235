"""Reading `.npz` files, never with pickle."""

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.datasets.base import Masks
from zoo.datasets.store import Content
from zoo.untrusted import check_npz

_DAMAGED = (ValueError, OSError, EOFError, AttributeError, RuntimeError, zipfile.BadZipFile, zlib.error)


class Archive(Mapping[str, NDArray]):
    """The arrays of an `.npz` file by name. Pickled entries are refused, unless they are never asked for.

    Raises: DataBroken if the file is no such archive, unpacks to far more than it has, or an array in it is missing,
    damaged, pickled, or claims more than is there.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        try:
            with zipfile.ZipFile(io.BytesIO(content.data)) as archive:
                check_npz(archive, len(content.data))
            self._arrays = np.load(io.BytesIO(content.data), allow_pickle=False)
            self._names = list(self._arrays.files)
        except _DAMAGED as error:
            raise content.broken(error) from error

    def __getitem__(self, name: str) -> NDArray:
        if name not in self._names:
            raise self._content.broken(f"no array {name!r} in it, only {', '.join(self._names)}")
        try:
            return self._arrays[name]
        except _DAMAGED as error:
            raise self._content.broken(f"array {name!r}: {error}") from error

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def stacked_masks(contents: list[Content]) -> Masks:
    """The splits that Geom-GCN ships, one file each with `train_mask`, `val_mask`, `test_mask` of shape [nodes]."""
    archives = [Archive(content) for content in contents]
    train, val, test = (
        torch.from_numpy(np.stack([archive[f"{part}_mask"].astype(bool) for archive in archives]))
        for part in ("train", "val", "test")
    )
    return Masks(train, val, test)
