"""The interface of an initialiser; the default, and those that are computed from the graph."""

from abc import ABC, abstractmethod

from torch import Tensor

from zoo.graph_like import GraphLike, Norm


class Initializer(ABC):
    """Draws the weight matrices of a network's blocks; encoder, head and biases (zeros) are left alone.

    It acts once, after the network is made and before weights are normalised, and draws from PyTorch's generator, which
    the run's seed has set.
    """

    @abstractmethod
    def fill(self, weight: Tensor, graph: GraphLike, *, fan_in: int, propagation: Norm | None) -> None:
        """Write new values into one matrix, [in, out] or [heads, in, out per head], in place; no gradient is recorded.

        graph: the `Graph` that the network will run on. fan_in: how many products each output is the sum of.
        propagation: by which of `Graph.propagate`'s weights the block spreads features; None if by none.
        """

    def chosen(self) -> tuple[str, str] | None:
        """Return what was chosen from the graph, and why, for the run's record; None, the default, if nothing was."""
        return None


class GraphInitializer(Initializer):
    """An initialiser by numbers of the graph and of the propagation, which are computed once for each."""

    def __init__(self) -> None:
        self._graph: GraphLike | None = None
        self.found: dict[Norm | None, float] = {}

    @abstractmethod
    def measure(self, graph: GraphLike, propagation: Norm | None) -> float:
        """Return the number."""

    def measured(self, graph: GraphLike, propagation: Norm | None) -> float:
        """Return the number, as kept in `found` for the last graph."""
        if graph is not self._graph:
            self._graph = graph
            self.found.clear()
        if propagation not in self.found:
            self.found[propagation] = self.measure(graph, propagation)
        return self.found[propagation]


class Default(Initializer):
    """Leaves the weights as their layers drew them: by Glorot's uniform distribution in the zoo's own."""

    def fill(self, weight: Tensor, graph: GraphLike, *, fan_in: int, propagation: Norm | None) -> None:
        """Do nothing, and draw nothing."""
