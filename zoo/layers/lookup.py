"""Categories in several columns, made float: the sum of a learned row for each column."""

from collections.abc import Iterator, Sequence
from functools import reduce

import torch
from torch import Tensor

from zoo.errors import BuildError

# A table of all combinations of some columns costs about as much as it has rows; looked up by so many times as many.
_SHARE = 4


def look_up(tables: Sequence[Tensor], x: Tensor, where: str) -> Tensor:
    """Σ_k tables[k][x_k]: [n, width], for x int64 [n, columns] and tables [categories of column k, width].

    Columns whose combinations are few beside n are looked up at once, in the table of the combinations' sums: the bonds
    of a batch of molecules are 60 at most. where: begins the error.
    Raises: BuildError if x is not int64 [n, len(tables)]; on the CPU also for a category that no table has.
    """
    counts = [len(table) for table in tables]
    if x.dtype != torch.int64 or x.dim() != 2 or x.shape[1] != len(tables):
        raise BuildError(f"{where} — got {x.dtype} {list(x.shape)} — expected int64 [·, {len(tables)}], categories")
    if x.device.type == "cpu" and bool(((x < 0) | (x >= torch.tensor(counts))).any()):  # elsewhere it would wait
        row, column = (int(place) for place in ((x < 0) | (x >= torch.tensor(counts))).nonzero()[0])
        raise BuildError(
            f"{where} — column {column} has a category {int(x[row, column])} — expected 0 … {counts[column] - 1}"
        )
    parts = (
        _combined(tables[some]).index_select(0, _numbered(x[:, some], counts[some]))
        for some in _groups(counts, max(len(x) // _SHARE, 1))
    )
    return reduce(torch.add, parts)


def _groups(counts: Sequence[int], largest: int) -> Iterator[slice]:
    """Neighbouring columns that have at most `largest` combinations, as many together as go; every column once."""
    start, product = 0, 1
    for column, count in enumerate(counts):
        if column > start and product * count > largest:
            yield slice(start, column)
            start, product = column, 1
        product *= count
    yield slice(start, len(counts))


def _combined(tables: Sequence[Tensor]) -> Tensor:
    """The sums of a row of each table, [product of their lengths, width], the last table's rows changing fastest."""
    return reduce(lambda left, right: (left[:, None] + right).flatten(0, 1), tables)


def _numbered(x: Tensor, counts: Sequence[int]) -> Tensor:
    """The row of `_combined` for each row of x [n, columns]."""
    number = x[:, 0]
    for column, count in enumerate(counts[1:], start=1):
        number = number * count + x[:, column]
    return number
