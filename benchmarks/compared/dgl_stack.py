"""A residual stack of `dgl.nn`, written as DGL's examples write theirs."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from compared.peer import Peer, copy, linear
from compared.points import HEADS
from compared.problem import Problem
from zoo.dgl_backend import dgl


class Stack(nn.Module):
    """Linear, ReLU → x + ReLU(conv(x)) for each block → linear."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.encoder, self.head = (linear(end) for end in problem.ends)
        self.convs = nn.ModuleList([_CONVS[problem.conv](problem.width, weights) for weights in problem.convs])

    def forward(self, graph: Any, x: Tensor) -> Tensor:
        """The logits of all nodes."""
        h = functional.relu(self.encoder(x))
        for conv in self.convs:
            h = h + functional.relu(conv(graph, h).flatten(1))
        return self.head(h)


def dgl_nn(problem: Problem) -> Peer:
    """`dgl.nn` on a DGLGraph whose self-loops are among its edges."""
    graph = dgl.graph((problem.src, problem.dst), num_nodes=problem.nodes)
    return Peer("dgl.nn", problem, Stack(problem), graph)


def _gcn(width: int, weights: dict[str, Tensor]) -> nn.Module:
    conv = dgl.nn.GraphConv(width, width, norm="both")
    copy(conv.weight, weights["weight"])
    copy(conv.bias, weights["bias"])
    return conv


def _gat(width: int, weights: dict[str, Tensor]) -> nn.Module:
    conv = dgl.nn.GATConv(width, width // HEADS, HEADS)
    copy(conv.fc.weight, weights["weight"].transpose(1, 2))
    copy(conv.attn_l, weights["source_attention"])
    copy(conv.attn_r, weights["target_attention"])
    copy(conv.bias, weights["bias"])
    return conv


def _sage(width: int, weights: dict[str, Tensor]) -> nn.Module:
    conv = dgl.nn.SAGEConv(width, width, "mean")
    copy(conv.fc_neigh.weight, weights["neighbor_weight"].t())
    copy(conv.fc_self.weight, weights["root_weight"].t())
    copy(conv.fc_self.bias, weights["bias"])
    return conv


_CONVS = {"gcn": _gcn, "gat": _gat, "sage": _sage}
