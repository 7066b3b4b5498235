"""A residual stack of PyG's convolutions, with an edge index or with a sparse matrix."""

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from compared.peer import Peer, copy, linear
from compared.points import HEADS
from compared.problem import Problem

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch_geometric.nn import GATConv, GCNConv, SAGEConv


class Stack(nn.Module):
    """Linear, ReLU → x + ReLU(conv(x)) for each block → linear."""

    def __init__(self, problem: Problem, *, sparse: bool) -> None:
        super().__init__()
        self.encoder, self.head = (linear(end) for end in problem.ends)
        self.convs = nn.ModuleList([_CONVS[problem.conv](problem.width, weights, sparse) for weights in problem.convs])

    def forward(self, edges: Tensor, x: Tensor) -> Tensor:
        """The logits of all nodes; edges: an edge index, or a sparse matrix with a row for each destination."""
        h = functional.relu(self.encoder(x))
        for conv in self.convs:
            h = h + functional.relu(conv(h, edges))
        return self.head(h)


def pyg_cached(problem: Problem) -> Peer:
    """PyG on an edge index whose self-loops are in it; GCN's normalisation is computed once and kept."""
    edges = torch.stack([problem.src, problem.dst])
    return Peer("pyg-cached", problem, Stack(problem, sparse=False), edges)


def pyg_sparse(problem: Problem) -> Peer:
    """PyG on a sparse matrix of PyTorch, in compressed rows; for GCN it holds the normalised weights."""
    values = torch.ones(len(problem.src), device=problem.src.device)
    if problem.conv == "gcn":
        into = torch.bincount(problem.dst, minlength=problem.nodes).clamp(min=1).float().rsqrt()
        out_of = torch.bincount(problem.src, minlength=problem.nodes).clamp(min=1).float().rsqrt()
        values = into[problem.dst] * out_of[problem.src]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # compressed sparse tensors are a beta feature of PyTorch
        places = torch.stack([problem.dst, problem.src])
        matrix = torch.sparse_coo_tensor(places, values, (problem.nodes, problem.nodes)).coalesce().to_sparse_csr()
    return Peer("pyg-sparse", problem, Stack(problem, sparse=True), matrix)


def _gcn(width: int, weights: dict[str, Tensor], sparse: bool) -> nn.Module:
    options: dict[str, Any] = {"normalize": False} if sparse else {"cached": True, "add_self_loops": False}
    conv = GCNConv(width, width, **options)
    copy(conv.lin.weight, weights["weight"].t())
    copy(conv.bias, weights["bias"])
    return conv


def _gat(width: int, weights: dict[str, Tensor], sparse: bool) -> nn.Module:
    conv = GATConv(width, width // HEADS, heads=HEADS, add_self_loops=False)
    lin: Any = conv.lin
    copy(lin.weight, weights["weight"].transpose(1, 2).reshape(lin.weight.shape))
    copy(conv.att_src, weights["source_attention"])
    copy(conv.att_dst, weights["target_attention"])
    copy(conv.bias, weights["bias"])
    return conv


def _sage(width: int, weights: dict[str, Tensor], sparse: bool) -> nn.Module:
    conv = SAGEConv(width, width)
    copy(conv.lin_l.weight, weights["neighbor_weight"].t())
    copy(conv.lin_l.bias, weights["bias"])
    copy(conv.lin_r.weight, weights["root_weight"].t())
    return conv


_CONVS = {"gcn": _gcn, "gat": _gat, "sage": _sage}
