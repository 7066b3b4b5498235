"""The kernel made of DGL's sparse products, and of PyTorch's where those are faster."""

from typing import Any

from torch import Tensor

from zoo import dgl_backend
from zoo.engine.kernel import Kernel, Structure
from zoo.system.private import dgl_sum


class DGLKernel(Kernel):
    """Unweighted sums by DGL, on the CPU with libxsmm; weighted sums by compressed rows.

    On a CPU the product of weights and features that broadcasts a weight over a row takes DGL three to nine times as
    long as PyTorch's compressed rows take. Dot products over edges: DGL for two heads or more, PyTorch for one.
    """

    name = "dgl"

    def __init__(self, structure: Structure, graph: Any) -> None:
        super().__init__(structure)
        self._sum = dgl_sum(dgl_backend.dgl)
        self._graph = graph.formats(["coo", "csr", "csc"])
        self._graph.create_formats_()
        self._reverse = _reversed(self._graph)

    def neighbour_sum(self, x: Tensor, reverse: bool, before: Tensor | None, after: Tensor | None) -> Tensor:
        """Sum by DGL."""
        scaled = x.contiguous() if before is None else x * before
        y = self._sum(self._reverse if reverse else self._graph, scaled)
        return y if after is None else y.mul_(after)

    def weighted_sum(self, x: Tensor, weights: Tensor, reverse: bool) -> Tensor:
        """Weighted sum over compressed rows."""
        return self.structure.rows(reverse).weighted_sum(x, weights)

    def edge_dot(self, left: Tensor, right: Tensor) -> Tensor:
        """Dot products by DGL, or for one head by PyTorch."""
        if left.shape[1] == 1 or not self.structure.edges:
            return self.structure.incoming.edge_dot(right, left)
        return dgl_backend.dgl.ops.u_dot_v(self._graph, left.contiguous(), right.contiguous()).squeeze(-1)


def _reversed(graph: Any) -> Any:
    if not graph.is_block:
        return dgl_backend.dgl.reverse(graph, copy_ndata=False, copy_edata=False)  # shares the arrays
    src, dst = graph.edges(order="eid")
    return dgl_backend.dgl.create_block(
        (dst, src), num_src_nodes=graph.num_dst_nodes(), num_dst_nodes=graph.num_src_nodes()
    )
