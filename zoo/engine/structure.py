"""Index arrays of a graph, in compressed rows for each direction, and sparse products over them without gradients."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
INT32_LIMIT = 2**31 - 1
_COPIED = 2**20  # numbers that are copied at once, of either end of some edges

with warnings.catch_warnings():
    # PyTorch warns once per process that compressed sparse tensors are a beta feature.
    warnings.simplefilter("ignore")
    torch.sparse_csr_tensor([0, 1], [0], [1.0], (1, 1), check_invariants=False)


@dataclass(frozen=True)
class Lanes:
    """The rows of a graph taken `heads` times: row v·heads+h sums over the columns u·heads+h.

    A feature tensor [nodes, heads, width] is then a matrix [nodes·heads, width] without a copy, and one sparse product
    serves all heads. `order[k]` is the place in weights[edges, heads] of the k-th entry; `back` is its inverse.
    """

    offsets: Tensor
    columns: Tensor
    order: Tensor
    shape: tuple[int, int]

    @cached_property
    def back(self) -> Tensor:
        """The place of each of weights[edges, heads] among the entries."""
        back = torch.empty_like(self.order)
        back[self.order.long()] = torch.arange(len(back), dtype=back.dtype, device=back.device)
        return back


class Rows:
    """The columns that each row sums over, and the edge that joins the two.

    offsets: [rows + 1]. columns, edges: [edges], row by row; `edges` are edge ids, in 0 … edges−1.
    Repeated entries are kept apart.
    """

    def __init__(self, offsets: Tensor, columns: Tensor, edges: Tensor, width: int) -> None:
        self.count = len(offsets) - 1
        self.width = width
        self.offsets, self.columns, self.edges = (_narrow(part, width) for part in (offsets, columns, edges))
        self._cache: dict[tuple[Any, ...], Any] = {}

    @classmethod
    def of(cls, row: Tensor, column: Tensor, rows: int, columns: int) -> "Rows":
        """The rows of the edges that join row[i] and column[i], int64 [edges] each."""
        offsets = torch.zeros(rows + 1, dtype=torch.int64, device=row.device)
        torch.cumsum(torch.bincount(row, minlength=rows), 0, out=offsets[1:])
        edges = torch.argsort(row, stable=True)
        return cls(offsets, column[edges], edges, columns)

    def to(self, device: torch.device) -> "Rows":
        """The same rows on another device."""
        return Rows(self.offsets.to(device), self.columns.to(device), self.edges.to(device), self.width)

    def edge_subgraph(self, keep: Tensor, places: Tensor) -> "Rows":
        """The rows with the edges where keep, bool [edges], is True; places: their new edge ids, by the old ones."""
        kept = keep.index_select(0, self.edges)
        before = torch.zeros(len(kept) + 1, dtype=self.offsets.dtype, device=kept.device)
        torch.cumsum(kept, 0, out=before[1:])
        entries = kept.nonzero().squeeze(1)  # of which a mask would be made again for each array
        columns, edges = (part.index_select(0, entries) for part in (self.columns, self.edges))
        return Rows(before.index_select(0, self.offsets), columns, places.index_select(0, edges), self.width)

    @property
    def lengths(self) -> Tensor:
        """Number of entries of each row, int64 [rows]."""
        return self.offsets.long().diff()

    @cached_property
    def arrays(self) -> tuple[Any, Any, Any]:
        """`offsets`, `columns` and `edges` as arrays over the same memory, for compiled loops; CPU only."""
        return self.offsets.numpy(), self.columns.numpy(), self.edges.numpy()

    def sum(self, x: Tensor) -> Tensor:
        """Sum x [columns, d] over each row's columns: [rows, d]."""
        if not len(self.edges):
            return x.new_zeros(self.count, x.shape[1])
        return self._ones("columns", x.dtype) @ x

    def edge_sum(self, values: Tensor) -> Tensor:
        """Sum values [edges, d] over each row's edges: [rows, d]."""
        if not len(self.edges):
            return values.new_zeros(self.count, values.shape[1])
        return self._ones("edges", values.dtype) @ values

    def edge_max(self, values: Tensor) -> Tensor:
        """The largest of values [edges, d] in each row: [rows, d]. Rows without edges hold any finite number."""
        if not len(self.edges):
            return values.new_zeros(self.count, values.shape[1])
        if values.device.type == "cpu":
            return torch.sparse.mm(self._ones("edges", values.dtype), values.contiguous(), "amax")
        least = torch.finfo(values.dtype).min
        largest = values.new_full((self.count, values.shape[1]), least)
        return largest.scatter_reduce_(0, self._row_of_edge[:, None].expand_as(values), values, "amax")

    def weighted_sum(self, x: Tensor, weights: Tensor) -> Tensor:
        """Sum x [columns, heads, d], weighted by weights [edges, heads], over each row: [rows, heads, d]."""
        heads, width = weights.shape[1], x.shape[2]
        if not len(self.edges):
            return x.new_zeros(self.count, heads, width)
        lanes = self.lanes(heads)
        values = weights.reshape(-1).index_select(0, lanes.order)
        matrix = csr_matrix(lanes.offsets, lanes.columns, values, lanes.shape)
        return (matrix @ x.reshape(-1, width)).view(self.count, heads, width)

    def edge_dot(self, row_side: Tensor, column_side: Tensor) -> Tensor:
        """Per edge and head the dot product of its row's and its column's features: [edges, heads].

        row_side: [rows, heads, d]. column_side: [columns, heads, d].
        """
        heads, width = row_side.shape[1], row_side.shape[2]
        if not len(self.edges):
            return row_side.new_zeros(0, heads)
        # A sampled product takes no more entries than pairs, and in double precision up to ten times as long.
        if len(self.edges) > self.count * self.width or (row_side.dtype == torch.float64 and self.offsets.is_cpu):
            return self._edge_dot_by_edge(row_side, column_side)
        lanes = self.lanes(heads)
        pattern = self._cached(
            ("pattern", heads, row_side.dtype),
            lambda: csr_matrix(lanes.offsets, lanes.columns, row_side.new_zeros(len(lanes.order)), lanes.shape),
        )
        left, right = row_side.reshape(-1, width), column_side.reshape(-1, width)
        products = torch.sparse.sampled_addmm(pattern, left, right.t(), beta=0.0)
        return products.values().index_select(0, lanes.back).view(-1, heads)

    def _edge_dot_by_edge(self, row_side: Tensor, column_side: Tensor) -> Tensor:
        """`edge_dot` of some edges after the other, whose features are copied."""
        heads = row_side.shape[1]
        many = max(1, _COPIED // max(1, row_side[0].numel()))
        parts: list[Tensor] = []
        for start in range(0, len(self.edges), many):
            here = slice(start, start + many)
            left = row_side.index_select(0, self._row_of_edge[here]).flatten(0, 1)
            right = column_side.index_select(0, self._column_of_edge[here]).flatten(0, 1)
            parts.append(torch.bmm(left[:, None], right[:, :, None]).view(-1, heads))
        return torch.cat(parts)

    def lanes(self, heads: int) -> Lanes:
        """The rows for `heads` features side by side, made once per number of heads."""
        return self._cached(("lanes", heads), lambda: self._make_lanes(heads))

    def _make_lanes(self, heads: int) -> Lanes:
        shape = (self.count * heads, self.width * heads)
        if heads == 1:
            return Lanes(self.offsets, self.columns, self.edges, shape)
        device = self.offsets.device
        head = torch.arange(heads, device=device)
        lengths = self.lengths
        row = torch.repeat_interleave(torch.arange(self.count, device=device), lengths)
        start = self.offsets.long()[row]
        within = torch.arange(len(row), device=device) - start
        place = (start * heads + within)[:, None] + lengths[row][:, None] * head  # of each (entry, head) in the lanes
        columns, order = torch.empty(2, place.numel(), dtype=torch.int64, device=device)
        columns[place.view(-1)] = (self.columns.long()[:, None] * heads + head).view(-1)
        order[place.view(-1)] = (self.edges.long()[:, None] * heads + head).view(-1)
        offsets = torch.zeros(self.count * heads + 1, dtype=torch.int64, device=device)
        torch.cumsum(lengths.repeat_interleave(heads), 0, out=offsets[1:])
        largest = max(*shape, len(order))
        return Lanes(_narrow(offsets, largest), _narrow(columns, largest), _narrow(order, largest), shape)

    def _ones(self, over: Literal["columns", "edges"], dtype: torch.dtype) -> Tensor:
        """The matrix that sums over each row's columns, or edges."""

        def make() -> Tensor:
            columns, width = (self.columns, self.width) if over == "columns" else (self.edges, len(self.edges))
            ones = torch.ones(len(columns), dtype=dtype, device=columns.device)
            return csr_matrix(self.offsets, columns, ones, (self.count, width))

        return self._cached((over, dtype), make)

    @cached_property
    def _row_of_edge(self) -> Tensor:
        rows = torch.arange(self.count, device=self.offsets.device)
        out = torch.empty(len(self.edges), dtype=torch.int64, device=self.offsets.device)
        out[self.edges.long()] = torch.repeat_interleave(rows, self.lengths)
        return out

    @cached_property
    def _column_of_edge(self) -> Tensor:
        return torch.empty_like(self.columns).index_copy_(0, self.edges.long(), self.columns)

    def _cached(self, key: tuple[Any, ...], make: Callable[[], T]) -> T:
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]


