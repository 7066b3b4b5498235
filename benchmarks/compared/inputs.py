"""Products with the features, which no step can do without either, in whichever form is the faster."""

import time
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

# Compressed rows are tried where no larger share of the features is other than zero.
_SPARSE = 1 / 8
_TRIES = 3


class Inputs:
    """x W and xᵀ g for features x [nodes, columns]: dense, or compressed rows where those are faster.

    kinds: which form each of the two has. Without gradients.
    """

    def __init__(self, x: Tensor, width: int) -> None:
        weight, g = torch.randn(x.shape[1], width), torch.randn(x.shape[0], width)
        self.times, forward = _faster(x, weight)
        self.back, backward = _faster(x.t(), g)
        self.kinds = forward, backward


def _faster(x: Tensor, other: Tensor) -> tuple[Callable[[Tensor], Tensor], str]:
    """The faster way of multiplying by x, and its name."""

    def dense(other: Tensor) -> Tensor:
        return x @ other

    if int(x.count_nonzero()) > _SPARSE * x.numel():
        return dense, "dense"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # compressed sparse tensors are a beta feature of PyTorch
        rows = x.to_sparse_csr()

    def sparse(other: Tensor) -> Tensor:
        return rows @ other

    return min((dense, "dense"), (sparse, "sparse"), key=lambda pair: _seconds(lambda: pair[0](other)))


def _seconds(run: Callable[[], object]) -> float:
    times = []
    for _ in range(_TRIES):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)
