"""Reductions over the nodes of each graph of a batch, whose nodes are numbered through, graph after graph."""

import torch
from torch import Tensor


def graph_ids(sizes: Tensor) -> Tensor:
    """The graph of each node, int64 [nodes]; sizes: int64 [graphs]."""
    return torch.repeat_interleave(torch.arange(len(sizes), device=sizes.device), sizes)


def segment_sum(x: Tensor, ids: Tensor, graphs: int) -> Tensor:
    """The sum of x [nodes, …] over the nodes of each graph: [graphs, …]; 0 for a graph without nodes."""
    return x.new_zeros(graphs, *x.shape[1:]).index_add(0, ids, x)


def segment_mean(x: Tensor, ids: Tensor, sizes: Tensor) -> Tensor:
    """The mean of x [nodes, …] over the nodes of each graph: [graphs, …]; 0 for a graph without nodes."""
    count = sizes.clamp(min=1).to(x.dtype).reshape(-1, *[1] * (x.dim() - 1))
    return segment_sum(x, ids, len(sizes)) / count
