"""What a probe is: one interface for each place that numbers can be read at."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from zoo.errors import BuildError
from zoo.graph_like import Norm, SubspaceName
from zoo.graphs.graph import Graph
from zoo.graphs.subspace import Constant, Subspace

Of = Literal["gradients", "representations"]
SIDES: tuple[Of, ...] = ("gradients", "representations")


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


class Probe(ABC):  # noqa: B024 - what each kind has to offer differs; this is their common name
    """A quantity that is read off a network while it is trained, and changes nothing.

    A probe says by its interface what it needs; the tap hooks just that. Reduction happens on the device and keeps no
    matrix [nodes, width]; the results of all probes are read by the host in one go. Their names have the form
    `<what it is of>.<quantity>.<variant>`, as in `gradients.mu.limit`.
    """


class MatrixProbe(Probe):
    """Reduces the matrix of each block, its gradient G_l = ∂L/∂X_l or its output X_l, [nodes, width].

    A new one names its `columns` and returns a scalar for each:

        @probes.register("peak")
        class Peak(MatrixProbe):
            columns = ("peak",)

            def reduce(self, matrix):
                return [matrix.x.abs().amax()]
    """

    columns: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, of: Of = "gradients") -> None:
        self.of: Of = of

    @abstractmethod
    def reduce(self, matrix: NodeMatrix) -> Sequence[Tensor]:
        """What is kept of one block, small tensors on the device; called inside the hook, without gradient."""

    def finish(self, reduced: Sequence[Sequence[Tensor]]) -> dict[str, Tensor]:
        """From what was kept of each block to a series [blocks] for each column; called once for all blocks."""
        series = (torch.stack(list(column)) for column in zip(*reduced, strict=True))
        return dict(zip(self.columns, series, strict=True))


class WeightProbe(Probe):
    """Looks at the weight matrices that the blocks computed with, normalised where a normaliser acts."""

    @abstractmethod
    def measure(self, weights: Sequence[Sequence[Tensor]]) -> dict[str, Tensor]:
        """From each block's matrices [..., in, out] to series [blocks] or scalars by name."""


class UpdateProbe(Probe):
    """Looks at what the optimiser's step did to the stored weight matrices of the blocks."""

    @abstractmethod
    def measure(self, before: Sequence[Sequence[Tensor]], after: Sequence[Sequence[Tensor]]) -> dict[str, Tensor]:
        """From each block's matrices to series [blocks] by name."""


class ErrorProbe(Probe):
    """Looks at the error at the network's output, ∂L/∂Z, [nodes, classes]."""

    @abstractmethod
    def measure(self, error: Tensor) -> dict[str, Tensor]:
        """From the error, in the precision of the probes, to scalars by name; called inside the hook."""


class BlockProbe(Probe):
    """Runs a block by itself, on the input that it just had; costs extra passes through the block."""

    @abstractmethod
    def measure(self, block: nn.Module, inputs: tuple[Any, ...]) -> dict[str, Tensor]:
        """From the block and its input to scalars by name; random state and buffers are put back afterwards."""


class NetworkProbe(Probe):
    """Looks at the network as a whole, before the optimiser's step."""

    @abstractmethod
    def measure(self, network: nn.Module) -> dict[str, Tensor]:
        """From the network to series [blocks] or scalars by name."""


class ProfileProbe(Probe):
    """Sums up what other probes have measured; it is asked last, and gives nothing where they are missing."""

    @abstractmethod
    def measure(self, measured: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """From series [blocks] by name to scalars by name."""
