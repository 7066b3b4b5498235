"""Reductions over the nodes of each graph of a batch, whose nodes are numbered consecutively, graph after graph.

Half precision is computed in float32 and cast back: a running sum in bfloat16 would lose what is small.
"""

import torch
from torch import Tensor


def graph_ids(sizes: Tensor, nodes: int | None = None) -> Tensor:
    """The graph of each node, int64 [nodes]; sizes: int64 [graphs]. nodes: how many, else a GPU has to be asked."""
    return torch.repeat_interleave(torch.arange(len(sizes), device=sizes.device), sizes, output_size=nodes)


def segment_sum(x: Tensor, ids: Tensor, graphs: int) -> Tensor:
    """The sum of x [nodes, …] over the nodes of each graph: [graphs, …]; 0 for a graph without nodes."""
    return _sum(_wide(x), ids, graphs).to(x.dtype)


def segment_mean(x: Tensor, ids: Tensor, sizes: Tensor) -> Tensor:
    """The mean of x [nodes, …] over the nodes of each graph: [graphs, …]; 0 for a graph without nodes."""
    total = _sum(_wide(x), ids, len(sizes))
    return (total / _rows(sizes.clamp(min=1), x).to(total.dtype)).to(x.dtype)


def segment_max(x: Tensor, ids: Tensor, sizes: Tensor) -> Tensor:
    """The largest of x [nodes, …] among the nodes of each graph: [graphs, …]; 0 for a graph without nodes.

    Where several are the largest, each receives an equal share of the gradient.
    """
    # Filled with what no value is: at the largest value, a filling would take a share of the gradient.
    least = x.new_full((len(sizes), *x.shape[1:]), -torch.inf)
    largest = least.scatter_reduce(0, _rows(ids, x).expand_as(x), x, "amax")
    return largest.masked_fill(_rows(sizes == 0, x), 0)


def segment_softmax(scores: Tensor, ids: Tensor, sizes: Tensor) -> Tensor:
    """Softmax of scores [nodes, …] over the nodes of each graph, [nodes, …]."""
    wide = _wide(scores)
    # The softmax does not change with what is taken from all scores of a graph, so no gradient passes there.
    powers = (wide - segment_max(wide.detach(), ids, sizes).index_select(0, ids)).exp()
    return (powers / _sum(powers, ids, len(sizes)).index_select(0, ids)).to(scores.dtype)


def _sum(x: Tensor, ids: Tensor, graphs: int) -> Tensor:
    return x.new_zeros(graphs, *x.shape[1:]).index_add(0, ids, x)


def _rows(column: Tensor, x: Tensor) -> Tensor:
    """A vector over the first dimension of x, shaped to be laid over x."""
    return column.reshape(-1, *[1] * (x.dim() - 1))


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
