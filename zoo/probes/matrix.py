"""One block's X_l or G_l, and what several probes ask of it, computed once."""

import math
from functools import cached_property

import torch
from torch import Tensor

from zoo.errors import BuildError
from zoo.graphs.graph import Graph
from zoo.graphs.kernel import Norm, SubspaceName
from zoo.graphs.subspace import Constant, Subspace

# A share of the norm; at 0.99 a fiftieth of the square is left, and the difference of squares loses two digits.
_MOSTLY_WITHIN = 0.99


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
        plain = self._norms.get("plain")
        return torch.linalg.vector_norm(self.x) if plain is None else torch.hypot(*plain)

    def norms(self, name: SubspaceName) -> tuple[Tensor, Tensor]:
        """The norms of what lies off a subspace and of what lies within it, scalars."""
        if name not in self._norms:
            subspace = self._subspace(name)
            if isinstance(subspace, Constant):
                self._norms[name] = subspace.norms(self.x)
                return self._norms[name]
            coordinates = subspace.coordinates(self.x)
            within = torch.linalg.vector_norm(coordinates)
            # Where much lies off it, ‖X‖² − ‖PX‖² is as good as the norm of the difference, and needs no matrix. To
            # tell, the number has to be looked at: free on a CPU, a wait elsewhere.
            off = None
            if self.x.device.type == "cpu":
                whole, part = float(self.norm), float(within)
                if part < _MOSTLY_WITHIN * whole < math.inf:
                    off = torch.tensor(math.sqrt((whole - part) * (whole + part)), dtype=self.x.dtype)
            if off is None:
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
