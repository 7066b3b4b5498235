"""Operations on edge lists: pairs of int64 tensors of shape [edges]."""

import torch
from torch import Tensor


def both_directions(src: Tensor, dst: Tensor, nodes: int) -> tuple[Tensor, Tensor]:
    """Each edge and its reverse, every one of them once, sorted by source, then destination; a loop stays one edge."""
    return distinct(torch.cat([src, dst]), torch.cat([dst, src]), nodes)


def distinct(src: Tensor, dst: Tensor, nodes: int) -> tuple[Tensor, Tensor]:
    """Every edge once, sorted by source and then by destination."""
    keys = torch.unique(src * nodes + dst)
    return keys // nodes, keys % nodes
