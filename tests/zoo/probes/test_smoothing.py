"""Dirichlet energy against dense Laplacians, mean cosine distance against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_distances

from zoo.errors import BuildError
from zoo.graphs.graph import Graph
from zoo.layers.gcn import GCNConv
from zoo.probes import smoothing
from zoo.probes.base import NodeMatrix
from zoo.probes.smoothing import MAD, Dirichlet, Rank
from zoo.probes.tap import Tap

SIDES = ("gradients", "representations")


def value(probe: Dirichlet | MAD, x: torch.Tensor, graph: Graph) -> float:
    """What a probe says of one matrix."""
    ((found,),) = [probe.finish([probe.reduce(NodeMatrix(x, graph, "both", backward=False))]).values()]
    return found.item()


@pytest.mark.parametrize("of", SIDES)
def test_energies_equal_dense_traces(make_case, graph_name, of):
    """tr(Xᵀ(D − A)X), and tr(Xᵀ(I − D^-½ A D^-½)X) without isolated nodes' part, plain and relative, to 1e-10."""
    case = make_case(graph_name, lambda: GCNConv(5, 5))
    names = ("degree", "none", "relative")
    reading = case.read(*(Dirichlet(of=of, normalization=name) for name in names))
    a = case.adjacency
    d = a.sum(1)
    scale = np.diag(1 / np.sqrt(np.maximum(d, 1)))
    combinatorial = np.diag(d) - a
    normalised = scale @ combinatorial @ scale
    for index, x in enumerate(case.of(of)):
        wanted = np.trace(x.T @ normalised @ x), np.trace(x.T @ combinatorial @ x)
        relative = wanted[0] / np.trace(x.T @ x)
        got = [reading[f"{of}.dirichlet.{name}"][index] for name in names]
        np.testing.assert_allclose(got, [*wanted, relative], rtol=1e-10)
        assert 0 <= relative <= 2


@pytest.mark.parametrize("of", SIDES)
def test_mad_equals_scikit_learn(make_case, graph_name, of):
    """The mean of sklearn's cosine distances over the edges that join two nodes, to 1e-10."""
    case = make_case(graph_name, lambda: GCNConv(5, 5))
    reading = case.read(MAD(of=of))
    src, dst = (ends.numpy() for ends in case.graph.dgl.edges(order="eid"))
    src, dst = src[src != dst], dst[src != dst]
    wanted = [cosine_distances(x)[src, dst].mean() for x in case.of(of)]
    np.testing.assert_allclose(reading[f"{of}.mad.edges"], wanted, rtol=1e-10)


def test_zero_rows_have_cosine_0(make_graph):
    """A zero row is as far from any row, zero or not, as an orthogonal one; scikit-learn has it so, too."""
    graph = make_graph("connected-loops")
    x = torch.randn(12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x[[0, 1, 7]] = 0
    src, dst = (ends.numpy() for ends in graph.dgl.edges(order="eid"))
    apart = src != dst
    wanted = cosine_distances(x.numpy())[src[apart], dst[apart]].mean()
    assert value(MAD(), x, graph) == pytest.approx(wanted, rel=1e-12)


def test_constant_features_have_no_energy(make_graph):
    """Equal rows: 0 by the plain energy and by MAD, also beside rounding; rows in proportion to √d: 0 by degree."""
    graph = make_graph("connected-loops")
    ones = torch.full((12, 2), 1e6)
    root = torch.from_numpy(np.bincount(graph.dgl.edges()[0].numpy()) ** 0.5)[:, None]
    assert value(Dirichlet(normalization="none"), ones, graph) == 0
    assert value(MAD(), ones, graph) == 0
    assert value(Dirichlet(), root, graph) < 1e-28
    assert value(Dirichlet(), ones.double(), graph) > 1


def test_only_loops_have_no_mean_distance():
    """MAD over no edges is NaN, energy over none is 0, that of a zero matrix relative to itself NaN."""
    loops = Graph.from_edges(torch.arange(3), torch.arange(3), 3)
    x = torch.randn(3, 2)
    assert np.isnan(value(MAD(), x, loops))
    assert value(Dirichlet(), x, loops) == 0
    assert np.isnan(value(Dirichlet(normalization="relative"), 0 * x, loops))


def test_taking_edges_in_turns_does_not_matter(make_case, monkeypatch):
    """Large graphs are summed by parts of the edges; the sums are the same."""
    case = make_case("connected-loops", lambda: GCNConv(5, 5))
    probes = [Dirichlet(), Dirichlet(normalization="none"), MAD()]
    whole = case.read(*probes)
    monkeypatch.setattr(smoothing, "_NUMBERS", 15)
    parts = case.read(*probes)
    for name, series in whole.items():
        np.testing.assert_allclose(parts[name], series, rtol=1e-13)


def test_blocks_without_a_graph_have_no_neighbours():
    """An error that says what a block has to be called with."""
    net = torch.nn.Sequential(torch.nn.Linear(2, 2))
    with Tap(net, [Dirichlet()], blocks=net), pytest.raises(BuildError, match=r"called as block\(graph, x\)"):
        net(torch.ones(3, 2))


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
