"""A block of a network: a convolution with dropout, norms, activation and residual connection."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from torch import Tensor, nn

from zoo.contracts import as_input
from zoo.engine.lowering import lowered
from zoo.engine.sparse_input import dropout
from zoo.errors import BuildError
from zoo.graphs.graph import Graph
from zoo.layers.conv import attribute_of, convolve
from zoo.layers.residual import Residual

NormPosition = Literal["pre", "inner", "post"]


class Block(nn.Module):
    """dropout → [norm: pre] → conv → [norm: inner] → activation → residual → [norm: post].

    A norm whose class says `reads_input` gets the block's input besides. The block's output is the representation X_l,
    which probes read by a forward hook. Where it can be, all from the convolution on is one operator (engine.lowering).
    """

    same_in_training = True

    def __init__(
        self,
        conv: nn.Module,
        *,
        residual: Residual,
        norms: Sequence[nn.Module] = (),
        norm_position: NormPosition = "inner",
        activation: nn.Module | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.conv = conv
        self.norms = nn.ModuleList(norms)
        self.norm_position: NormPosition = norm_position
        self.activation = nn.Identity() if activation is None else activation
        self.residual = residual

    @lowered
    def forward(self, graph: Graph, x: Tensor, first: Tensor | None = None) -> Tensor:
        """x: [sources, in]; first: X_0, for initial residuals; the result is [nodes, out]."""
        here = graph.at_destinations(x)
        first = None if first is None else graph.at_destinations(first)
        z = self.norm("pre", graph, self.dropout(x), x)
        z = self.norm("inner", graph, convolve(self.conv, graph, z), here)
        y = as_input("residual", self.residual, self.residual(here, activated(self.activation, z), first), z)
        return self.norm("post", graph, y, here)

    fusable_forward = forward

    def norm(self, position: NormPosition, graph: Graph, x: Tensor, before: Tensor) -> Tensor:
        """Apply the norms if this is their position; before: the block's input at the same nodes."""
        if position == self.norm_position:
            return apply_norms(self.norms, graph, x, before)
        return x


def make_activation(factory: Any) -> nn.Module:
    """Return what the factory makes.

    Raises: BuildError for a bare name, which only the recipe builder can look up, and for what is no module.
    """
    if isinstance(factory, str):
        raise BuildError(
            f"activation — got the name {factory!r} — expected a factory of modules, e.g. torch.nn.ReLU; "
            "names are looked up when a recipe is built"
        )
    made = factory()
    if not isinstance(made, nn.Module):  # a network has to find it among its modules
        raise BuildError(
            f"activation — the factory made a {type(made).__name__} — expected a module — a subclass of torch.nn.Module"
        )
    return made


def activated(activation: nn.Module, x: Tensor) -> Tensor:
    """Return activation(x). Raises: ComponentError unless it is of the shape, precision and device of x."""
    return as_input("activation", activation, activation(x), x)


class Dropout(nn.Dropout):
    """`nn.Dropout` that draws no random numbers for the zeros of features that are zero nearly everywhere."""

    recordable = True

    @property
    def same_in_training(self) -> bool:
        """True if nothing is dropped."""
        return self.p == 0

    def forward(self, input: Tensor) -> Tensor:
        """Drop each entry with probability p while training, and scale the others by 1/(1 - p)."""
        if self.p == 0:  # what PyTorch returns, too, after a while
            return input
        return dropout(input, self.p) if self.training and not self.inplace else super().forward(input)


def apply_norms(norms: Iterable[nn.Module], graph: Graph, x: Tensor, before: Tensor) -> Tensor:
    """Apply the norms to x, [nodes, width]; before: the block's input at the same nodes. Raises: ComponentError."""
    for norm in norms:
        y = norm(graph, x, before) if attribute_of(norm, "reads_input", False) else norm(graph, x)
        x = as_input("normalizer", norm, y, x)
    return x
