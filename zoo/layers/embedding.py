"""Float features made of what a data set has of its nodes."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import BuildError
from zoo.recipe.fields import Count


@dataclass(frozen=True)
class Inputs:
    """Features of a node as a data set has them: `width` floats, or integers, column k of them in 0 … categories[k]−1.

    embedding: the name of the embedding that the integers are made for, or None.
    """

    width: int
    categories: tuple[int, ...] | None = None
    embedding: str | None = None


class Embedding(nn.Module, ABC):
    """Maps what a data set has of its nodes to float features [nodes, out_width].

    Built as `Embedding(inputs, width)`, `width` that of the network's blocks. reason: why it is this one.
    """

    reason: str = "asked for"

    def __init__(self, out_width: int) -> None:
        super().__init__()
        self.out_width = out_width

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """x: [nodes, columns], float or int64; the result is float [nodes, out_width]."""


class NoEmbedding(Embedding):
    """Leaves float features as they are. Raises: BuildError where the data set has integers."""

    same_in_training = True

    def __init__(self, inputs: Inputs, width: int) -> None:
        if inputs.categories is not None:
            raise BuildError(
                "embedding.none — the data set's features are categories — expected an embedding of them — "
                "embedding=category"
            )
        super().__init__(inputs.width)

    def forward(self, x: Tensor) -> Tensor:
        """Return x. Raises: BuildError for integers."""
        if not x.is_floating_point():
            raise BuildError(f"network — the features are {x.dtype} — expected floats — features.float()")
        return x


class CategoryEmbedding(Embedding):
    """The sum over columns of a learned vector for each category, drawn from Glorot's uniform distribution.

    A data set without features has its nodes' numbers as the one column: each node then learns a vector of its own.
    width: of the result; unset, that of the network's blocks.
    Raises: BuildError where the data set has floats.
    """

    same_in_training = True

    def __init__(self, inputs: Inputs, blocks_width: int, *, width: Count | None = None) -> None:
        if inputs.categories is None:
            raise BuildError(
                "embedding.category — the data set's features are floats — expected categories — embedding=none"
            )
        super().__init__(width or blocks_width)
        self.columns = nn.ModuleList([nn.Embedding(many, self.out_width) for many in inputs.categories])
        for column in self.columns:
            nn.init.xavier_uniform_(column.weight)  # pyright: ignore[reportArgumentType]

    def forward(self, x: Tensor) -> Tensor:
        """Return Σ_k E_k[x_k]."""
        return reduce(torch.add, [column(x[:, k]) for k, column in enumerate(self.columns)])


class AtomEmbedding(Embedding):
    """OGB's encoder of atoms: the sum over nine columns of a learned vector for each category.

    width: of the result; unset, that of the network's blocks.
    Raises: BuildError where the data set has others than OGB's nine columns.
    Source: `AtomEncoder` of Hu et al., "Open Graph Benchmark", NeurIPS 2020; its parameters are those of OGB's class.
    """

    same_in_training = True

    def __init__(self, inputs: Inputs, blocks_width: int, *, width: Count | None = None) -> None:
        from zoo.ogb_backend import atom_categories, atom_encoder

        if inputs.categories != atom_categories():
            what = "floats" if inputs.categories is None else f"categories {list(inputs.categories)}"
            raise BuildError(
                f"embedding.atom — the data set's features are {what} — expected those of OGB's atoms, "
                f"{list(atom_categories())} — embedding=auto"
            )
        super().__init__(width or blocks_width)
        self.encoder: Any = atom_encoder(self.out_width)

    def forward(self, x: Tensor) -> Tensor:
        """Return Σ_k E_k[x_k]."""
        return look_up([table.weight for table in self.encoder.atom_embedding_list], x, "embedding.atom")


def auto(inputs: Inputs, blocks_width: int, *, width: Count | None = None) -> Embedding:
    """Return none for float features, the embedding that integers are made for, else a vector for each category.

    width: of an embedding of integers; unset, that of the network's blocks.
    """
    if inputs.categories is None:
        made: Embedding = NoEmbedding(inputs, blocks_width)
        made.reason = "the data set's features are floats"
    elif inputs.embedding == "atom":
        made = AtomEmbedding(inputs, blocks_width, width=width)
        made.reason = "the data set's nodes are atoms, described as OGB does"
    else:
        made = CategoryEmbedding(inputs, blocks_width, width=width)
        made.reason = "the data set's features are categories"
    return made


# A table of all combinations of some columns costs about as much as it has rows; looked up by so many times as many.
_SHARE = 4


def look_up(tables: Sequence[Tensor], x: Tensor, where: str) -> Tensor:
    """Return Σ_k tables[k][x_k]: [n, width], for x int64 [n, columns] and tables [categories of column k, width].

    Columns whose combinations are few beside n are looked up at once, in the table of the combinations' sums.
    where: begins the error.
    Raises: BuildError if x is not int64 [n, len(tables)]; on the CPU also for a category that no table has.
    """
    counts = [len(table) for table in tables]
    if x.dtype != torch.int64 or x.dim() != 2 or x.shape[1] != len(tables):
        raise BuildError(f"{where} — got {x.dtype} {list(x.shape)} — expected int64 [·, {len(tables)}], categories")
    if x.device.type == "cpu" and len(wrong := ((x < 0) | (x >= torch.tensor(counts))).nonzero()):  # a GPU would wait
        row, column = wrong[0].tolist()
        raise BuildError(
            f"{where} — column {column} has a category {int(x[row, column])} — expected 0 … {counts[column] - 1}"
        )
    parts = (
        _combined(tables[some]).index_select(0, _numbered(x[:, some], counts[some]))
        for some in _groups(counts, max(len(x) // _SHARE, 1))
    )
    return reduce(torch.add, parts)


def _groups(counts: Sequence[int], largest: int) -> Iterator[slice]:
    """Yield neighbouring columns that have at most `largest` combinations, as many together as go."""
    start, product = 0, 1
    for column, count in enumerate(counts):
        if column > start and product * count > largest:
            yield slice(start, column)
            start, product = column, 1
        product *= count
    yield slice(start, len(counts))


def _combined(tables: Sequence[Tensor]) -> Tensor:
    """Return the sums of a row of each table, [product of their lengths, width], the last one's changing fastest."""
    return reduce(lambda left, right: (left[:, None] + right).flatten(0, 1), tables)


def _numbered(x: Tensor, counts: Sequence[int]) -> Tensor:
    """Return the row of `_combined` for each row of x [n, columns]."""
    return reduce(lambda number, column: number * counts[column] + x[:, column], range(1, len(counts)), x[:, 0])
