"""Readouts with gates: what the head sees of a propagation's steps."""

from collections.abc import Sequence

import torch
from torch import Tensor

from zoo.layers.linear import Linear
from zoo.layers.residual import Residual


class AdaptiveReadout(Residual):
    """Σ_l sigmoid(X_l s + b) X_l over l = 0 … L, X_0 the encoder's output (Liu et al., KDD 2020: adaptive adjustment).

    Each node weighs the sizes of neighbourhood by itself; s is [width, 1]. Blocks have no skip.
    """

    same_in_training = True
    collects = True
    reads_first = True

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = Linear(width, 1)

    def forward(self, x: Tensor, update: Tensor, first: Tensor | None) -> Tensor:
        """Return the update."""
        return update

    def readout(self, outputs: Sequence[Tensor]) -> Tensor:
        """Weigh X_0 and the outputs of all blocks, [nodes, width] each, and add them up."""
        stacked = torch.stack(list(outputs))
        return (torch.sigmoid(self.gate(stacked.flatten(0, 1))).view(*stacked.shape[:2], 1) * stacked).sum(dim=0)
