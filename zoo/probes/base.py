"""The interface of a probe, and the node matrix that probes of blocks reduce."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from zoo.contracts import measured
from zoo.errors import BuildError
from zoo.graph_like import Norm, SubspaceName
from zoo.graphs.graph import Graph
from zoo.graphs.subspace import Constant, Subspace

Of = Literal["gradients", "representations"]
SIDES: tuple[Of, ...] = ("gradients", "representations")
Reads = Literal["matrices", "blocks", "weights", "updates", "network", "error", "readings"]


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
        """Return the norms of what lies off a subspace and of what lies within it, scalars."""
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


class Probe(ABC):
    """A quantity that is read off a network while it is trained, and changes nothing.

    `reads` says what `measure` is called with, once for each reading:

        blocks     (block, inputs): for each block, itself and the inputs that it just had, to run it again; state and
                   random numbers it restores itself, scalars become a series [blocks]
        weights    (weights): each block's matrices [..., in, out], as it computed with them
        updates    (before, after): each block's stored matrices, before and after the optimiser's step
        network    (network): before the optimiser's step
        error      (error): ∂L/∂Z at the network's output, [nodes, classes], in the precision of the probes; in a hook
        readings   (readings): all that the others have measured, by name; nothing is given where that is missing

    It returns tensors on the device by name, series [blocks] or scalars, and keeps no matrix [nodes, width]; the host
    reads all of them in one go. Names have the form `<of>.<quantity>.<variant>`, as in `gradients.mu.limit`.
    """

    reads: ClassVar[Reads] = "network"

    @abstractmethod
    def measure(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Return series [blocks] or scalars by name, from what `reads` says."""


class MatrixProbe(Probe):
    """Reduces the matrix of each block, its gradient G_l = ∂L/∂X_l or its output X_l, [nodes, width].

    A new one names its `columns` and returns a scalar for each:

        @probes.register("peak")
        class Peak(MatrixProbe):
            columns = ("peak",)

            def reduce(self, matrix):
                return [matrix.x.abs().amax()]
    """

    reads = "matrices"
    columns: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, of: Of = "gradients") -> None:
        self.of: Of = of

    @abstractmethod
    def reduce(self, matrix: NodeMatrix) -> Sequence[Tensor]:
        """Return what is kept of one block, small tensors on the device; called inside the hook, without gradient."""

    def finish(self, reduced: Sequence[Sequence[Tensor]]) -> dict[str, Tensor]:
        """Return a series [blocks] for each column, from what was kept of each block; called once for all blocks."""
        series = (torch.stack(list(column)) for column in zip(*reduced, strict=True))
        return dict(zip(self.columns, series, strict=True))

    def measure(self, reduced: Sequence[Sequence[Tensor]]) -> dict[str, Tensor]:
        """Return what `finish` makes of all blocks, under names that begin with `of`."""
        return {f"{self.of}.{name}": series for name, series in measured(self, self.finish(reduced)).items()}
