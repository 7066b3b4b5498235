"""Weight norms, spectra and updates against torch.linalg and against by-hand differences."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

import zoo
from zoo.layers.gat import GATConv
from zoo.layers.gcn import GCNConv
from zoo.layers.gin import GINConv
from zoo.probes.tap import Tap
from zoo.probes.weights import UpdateRatio, WeightNorms, WeightSpectrum

CONVS = {
    "one matrix": lambda: GCNConv(5, 5),
    "two matrices": lambda: GINConv(5, 5, activation=nn.Tanh),
    "heads": lambda: GATConv(5, 5, heads=5),
}


def matrices(block: nn.Module) -> list[torch.Tensor]:
    """Every matrix of a block's convolution, heads one by one."""
    found = [w.detach() for name, w in block.conv.named_parameters() if name.endswith("weight")]  # pyright: ignore[reportAttributeAccessIssue]
    return [matrix for w in found for matrix in (w if w.dim() == 3 else [w])]


@pytest.mark.parametrize("conv", list(CONVS))
def test_norms_and_spectra_equal_torch_linalg(make_case, conv):
    """Frobenius norm of all matrices of a block together, their largest and smallest singular value, to 1e-10."""
    case = make_case("connected-loops", CONVS[conv])
    reading = case.read(WeightNorms(), WeightSpectrum())
    blocks = [matrices(block) for block in case.network.blocks]
    frobenius = [math.sqrt(sum(np.square(w.numpy()).sum() for w in block)) for block in blocks]
    sigma = [np.concatenate([torch.linalg.svdvals(w).numpy() for w in block]) for block in blocks]
    np.testing.assert_allclose(reading["weights.frobenius"], frobenius, rtol=1e-10)
    np.testing.assert_allclose(reading["weights.spectral"], [s.max() for s in sigma], rtol=1e-10)
    np.testing.assert_allclose(reading["weights.smallest"], [s.min() for s in sigma], rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(reading["weights.log_bound"], sum(math.log(1 + s.max()) for s in sigma), rtol=1e-10)


def test_normalised_matrices_are_the_ones_measured():
    """Where a normaliser acts, its bound is what blocks computed with, not the parameters behind it."""
    built = zoo.build("smoke/res-gcn", {"dataset.nodes": 60, "normalizer": {"name": "frobenius", "c": 0.37}})
    with Tap(built.network, [WeightNorms(), WeightSpectrum()]) as tap:
        built.task.loss(built.network, next(built.task.batches(0)))
    reading = tap.read()
    np.testing.assert_allclose(reading["weights.frobenius"], 0.37, rtol=1e-6)
    assert (reading["weights.spectral"] < 0.37).all()
    assert all(w.norm() > 1 for w in built.network.block_matrices().values())


@pytest.mark.parametrize("conv", list(CONVS))
def test_update_ratios_equal_the_difference_by_hand(make_case, conv):
    """‖W_after − W_before‖/‖W_before‖ of each block over one step, to 1e-10."""
    case = make_case("components-isolated", CONVS[conv])
    optimizer = torch.optim.Adam(case.network.parameters(), lr=0.1)
    before = copy.deepcopy(case.network)
    with Tap(case.network, [UpdateRatio()]) as tap:
        case.loss().backward()
    optimizer.step()
    wanted = []
    for old, new in zip(before.blocks, case.network.blocks, strict=True):
        pairs = list(zip(matrices(old), matrices(new), strict=True))
        change = sum(float((b - a).square().sum()) for a, b in pairs)
        wanted.append(math.sqrt(change / sum(float(a.square().sum()) for a, _ in pairs)))
    np.testing.assert_allclose(tap.read()["updates.ratio"], wanted, rtol=1e-10)
    assert min(wanted) > 0.01


def test_blocks_without_matrices_have_no_numbers():
    """NaN in their place; the bound leaves them out."""
    two = 2 * torch.eye(3)
    norms = WeightNorms().measure([[two], [], [two, two]])["weights.frobenius"]
    torch.testing.assert_close(norms, torch.tensor([12**0.5, float("nan"), 24**0.5]), equal_nan=True)
    spectrum = WeightSpectrum().measure([[two], [], [two, two]])
    assert spectrum["weights.spectral"].isnan().tolist() == [False, True, False]
    assert float(spectrum["weights.log_bound"]) == pytest.approx(2 * math.log(3))
    ratio = UpdateRatio().measure([[two], []], [[3 * torch.eye(3)], []])["updates.ratio"]
    torch.testing.assert_close(ratio, torch.tensor([0.5, float("nan")]), equal_nan=True)


def test_weights_that_are_not_finite_are_survived():
    """A network that blew up is measured as NaN, not refused; its neighbours keep their numbers."""
    bad = torch.full((3, 3), float("inf"))
    found = WeightSpectrum().measure([[torch.eye(3)], [bad]])
    assert found["weights.spectral"].isnan().tolist() == [False, True]
    assert bool(found["weights.log_bound"].isnan())
    assert math.isinf(WeightNorms().measure([[torch.eye(3)], [bad]])["weights.frobenius"][1])


def test_half_precision_norms_do_not_overflow():
    """Norms of bfloat16 and float16 weights are taken in float32."""
    weight = torch.full((40, 40), 3e3, dtype=torch.float16)
    assert float(WeightNorms().measure([[weight]])["weights.frobenius"]) == pytest.approx(120000, rel=1e-3)
