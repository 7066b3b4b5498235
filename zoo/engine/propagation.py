"""Propagation by degrees and by attention: sums over in-neighbours, differentiable any number of times.

Features are float tensors on the graph's device; half precision is computed in float32 and cast back.
"""

import math
from typing import Any

import torch
from torch import Tensor

from zoo.engine.kernel import KernelGraph
from zoo.engine.operators import NeighbourSum, SoftmaxSum, WeightedSum
from zoo.graph_like import Norm


def propagate(graph: KernelGraph, x: Tensor, norm: Norm = "both") -> Tensor:
    """Â x: each node's sum over its in-neighbours, weighted by degrees; x: [sources, …], the result: [nodes, …].

    With d⁻ the in-degree of the destination and d⁺ the out-degree of the source, both at least 1, the weight of an edge
    is 1/√(d⁻d⁺) for "both" (Kipf & Welling, ICLR 2017, eq. 2, where the graph has self-loops), 1/d⁻ for "right" (the
    mean), 1/d⁺ for "left", 1 for "sum". Isolated nodes give 0.
    """
    wide = flat(x)
    before, after, loops = graph.scaling(norm, wide.dtype)
    y: Any = NeighbourSum.apply(wide, graph.backend, before, after, False)
    if loops is not None:
        y = torch.addcmul(y, loops, graph.at_destinations(wide))
    return y.reshape(graph.nodes, *x.shape[1:]).to(x.dtype)


def attend(graph: KernelGraph, values: Tensor, weights: Tensor) -> Tensor:
    """Σ over in-edges of weight times source value: values [sources, heads, d], weights [edges, heads]."""
    wide = at_least_single(values)
    y: Any = WeightedSum.apply(wide, weights.to(wide.dtype), graph.backend, False)
    return y.to(values.dtype)


def softmax_sum(graph: KernelGraph, values: Tensor, scores: Tensor, factors: Tensor | None = None) -> Tensor:
    """`attend` by the softmax of scores [edges, heads] over in-edges, times factors [edges, heads] without gradient."""
    wide = at_least_single(values)
    factors = None if factors is None else factors.to(wide.dtype)
    y: Any = SoftmaxSum.apply(wide, scores.to(wide.dtype), factors, graph.backend)[0]  # pyright: ignore
    return y.to(values.dtype)


def at_least_single(x: Tensor) -> Tensor:
    """X in float32 or float64."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def flat(x: Tensor) -> Tensor:
    """X [rows, …] as a matrix in float32 or float64."""
    return at_least_single(x).reshape(x.shape[0], math.prod(x.shape[1:]))
