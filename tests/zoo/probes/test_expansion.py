"""The slope of the gradient profile against numpy.polyfit."""

import math

import numpy as np
import pytest
import torch

from zoo.layers.gcn import GCNConv
from zoo.probes.expansion import ExpansionRate, slope
from zoo.probes.similarity import Similarity


@pytest.mark.parametrize("subspace", ["plain", "degree", "limit"])
def test_rate_equals_polyfit(make_case, graph_name, subspace):
    """Minus the slope of log μ(G_l) over l, whichever μ, to 1e-10."""
    case = make_case(graph_name, lambda: GCNConv(5, 5))
    reading = case.read(ExpansionRate(subspace=subspace), Similarity(subspace=subspace))
    mu = reading[f"gradients.mu.{subspace}"]
    wanted = -np.polyfit(np.arange(len(mu)), np.log(mu), 1)[0]
    assert reading.number(f"expansion_rate.{subspace}") == pytest.approx(wanted, rel=1e-10)


def test_blocks_without_a_number_are_left_out():
    """Zeros, infinities and NaN do not count; the others stay where they are."""
    mu = torch.tensor([8.0, 0.0, 2.0, float("nan"), float("inf"), 3.0], dtype=torch.float64)
    places = [0, 2, 5]
    assert float(slope(mu)) == pytest.approx(-np.polyfit(places, np.log(mu[places].numpy()), 1)[0], rel=1e-12)


def test_a_geometric_profile_has_its_factor():
    """Growing 1.5 times a block towards the input is log 1.5, in either precision, also at 1e-300."""
    profile = 1e-300 * 1.5 ** torch.arange(64, 0, -1, dtype=torch.float64)
    assert float(slope(profile)) == pytest.approx(math.log(1.5), rel=1e-12)
    assert float(slope((profile * 1e300).float())) == pytest.approx(math.log(1.5), rel=1e-6)


@pytest.mark.parametrize("mu", [[], [1.0], [0.0, 0.0], [0.0, 3.0], [float("nan")] * 3])
def test_fewer_than_two_have_no_slope(mu):
    """NaN where a line cannot be laid."""
    assert math.isnan(slope(torch.tensor(mu)))


def test_without_its_similarity_it_says_nothing():
    """A summary of what was not measured is left out."""
    assert ExpansionRate(subspace="limit").measure({"gradients.mu.plain": torch.ones(3)}) == {}
