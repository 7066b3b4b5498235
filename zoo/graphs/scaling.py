"""Propagation by degrees as row scalings around an unweighted sum."""

from typing import NamedTuple

import torch
from torch import Tensor

from zoo.graph_like import Norm


class Scaling(NamedTuple):
    """Columns [n, 1] to multiply with before and after the sum; None is 1.

    loops: what to add of a node's own features, because a sample's factor ρ counted its loops too often; None is 0.
    """

    before: Tensor | None
    after: Tensor | None
    loops: Tensor | None = None


def by_degrees(norm: Norm, incoming: Tensor, outgoing: Tensor, dtype: torch.dtype) -> Scaling:
    """The weights of `Graph.propagate`; incoming: in-degrees [nodes], outgoing: out-degrees [sources]."""
    inwards, outwards = (degrees.clamp(min=1).to(dtype)[:, None] for degrees in (incoming, outgoing))
    before, after = {
        "both": (outwards.rsqrt(), inwards.rsqrt()),
        "right": (None, inwards.reciprocal()),
        "left": (outwards.reciprocal(), None),
        "sum": (None, None),
    }[norm]
    return Scaling(before, after)


def of_sample(scaling: Scaling, rho: Tensor, loops: Tensor) -> Scaling:
    """The scaling with every edge counted ρ times, but a node's loops once each; see `SamplingWeights`.

    rho, loops: [nodes], rho in the scaling's precision. The loops of a node v add ρ·ℓ·w·x_v to the sum, with
    w = before·after, and (1−ρ)·ℓ·w·x_v corrects.
    """
    rho = rho[:, None]
    before = torch.ones_like(rho) if scaling.before is None else scaling.before[: len(rho)]
    after = torch.ones_like(rho) if scaling.after is None else scaling.after
    return Scaling(scaling.before, after * rho, loops[:, None] * (1 - rho) * before * after)
