"""The kernel made of PyTorch's own sparse products: runs on any device that PyTorch does."""

from torch import Tensor

from zoo.engine.kernel import Kernel


class TorchKernel(Kernel):
    """Compressed-row products; each direction has its own rows, so no product needs a transpose."""

    name = "torch"

    def neighbour_sum(self, x: Tensor, reverse: bool, before: Tensor | None, after: Tensor | None) -> Tensor:
        """Sum over compressed rows."""
        y = self.structure.rows(reverse).sum(x if before is None else x * before)
        return y if after is None else y.mul_(after)

    def weighted_sum(self, x: Tensor, weights: Tensor, reverse: bool) -> Tensor:
        """Weighted sum over compressed rows."""
        return self.structure.rows(reverse).weighted_sum(x, weights)

    def edge_dot(self, left: Tensor, right: Tensor) -> Tensor:
        """Dot products at the entries of the compressed rows."""
        return self.structure.incoming.edge_dot(right, left)
