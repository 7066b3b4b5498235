"""Closed-form bounds on μ(G_l) of linear GCNs, to hold measured gradients against.

Let Â be symmetric, S the limit subspace of its propagation, P the projection off S, and λ the largest |eigenvalue| of Â
off S. Blocks X_l = Â X_{l−1} W_l (+ X_{l−1} with a skip) with identity activation have

    G_{l−1} = Âᵀ G_l W_lᵀ                          without skips,
    G_{l−1} = G_l + Âᵀ G_l W_lᵀ                    with x + f(x).

S is spanned by eigenvectors, so P Â = Â P and ‖P Â‖_2 = λ, and with μ_S(G) = ‖P G‖_F

                         0 ≤ μ_S(G_{l−1}) ≤ λ‖W_l‖_2 μ_S(G_l),
    (1 − λ‖W_l‖_2)₊ μ_S(G_l) ≤ μ_S(G_{l−1}) ≤ (1 + λ‖W_l‖_2) μ_S(G_l).

Sources: gradient oversmoothing and gradient expansion of linear GNNs are arXiv 2410.04824, which measures μ off the
all-ones vector; λ off the subspace, per component, is Oono & Suzuki (ICLR 2020), for representations going forwards.
Putting the two together, gradients off one degree-weighted vector for each component (or colour class), is ours.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def bounds(last: float, spectral: Sequence[float], eigenvalue: float, *, residual: bool) -> tuple[Floats, Floats]:
    """Lower and upper bounds on μ_S(G_l), [blocks] each, first block first, from what is known at the last block L.

        without skips   0 ≤ μ_S(G_l) ≤ μ_S(G_L) Π_{k>l} λ‖W_k‖_2
        with x + f(x)   μ_S(G_L) Π_{k>l} (1 − λ‖W_k‖_2)₊ ≤ μ_S(G_l) ≤ μ_S(G_L) Π_{k>l} (1 + λ‖W_k‖_2)

    They hold for identity activation, without dropout or norms between blocks, and for weights as the blocks compute
    with them. The upper ones are attained by W_k = w·I and G_L an eigenvector of Â to the eigenvalue ±λ (with a skip,
    w and the eigenvalue have one sign; if they have opposite ones and |w|λ ≤ 1, the lower one is).

    last: μ_S(G_L). spectral: ‖W_k‖_2 of blocks 2 … L, in that order. eigenvalue: λ, `Graph.second_eigenvalue`.
    Source: arXiv 2410.04824 for the growth by products of 1 + ‖W‖_2; λ and the subspace S are ours, see the module.
    """
    gain = eigenvalue * np.asarray(spectral, dtype=np.float64)
    low, high = (np.maximum(1 - gain, 0), 1 + gain) if residual else (np.zeros_like(gain), gain)
    with np.errstate(over="ignore"):  # thousands of blocks may leave float64: the bound is then infinite
        lower, upper = (last * np.append(np.cumprod(factor[::-1])[::-1], 1.0) for factor in (low, high))
    return lower, upper
