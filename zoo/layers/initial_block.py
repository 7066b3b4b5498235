"""The block of networks whose convolution reads X_0 besides its input: GCNII and EGNN."""

from collections.abc import Sequence

from torch import Tensor, nn

from zoo.graphs.graph import Graph
from zoo.layers.activation import activated
from zoo.layers.feature_norms import apply_norms


class InitialBlock(nn.Module):
    """dropout → conv, called as `conv(graph, x, first)` → norms → activation."""

    same_in_training = True

    def __init__(
        self, conv: nn.Module, *, norms: Sequence[nn.Module] = (), activation: nn.Module, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.conv = conv
        self.norms = nn.ModuleList(norms)
        self.activation = activation

    def forward(self, graph: Graph, x: Tensor, first: Tensor | None = None) -> Tensor:
        """x, first: [nodes, width], the block's input and X_0; the result is [nodes, width]."""
        assert first is not None, "the network's encoder gives X_0"
        update = self.conv(graph, self.dropout(x), first)
        return activated(self.activation, apply_norms(self.norms, graph, update, graph.at_destinations(x)))
