"""One block's X_l or G_l, and what several probes ask of it, computed once."""

from functools import cached_property

import torch
from torch import Tensor

from zoo.errors import BuildError
from zoo.graph_like import Norm, SubspaceName
from zoo.graphs.graph import Graph
from zoo.graphs.subspace import Constant, Subspace


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
        """The graph, on the rows of x: of a sampled block, the edges among its destinations.

        Raises: BuildError if the block has none.
        """
        if self._graph is None:
            raise BuildError(
                "probes — this block is called without a graph — expected blocks called as block(graph, x) — "
                "subspace=plain needs no graph"
            )
        return self._graph.within

    def norms(self, name: SubspaceName) -> tuple[Tensor, Tensor]:
        """The norms of what lies off a subspace and of what lies within it, scalars."""
        if name not in self._norms:
            known = next(iter(self._norms.values()), None)
            whole = None if known is None else torch.hypot(*known)
            self._norms[name] = self._subspace(name).norms(self.x, whole)
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
