"""The kernel of loops compiled for this machine; CPU only."""

from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from zoo.engine.attention import DynamicScores, StaticScores
from zoo.engine.attention_loops import DynamicLoops, StaticLoops
from zoo.engine.buffers import Buffers
from zoo.engine.kernel import Added, Epilogue, FusingKernel, Scaling
from zoo.engine.numba_compile import array, by_member, numbers, over_rows, parts
from zoo.engine.numba_sums import block_backward, block_forward, edge_dot, scaled_sum, weighted_sum
from zoo.engine.structure import Rows, Structure


class _Scaled(NamedTuple):
    """The arrays of one direction of the graph and of these scales."""

    before: Tensor | None
    after: Tensor | None
    arrays: tuple[Any, ...]


class CompiledKernel(FusingKernel):
    """One pass over the rows for a propagation with its scalings, and for all that a block does around one."""

    name = "compiled"

    def __init__(self, structure: Structure) -> None:
        super().__init__(structure)
        self.buffers = self._pool = Buffers()
        self._scaled: dict[tuple[bool, torch.dtype], _Scaled] = {}

    def neighbour_sum(self, x: Tensor, reverse: bool, before: Tensor | None, after: Tensor | None) -> Tensor:
        """Sum over compressed rows."""
        y = x.new_empty(self.structure.rows(reverse).count, x.shape[1])
        return self.sum_into(y, x, reverse, before, after)

    def sum_into(self, y: Tensor, x: Tensor, reverse: bool, before: Tensor | None, after: Tensor | None) -> Tensor:
        """`neighbour_sum` into the memory of y, [members, …] where x is."""
        rows = self.structure.rows(reverse)
        graph = self._graph(rows, before, after, x.dtype)
        for read, written in by_member(x.dim(), array(x, x.dtype), y.numpy()):
            over_rows(scaled_sum, graph[0], x.shape[-1], *graph, read, written)
        return y

    def weighted_sum(self, x: Tensor, weights: Tensor, reverse: bool) -> Tensor:
        """Weighted sum over compressed rows."""
        rows = self.structure.rows(reverse)
        y = x.new_empty(rows.count, *x.shape[1:])
        self._over_entries(weighted_sum, rows, x.shape[1] * x.shape[2], weights, x, y)
        return y

    def edge_dot(self, left: Tensor, right: Tensor) -> Tensor:
        """Dot products at the entries of the compressed rows."""
        rows = self.structure.incoming
        z = left.new_empty(self.structure.edges, left.shape[1])
        self._over_entries(edge_dot, rows, left.shape[1] * left.shape[2], right, left, z)
        return z

    def block_forward(
        self, h: Tensor, scaling: Scaling, added: Added, epilogue: Epilogue, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """In one pass over the rows."""
        dtype, shape, (root, bias, skip) = h.dtype, self.shape_of(h, added), added
        y = self._pool.take(shape, dtype)
        mask = self._pool.take(shape, torch.bool) if keep and epilogue.slope != 1 else None
        graph = self._graph(self.structure.incoming, scaling.before, scaling.after, dtype)
        share = numbers(dtype, epilogue.slope, epilogue.share, epilogue.skip_share)
        features = h.numpy(), array(root, dtype), array(bias, dtype, dimensions=1), array(skip, dtype)
        for *read, here, positive in by_member(h.dim(), *features, y.numpy(), array(mask, torch.bool)):
            over_rows(block_forward, graph[0], h.shape[-1], *graph, *read, share, here, positive)
        return y, mask

    def block_backward(
        self, dy: Tensor, mask: Tensor | None, scaling: Scaling, epilogue: Epilogue
    ) -> tuple[Tensor, Tensor, Tensor]:
        """In two passes over the rows."""
        dz, dbias = self.epilogue_backward(dy, mask, epilogue)
        dh = self.scratch("dh", (*dy.shape[:-2], self.structure.outgoing.count, dy.shape[-1]), dy.dtype)
        return dz, dbias, self.sum_into(dh, dz, True, scaling.after, scaling.before)

    def epilogue_backward(self, dy: Tensor, mask: Tensor | None, epilogue: Epilogue) -> tuple[Tensor, Tensor]:
        """In one pass over the rows."""
        dz = self.scratch("dz", dy.shape, dy.dtype)
        *members, count, width = dy.shape
        shares = parts(count, width)
        dbias = dy.new_empty(*members, width) if shares == 1 else dy.new_empty(*members, shares, width)
        sums = dbias.numpy().reshape(*members, shares, width)
        offsets, share = self.structure.incoming.arrays[0], numbers(dy.dtype, epilogue.slope, epilogue.share)
        for each, positive, *into in by_member(
            dy.dim(), array(dy, dy.dtype), array(mask, torch.bool), dz.numpy(), sums
        ):
            over_rows(block_backward, offsets, width, each, positive, share, *into)
        return dz, dbias if shares == 1 else dbias.sum(-2)

    def attention_loops(self, scores: type) -> Any:
        """The loops of both kinds of scores that have any."""
        return {StaticScores: StaticLoops, DynamicScores: DynamicLoops}.get(scores)

    @cached_property
    def entries(self) -> Tensor:
        """For each entry of the outgoing rows its edge's number among those of the incoming ones, [edges]."""
        incoming, outgoing = self.structure.incoming.edges, self.structure.outgoing.edges
        places = torch.empty_like(incoming)
        places[incoming.long()] = torch.arange(len(incoming), dtype=incoming.dtype)
        return places.index_select(0, outgoing)

    def _over_entries(self, loop: Any, rows: Rows, columns: int, *tensors: Tensor) -> None:
        """Run a loop over entries, whose last tensor is the result."""
        over_rows(loop, rows.arrays[0], columns, *rows.arrays, *(array(part, part.dtype) for part in tensors))

    def _graph(self, rows: Rows, before: Tensor | None, after: Tensor | None, dtype: torch.dtype) -> tuple[Any, ...]:
        """Offsets, columns and the two scales; the last ones are kept, as hundreds of blocks ask for the same."""
        key = rows is self.structure.outgoing, dtype
        kept = self._scaled.get(key)
        if kept is None or kept.before is not before or kept.after is not after:
            scales = (
                (_ones(count, dtype) if scale is None else scale).view(-1).numpy()
                for scale, count in ((before, rows.width), (after, rows.count))
            )
            kept = self._scaled[key] = _Scaled(before, after, (*rows.arrays[:2], *scales))
        return kept.arrays


@lru_cache(maxsize=64)  # samples differ in size
def _ones(count: int, dtype: torch.dtype) -> Tensor:
    return torch.ones(count, dtype=dtype)
