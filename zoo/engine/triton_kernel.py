"""The kernel of loops that Triton compiles for a GPU."""

from functools import cache

import torch
from torch import Tensor

from zoo.engine.kernel import Added, Epilogue, FusingKernel, Scaling
from zoo.engine.triton_sums import block_backward, block_forward, edge_dot, scaled_sum, weighted_sum


class TritonKernel(FusingKernel):
    """One launch for a propagation with its scalings, and for all that a block does around one.

    It has no buffers: PyTorch's own allocator keeps a GPU's memory.
    """

    name = "triton"

    def neighbour_sum(self, x: Tensor, reverse: bool, before: Tensor | None, after: Tensor | None) -> Tensor:
        """Sum over compressed rows."""
        rows = self.structure.rows(reverse)
        y = x.new_empty(rows.count, x.shape[1])
        scaled_sum(rows, before, after, x.contiguous(), y)
        return y

    def weighted_sum(self, x: Tensor, weights: Tensor, reverse: bool) -> Tensor:
        """Weighted sum over compressed rows."""
        rows = self.structure.rows(reverse)
        y = x.new_empty(rows.count, *x.shape[1:])
        weighted_sum(rows, weights.contiguous(), x.contiguous(), y)
        return y

    def edge_dot(self, left: Tensor, right: Tensor) -> Tensor:
        """Dot products at the entries of the compressed rows."""
        z = left.new_empty(self.structure.edges, left.shape[1])
        edge_dot(self.structure.incoming, right.contiguous(), left.contiguous(), z)
        return z

    def block_forward(
        self, h: Tensor, scaling: Scaling, added: Added, epilogue: Epilogue, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """In one launch."""
        y, (root, bias, skip) = h.new_empty(self.shape_of(h, added)), added
        mask = torch.empty_like(y, dtype=torch.bool) if keep and epilogue.slope != 1 else None
        bias, skip = (part if part is None else part.contiguous() for part in (bias, skip))
        numbers = _numbers(h.device, h.dtype, epilogue)
        block_forward(self.structure.incoming, scaling, h, (root, bias, skip), numbers, y, mask)
        return y, mask

    def block_backward(
        self, dy: Tensor, mask: Tensor | None, scaling: Scaling, epilogue: Epilogue
    ) -> tuple[Tensor, Tensor, Tensor]:
        """In three launches: the bias' gradient is summed up in two."""
        dz, dbias = self.epilogue_backward(dy, mask, epilogue)
        rows = self.structure.outgoing
        dh = self.scratch("dh", (*dy.shape[:-2], rows.count, dy.shape[-1]), dy.dtype)
        scaled_sum(rows, scaling.after, scaling.before, dz, dh)
        return dz, dbias, dh

    def epilogue_backward(self, dy: Tensor, mask: Tensor | None, epilogue: Epilogue) -> tuple[Tensor, Tensor]:
        """In two launches."""
        dz = self.scratch("dz", dy.shape, dy.dtype)
        return dz, block_backward(dy, mask, _numbers(dy.device, dy.dtype, epilogue), dz)


@cache  # a launch takes numbers in float32 alone, and to bring a tensor to a GPU takes longer than the launch
def _numbers(device: torch.device, dtype: torch.dtype, epilogue: Epilogue) -> Tensor:
    return torch.tensor(epilogue, dtype=dtype, device=device)
