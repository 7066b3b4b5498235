"""The weight matrices of the blocks, and what the optimiser does to them."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn

from zoo.layers.network import Network
from zoo.probes.base import Probe
from zoo.system.private import foreach_norm, foreach_sub


class WeightNorms(Probe):
    """‖W_l‖_F of the matrices that block l computed with (normalised ones where a normaliser acts).

    Several matrices or heads of a block count as one; NaN for a block that has none. Name: `weights.frobenius`.
    """

    reads = "weights"

    def measure(self, weights: Sequence[Sequence[Tensor]]) -> dict[str, Tensor]:
        """The norms, [blocks]."""
        return {"weights.frobenius": _joint_norms(weights)}


class WeightSpectrum(Probe):
    """The largest and the smallest singular value of each block's matrices, and the bound that they give.

    Of several matrices or heads, the extremes over all; NaN of matrices that are not finite. The bound
    Π_l (1 + ‖W_l‖_2) is that on the growth of a gradient through residual blocks with one matrix, ‖Â‖_2 ≤ 1 and a
    1-Lipschitz activation (arXiv 2410.04824); as a logarithm.

    Names: `weights.spectral`, `weights.smallest`, `weights.log_bound`.
    """

    reads = "weights"

    def measure(self, weights: Sequence[Sequence[Tensor]]) -> dict[str, Tensor]:
        """Singular values by batches of equal shapes."""
        where = [(place, weight.double()) for place, block in enumerate(weights) for weight in block]
        ends: dict[int, list[Tensor]] = {}
        for shape in {weight.shape for _, weight in where}:
            places, alike = zip(*[pair for pair in where if pair[1].shape == shape], strict=True)
            stacked = torch.stack(alike)
            finite = torch.isfinite(stacked).all(dim=(-2, -1), keepdim=True)  # the others would raise
            values = torch.linalg.svdvals(torch.where(finite, stacked, 0.0))
            values = torch.where(finite.squeeze(-1), values, float("nan")).flatten(1)
            for place, pair in zip(places, torch.stack(values.aminmax(dim=1)).T, strict=True):
                ends.setdefault(place, []).append(pair)
        nothing = where[0][1].new_full((1, 2), float("nan"))
        pairs = [torch.stack(ends[place]) if place in ends else nothing for place in range(len(weights))]
        smallest = torch.stack([pair[:, 0].amin() for pair in pairs])
        largest = torch.stack([pair[:, 1].amax() for pair in pairs])
        return {
            "weights.spectral": largest,
            "weights.smallest": smallest,
            "weights.log_bound": torch.stack(
                [log for log, block in zip(largest.log1p(), weights, strict=True) if block]
            ).sum(),
        }


class UpdateRatio(Probe):
    """‖ΔW_l‖_F/‖W_l‖_F of the stored matrices in one optimiser step: too large is unstable, too small learns nothing.

    Name: `updates.ratio`.
    """

    reads = "updates"

    def measure(self, before: Sequence[Sequence[Tensor]], after: Sequence[Sequence[Tensor]]) -> dict[str, Tensor]:
        """The ratios, [blocks]."""
        flat = [[weight for block in side for weight in block] for side in (after, before)]
        steps = iter(foreach_sub(*flat))
        changes = [[next(steps) for _ in block] for block in before]
        return {"updates.ratio": _joint_norms(changes) / _joint_norms(before)}


def _joint_norms(weights: Sequence[Sequence[Tensor]]) -> Tensor:
    """The norm of each block's matrices taken together, [blocks]; one fused call for all."""
    norms = iter(foreach_norm([weight.float() if weight.dtype.itemsize < 4 else weight for weight in _flat(weights)]))
    if all(len(block) == 1 for block in weights):
        return torch.stack(list(norms))
    each = [[next(norms) for _ in block] for block in weights]
    nothing = next(norm for block in each for norm in block).new_full((), float("nan"))
    return torch.stack([torch.stack(block).norm() if block else nothing for block in each])


def _flat(weights: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    return [weight for block in weights for weight in block]


class NormalizerBound(Probe):
    """The bound c of each block's weight normaliser, as `c: adaptive` moves it; the mean over a block's matrices.

    Nothing where no normaliser has a bound, NaN at blocks that have none. Name: `weights.c`.
    """

    def measure(self, network: nn.Module) -> dict[str, Tensor]:
        """The bounds, [blocks]."""
        if not isinstance(network, Network) or not (bounds := network.bounds()):
            return {}
        return {"weights.c": block_means(bounds, len(network.blocks))}


def block_means(bounds: Sequence[tuple[list[int], Tensor]], blocks: int) -> Tensor:
    """The mean c of each block's matrices, [blocks], in float64; from what `Network.bounds` gives."""
    place = _index(tuple(block for places, _ in bounds for block in places), bounds[0][1].device)
    c = torch.cat([c.detach().flatten(1)[:, 0].double() for _, c in bounds])
    total, count = torch.zeros(2, blocks, dtype=torch.float64, device=c.device)
    return total.index_add_(0, place, c) / count.index_add_(0, place, torch.ones_like(c))


@lru_cache(maxsize=16)
def _index(places: tuple[int, ...], device: torch.device) -> Tensor:
    """The places on the device; kept, as a host that brings numbers to a GPU waits for it."""
    return torch.tensor(places, device=device)
