"""One block's X_l or G_l, and what several probes ask of it, computed once."""

from functools import cached_property

import torch
from torch import Tensor

from zoo.errors import BuildError
from zoo.graphs.graph import Graph
from zoo.graphs.kernel import Norm, SubspaceName
from zoo.graphs.subspace import Constant, Subspace

# A share of the norm; at 0.95 a tenth of the square is left, and the difference of squares loses one digit.
_MOSTLY_WITHIN = 0.95


class NodeMatrix:
    """A matrix with a row for each node, alive as long as the hook that it is handed to.

    x: [nodes, width], float32 or float64. graph: what the block ran on, or None for blocks that take no graph.
    propagation: how the block's convolution spreads features. backward: whether x is a gradient.
    """

    def __init__(self, x: Tensor, graph: Graph | None, propagation: Norm | None, *, backward: bool) -> None:
        self.x = x
        self.propagation: Norm | None = propagation
        self.backward = backward
        self._graph = graph
        self._norms: dict[SubspaceName, tuple[Tensor, Tensor]] = {}

    @property
    def graph(self) -> Graph:
        """The graph. Raises: BuildError if the block has none."""
        if self._graph is None:
            raise BuildError(
                "probes — this block is called without a graph — expected blocks called as block(graph, x) — "
                "subspace=plain needs no graph"
            )
        return self._graph

    @cached_property
    def norm(self) -> Tensor:
        """‖X‖_F, a scalar."""
        return torch.linalg.vector_norm(self.x)

    def norms(self, name: SubspaceName) -> tuple[Tensor, Tensor]:
        """The norms of what lies off a subspace and of what lies within it, scalars."""
        if name not in self._norms:
            subspace = self._subspace(name)
            coordinates = subspace.coordinates(self.x)
            within = torch.linalg.vector_norm(coordinates)
            # Where much lies off it, ‖X‖² − ‖PX‖² is as good as the norm of the difference, and needs no matrix. To tell,
            # the number has to be looked at: free on a CPU, a wait elsewhere.
            if self.x.device.type == "cpu" and float(within / self.norm) < _MOSTLY_WITHIN:
                off = ((self.norm - within) * (self.norm + within)).sqrt()
            else:
                off = torch.linalg.vector_norm(subspace.remainder(self.x, coordinates))
            self._norms[name] = off, within
        return self._norms[name]

    @cached_property
    def gram(self) -> Tensor:
        """XᵀX, [width, width], in float64: its eigenvalues are squares, and lose half of the digits."""
        x = self.x.double()
        return x.T @ x

    def _subspace(self, name: SubspaceName) -> Subspace:
        if name == "plain":
            return Constant()
        return self.graph.subspace(name, self.propagation, backward=self.backward)
