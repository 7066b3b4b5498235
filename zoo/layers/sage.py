"""GraphSAGE of Hamilton, Ying & Leskovec (NeurIPS 2017)."""

from typing import Literal

from zoo.engine.affine import Affine
from zoo.graph_like import Norm
from zoo.layers.conv import FusedConv
from zoo.layers.linear import glorot, zeros


class SAGEConv(FusedConv):
    """GraphSAGE: x_i W_root + aggregate_j(x_j) W_neighbor + b (Hamilton et al., NeurIPS 2017, algorithm 1).

    aggregator: "mean" or "sum" over in-neighbours. Two matrices in place of one on the concatenation; no ℓ₂
    normalisation.
    """

    self_loops = "avoid"
    same_in_training = True

    def __init__(
        self, in_width: int, out_width: int, *, aggregator: Literal["mean", "sum"] = "mean", bias: bool = True
    ) -> None:
        super().__init__(in_width, out_width)
        self.norm: Norm = "right" if aggregator == "mean" else "sum"
        self.root_weight = glorot(in_width, out_width)
        self.neighbor_weight = glorot(in_width, out_width)
        self.bias = zeros(out_width) if bias else None

    @property
    def propagation(self) -> Norm:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The weights in Â; a subclass may say others."""
        return self.norm

    def operands(self) -> Affine:
        """Return those of Â x W_neighbor + x W_root + b."""
        return Affine(self.neighbor_weight, self.norm, self.root_weight, self.bias)
