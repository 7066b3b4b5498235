"""Graph convolution of Kipf & Welling (ICLR 2017)."""

from typing import Literal

from zoo.engine.affine import Affine
from zoo.graph_like import Norm
from zoo.layers.conv import FusedConv
from zoo.layers.linear import glorot, zeros


class GCNConv(FusedConv):
    """Graph convolution Â X W + b (Kipf & Welling, ICLR 2017, eq. 2).

    norm: the weights in Â, "both" for 1/√(d_i d_j) or "right" for the mean over in-neighbours. Self-loops are the
    graph's business. Multiplies and propagates in whichever order moves fewer columns over the edges.
    """

    self_loops = "add"
    same_in_training = True

    def __init__(
        self, in_width: int, out_width: int, *, norm: Literal["both", "right"] = "both", bias: bool = True
    ) -> None:
        super().__init__(in_width, out_width)
        self.norm: Norm = norm
        self.weight = glorot(in_width, out_width)
        self.bias = zeros(out_width) if bias else None

    @property
    def propagation(self) -> Norm:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The weights in Â; a subclass may say others."""
        return self.norm

    def operands(self) -> Affine:
        """Return those of Â x W + b."""
        return Affine(self.weight, self.norm, bias=self.bias)