@dataclass(frozen=True)
class Structure:
    """A graph as index arrays on one device.

    incoming: one row per destination, its columns are sources. outgoing: one row per source, its columns are
    destinations. src, dst: [edges], the two ends of each edge id.
    """

    incoming: Rows
    outgoing: Rows
    src: Tensor
    dst: Tensor

    @classmethod
    def of(cls, src: Tensor, dst: Tensor, sources: int, nodes: int) -> "Structure":
        """The arrays of the edges src[i] → dst[i], integers below `sources` and `nodes`."""
        incoming, outgoing = Rows.of(dst, src, nodes, sources), Rows.of(src, dst, sources, nodes)
        return cls(incoming, outgoing, *(ends.to(incoming.columns.dtype) for ends in (src, dst)))

    @property
    def edges(self) -> int:
        """Number of edges."""
        return len(self.src)

    def rows(self, reverse: bool) -> Rows:
        """The rows that a product along the edges (or, `reverse`, against them) is made of."""
        return self.outgoing if reverse else self.incoming

    def edge_subgraph(self, keep: Tensor) -> "Structure":
        """The arrays of the edges where keep, bool [edges], is True; they keep their order."""
        places = keep.cumsum(0, dtype=self.src.dtype).sub_(1)
        edges = keep.nonzero().squeeze(1)
        src, dst = (end.index_select(0, edges) for end in (self.src, self.dst))
        return Structure(self.incoming.edge_subgraph(keep, places), self.outgoing.edge_subgraph(keep, places), src, dst)

    def to(self, device: torch.device) -> "Structure":
        """The same arrays on another device."""
        return Structure(self.incoming.to(device), self.outgoing.to(device), self.src.to(device), self.dst.to(device))


def csr_matrix(offsets: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    """A sparse matrix of PyTorch from compressed rows, taken as they are."""
    return torch.sparse_csr_tensor(offsets, columns, values, shape, check_invariants=False)


def _narrow(index: Tensor, largest: int) -> Tensor:
    """int32 where it can hold every value: half the memory to read, and what MKL wants."""
    fits = max(largest, len(index)) <= INT32_LIMIT
    return index.to(torch.int32 if fits else torch.int64)
