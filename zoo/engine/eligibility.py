"""The condition at run time for a kernel's fused loops: what features, parameters, graph and caller have to be."""

import torch
from torch import Tensor

from zoo.engine.kernel import FusingKernel, KernelGraph
from zoo.engine.sparse_input import skips_zeros
from zoo.graph_like import Norm
from zoo.system.private import is_one_vmap, is_transformed

_FULL = torch.float32, torch.float64


def can_fuse(graph: KernelGraph, x: Tensor, *tensors: Tensor | None, norm: Norm | None, members: bool = False) -> bool:
    """Return whether x, with parameters and skips `tensors`, can go through loops that fuse.

    That needs a kernel that has such loops, dense matrices of one full precision, no autocast, under which every step
    is PyTorch's own, and no function transform; `members` allows one `torch.vmap`. norm: of a propagation, which may be
    sampled where no sum is an estimate; None: attention, which may not.
    """
    dtype = x.dtype
    if not isinstance(graph.backend, FusingKernel) or dtype not in _FULL or x.dim() != 2:
        return False
    if is_transformed() and not (members and is_one_vmap()):
        return False
    for tensor in tensors:  # asked for each block of a step: a generator would take as long as all the rest
        if tensor is not None and tensor.dtype != dtype:
            return False
    if torch.is_autocast_enabled(x.device.type) or skips_zeros(x):
        return False
    return graph.population is None if norm is None else graph.scaling(norm, dtype)[2] is None
