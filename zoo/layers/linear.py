"""Linear maps, with the weight stored as [in, out] as in the equations; and convolutions without one of the two."""

from typing import Literal

import torch
from torch import Tensor, nn

from zoo.engine.sparse_input import product, skips_zeros
from zoo.graph_like import Norm
from zoo.graphs.graph import Graph
from zoo.layers.conv import Conv


class Linear(nn.Module):
    """x W + b, with W [in_width, out_width] drawn from Glorot's uniform distribution and b zero."""

    same_in_training = True

    def __init__(self, in_width: int, out_width: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = glorot(in_width, out_width)
        self.bias = zeros(out_width) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Return x W + b, for x [nodes, in_width]."""
        if self.bias is None:
            return product(x, self.weight)
        if skips_zeros(x):
            return product(x, self.weight) + self.bias
        return torch.addmm(self.bias, x, self.weight)

    def extra_repr(self) -> str:
        """Return the widths, for `print`."""
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}, bias={self.bias is not None}"


def glorot(*shape: int) -> nn.Parameter:
    """Return a parameter [..., in, out], uniform in ±√(6 / (in + out)) (Glorot & Bengio, AISTATS 2010, eq. 16)."""
    bound = (6 / (shape[-2] + shape[-1])) ** 0.5
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))


def zeros(*shape: int) -> nn.Parameter:
    """Return a parameter of zeros."""
    return nn.Parameter(torch.zeros(shape))


class MLPConv(Conv):
    """Linear map x W + b of each node on its own: what depth does when there is no graph to smooth over."""

    propagation = None
    same_in_training = True

    def __init__(self, in_width: int, out_width: int, *, bias: bool = True) -> None:
        super().__init__(in_width, out_width)
        self.linear = Linear(in_width, out_width, bias=bias)

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return x W + b."""
        return self.linear(graph.at_destinations(x))


class Propagation(Conv):
    """One step of propagation Â X, without weights or bias; x and the result are [nodes, width].

    norm: the weights in Â, "both" for 1/√(d_i d_j) or "right" for the mean over in-neighbours.
    """

    self_loops = "add"
    same_in_training = True

    def __init__(self, width: int, *, norm: Literal["both", "right"] = "both") -> None:
        super().__init__(width, width)
        self.norm: Norm = norm

    @property
    def propagation(self) -> Norm:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The weights in Â; a subclass may say others."""
        return self.norm

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return Â x."""
        return graph.propagate(x, self.norm)
