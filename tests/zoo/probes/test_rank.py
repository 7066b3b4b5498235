"""Effective and numerical rank against singular values."""

import numpy as np
import pytest
import torch

from zoo.layers.gcn import GCNConv
from zoo.probes.matrix import NodeMatrix
from zoo.probes.rank import Rank


def ranks(*matrices: torch.Tensor) -> dict[str, torch.Tensor]:
    """Both ranks of matrices."""
    probe = Rank()
    return probe.finish([probe.reduce(NodeMatrix(x, None, None, backward=False)) for x in matrices])


def by_svd(x: torch.Tensor) -> tuple[float, float]:
    """The exponential of the entropy of σ/Σσ, and ‖X‖_F²/‖X‖_2², from torch.linalg.svdvals."""
    sigma = torch.linalg.svdvals(x)
    share = (sigma / sigma.sum()).numpy()
    share = share[share > 1e-14]
    return float(np.exp(-(share * np.log(share)).sum())), float(sigma.square().sum() / sigma.max().square())


@pytest.mark.parametrize("of", ["gradients", "representations"])
def test_ranks_equal_those_of_singular_values(make_case, graph_name, of):
    """At each block to 1e-10, also where the last gradient has the rank of the classes less one."""
    case = make_case(graph_name, lambda: GCNConv(5, 5))
    reading = case.read(Rank(of=of))
    wanted = [by_svd(torch.from_numpy(x)) for x in case.of(of)]
    got = np.stack([reading[f"{of}.rank.effective"], reading[f"{of}.rank.numerical"]], axis=1)
    np.testing.assert_allclose(got, wanted, rtol=1e-10)


def test_matrices_of_known_rank():
    """Orthonormal columns of any scale have both ranks k, one direction has 1; widths may differ."""
    q, _ = torch.linalg.qr(torch.randn(20, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    line = torch.outer(torch.arange(1.0, 7), torch.arange(1.0, 9)).double()
    found = ranks(1e-30 * q, line, 1e30 * q)
    for name in ("rank.effective", "rank.numerical"):
        torch.testing.assert_close(found[name], torch.tensor([4, 1, 4.0]).double(), rtol=1e-10, atol=0)


def test_nothing_and_overflow_have_no_rank():
    """A zero matrix and one with infinities give NaN, and do not disturb their neighbours."""
    found = ranks(torch.eye(3), torch.zeros(3, 3), torch.full((3, 3), float("inf")), torch.eye(3))
    for series in found.values():
        assert series.isnan().tolist() == [False, True, True, False]
        assert series[[0, 3]].tolist() == pytest.approx([3, 3])
