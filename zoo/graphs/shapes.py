"""Checks of the tensors that a graph and its operators are given: what runs below them does not look."""

import torch
from torch import Tensor

from zoo.errors import BuildError


def is_on(x: Tensor, device: torch.device) -> bool:
    """Return True if x is on the device; one without a number is any of its kind."""
    return x.device == device or (x.device.type == device.type and None in (x.device.index, device.index))


def check_ends(src: Tensor, dst: Tensor, nodes: int) -> None:
    """Raise BuildError unless src and dst are integers of equal length, in 0 … nodes−1."""
    if src.shape != dst.shape or src.dim() != 1:
        raise BuildError(
            f"graph — src {list(src.shape)} and dst {list(dst.shape)} differ — expected two vectors of equal length"
        )
    if len(src):
        low, high = (int(end) for end in torch.cat([src, dst]).aminmax())
        if low < 0 or high >= nodes:
            raise BuildError(f"graph — edges join nodes {low} … {high} — expected 0 … {nodes - 1} ({nodes} nodes)")


def check_float(operator: str, x: Tensor, count: int, device: torch.device) -> None:
    """Raise BuildError unless x is a float tensor [count, …] on the device."""
    if not x.dim() or len(x) != count or not x.is_floating_point() or not is_on(x, device):
        raise BuildError(
            f"graph.{operator} — got {x.dtype} {list(x.shape)} on {x.device} — expected a float tensor of "
            f"length {count} on {device}"
        )


def check_heads(values: Tensor, weights: Tensor) -> None:
    """Raise BuildError unless values are [·, heads, d] and weights [·, heads]."""
    if values.dim() != 3 or weights.shape[1:] != values.shape[1:2]:
        raise BuildError(
            f"graph.attend — got values {list(values.shape)} and weights {list(weights.shape)} — expected "
            "[sources, heads, d] and [edges, heads]"
        )


def check_mask(keep: Tensor, edges: int) -> None:
    """Raise BuildError unless keep is bool [edges]."""
    if keep.shape != (edges,) or keep.dtype != torch.bool:
        raise BuildError(
            f"graph.edge_subgraph — got {keep.dtype} {list(keep.shape)} — expected bool [{edges}], one for each edge"
        )


def check_carried(edge_features: Tensor | None, edges: int, sizes: Tensor | None, nodes: int) -> None:
    """Raise BuildError unless there is a row for each edge, and the graphs of a batch have all nodes."""
    if edge_features is not None and len(edge_features) != edges:
        raise BuildError(
            f"graph — got edge features {list(edge_features.shape)} for {edges} edges — expected a row for each edge"
        )
    if sizes is not None and sizes.device.type == "cpu" and int(sizes.sum()) != nodes:
        raise BuildError(
            f"graph — the sizes of {len(sizes)} graphs add up to {int(sizes.sum())} — expected {nodes}, all nodes"
        )
