"""The kernel of loops compiled for this machine; CPU only."""

from functools import cache, lru_cache

import torch
from torch import Tensor

from zoo.compiled.engine import over_rows, parts
from zoo.compiled.sums import block_backward, block_forward, scaled_sum
from zoo.graphs.buffers import Buffers
from zoo.graphs.epilogue import Epilogue
from zoo.graphs.kernel import Kernel, Structure
from zoo.graphs.rows import Rows


class CompiledKernel(Kernel):
    """One pass over the rows for a propagation with its scalings, and for all that a block does around one."""

    name = "compiled"
    fuses = True

    def __init__(self, structure: Structure) -> None:
        super().__init__(structure)
        self.buffers = Buffers()
        self._scratch: dict[tuple[str, torch.Size, torch.dtype], Tensor] = {}

    def neighbour_sum(self, x: Tensor, reverse: bool, before: Tensor | None, after: Tensor | None) -> Tensor:
        """Sum over compressed rows."""
        rows = self.structure.rows(reverse)
        y = x.new_empty(rows.count, x.shape[1])
        self._sum(rows, x, before, after, y)
        return y

    def weighted_sum(self, x: Tensor, weights: Tensor, reverse: bool) -> Tensor:
        """Weighted sum over compressed rows."""
        return self.structure.rows(reverse).weighted_sum(x, weights)

    def edge_dot(self, left: Tensor, right: Tensor) -> Tensor:
        """Dot products at the entries of the compressed rows."""
        return self.structure.incoming.edge_dot(right, left)

    def block_forward(
        self,
        h: Tensor,
        before: Tensor | None,
        after: Tensor | None,
        root: Tensor | None,
        bias: Tensor | None,
        skip: Tensor | None,
        epilogue: Epilogue,
        keep: bool,
    ) -> tuple[Tensor, Tensor | None]:
        """share·act(z) + skip_share·skip; to `keep`, where z > 0; z = after ∘ A (before ∘ h) + root + bias."""
        rows = self.structure.incoming
        shape = torch.Size((rows.count, h.shape[1]))
        y = self.buffers.take(shape, h.dtype)
        mask = self.buffers.take(shape, torch.bool) if keep and epilogue.slope != 1 else None
        over_rows(
            block_forward,
            rows.offsets.numpy(),
            h.shape[1],
            *self._graph(rows, before, after, h.dtype),
            *(_array(part, h.dtype) for part in (h, root)),
            _array(bias, h.dtype, dimensions=1),
            _array(skip, h.dtype),
            _numbers(h.dtype, epilogue.slope, epilogue.share, epilogue.skip_share),
            y.numpy(),
            _array(mask, torch.bool),
        )
        return y, mask

    def block_backward(
        self, dy: Tensor, mask: Tensor | None, before: Tensor | None, after: Tensor | None, epilogue: Epilogue
    ) -> tuple[Tensor, Tensor, Tensor]:
        """∂/∂z, ∂/∂bias and ∂/∂h of `block_forward`; the first and the last are overwritten by the next call."""
        rows = self.structure.outgoing
        dz, dh = self.scratch("dz", dy.shape, dy.dtype), self.scratch("dh", (rows.count, dy.shape[1]), dy.dtype)
        dbias = dy.new_empty(parts(*dy.shape), dy.shape[1])
        over_rows(
            block_backward,
            self.structure.incoming.offsets.numpy(),
            dy.shape[1],
            _array(dy, dy.dtype),
            _array(mask, torch.bool),
            _numbers(dy.dtype, epilogue.slope, epilogue.share),
            dz.numpy(),
            dbias.numpy(),
        )
        self._sum(rows, dz, after, before, dh)
        return dz, dbias.sum(0), dh

    def scratch(self, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """An uninitialised tensor that the next call with this name and shape returns again."""
        key = name, torch.Size(shape), dtype
        if key not in self._scratch:
            self._scratch[key] = torch.empty(shape, dtype=dtype)
        return self._scratch[key]

    def _sum(self, rows: Rows, x: Tensor, before: Tensor | None, after: Tensor | None, y: Tensor) -> None:
        over_rows(
            scaled_sum,
            rows.offsets.numpy(),
            x.shape[1],
            *self._graph(rows, before, after, x.dtype),
            _array(x, x.dtype),
            y.numpy(),
        )

    def _graph(self, rows: Rows, before: Tensor | None, after: Tensor | None, dtype: torch.dtype) -> tuple[object, ...]:
        scales = (
            (_ones(count, dtype) if scale is None else scale).view(-1).numpy()
            for scale, count in ((before, rows.width), (after, rows.count))
        )
        return rows.offsets.numpy(), rows.columns.numpy(), *scales


def _array(x: Tensor | None, dtype: torch.dtype, dimensions: int = 2) -> object:
    """The tensor's memory as an array; without a tensor an array of no rows."""
    return _nothing(dtype, dimensions) if x is None else x.detach().contiguous().numpy()


@cache
def _nothing(dtype: torch.dtype, dimensions: int) -> object:
    return torch.empty((0,) * dimensions, dtype=dtype).numpy()


@cache
def _numbers(dtype: torch.dtype, *numbers: float) -> object:
    return torch.tensor(numbers, dtype=dtype).numpy()


@lru_cache(maxsize=64)  # samples differ in size
def _ones(count: int, dtype: torch.dtype) -> Tensor:
    return torch.ones(count, dtype=dtype)
