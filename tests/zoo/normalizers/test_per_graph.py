"""Normalisers that look at all nodes of a graph look at each graph of a batch alone."""

import math
from typing import Any

import pytest
import torch
from torch_geometric.nn import norm as pyg

from registry import normalizers
from zoo.graphs import Graph
from zoo.normalizers.per_graph import GraphNorm, MeanNorm, PairNorm, node_mean

SIZES = torch.tensor([4, 1, 0, 6])
STARTS = torch.tensor([0, 4, 5, 5])
# Edges within graphs 0 and 3, both ways; node 4 is a graph of its own.
PAIRS = torch.tensor([(0, 1), (1, 2), (2, 3), (5, 6), (6, 7), (7, 5), (8, 9)]).T
NORMS = [
    ("graph", {}),
    ("instance", {}),
    ("instance", {"affine": True}),
    ("mean", {}),
    *[("pair", {"variant": variant, "scale": 2.0}) for variant in ("PN", "PN-SI", "PN-SCS")],
    ("contra", {}),
    ("contra", {"skip_neighbours": False, "temperature": 0.5}),
]


@pytest.fixture
def batch() -> Graph:
    """Four graphs, one without edges, one without nodes."""
    return Graph.from_edges(torch.cat([PAIRS[0], PAIRS[1]]), torch.cat([PAIRS[1], PAIRS[0]]), 11, sizes=SIZES)


@pytest.fixture
def x() -> torch.Tensor:
    """Features of the nodes, far from each other and from 0 in the mean of their graphs."""
    x = torch.randn(11, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return 3 * x + torch.arange(11)[:, None]


def alone(which: int) -> Graph:
    """One of the graphs of the batch by itself."""
    low, high = int(STARTS[which]), int(STARTS[which] + SIZES[which])
    inside = (PAIRS[0] >= low) & (PAIRS[0] < high)
    ends = PAIRS[:, inside] - low
    return Graph.from_edges(torch.cat([ends[0], ends[1]]), torch.cat([ends[1], ends[0]]), high - low)


def made(name: str, options: dict[str, Any]) -> Any:
    """A normaliser with parameters that are not those it starts with."""
    module = normalizers.get(name)(8, **options).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    return module


@pytest.mark.parametrize(("name", "options"), NORMS)
def test_a_batch_gives_what_each_graph_alone_gives(batch, x, name, options):
    """Values and gradients of x, to 1e-10; in training and in eval."""
    module = made(name, options)
    incoming = torch.randn_like(x)
    for training in (True, False):
        module.train(training)
        whole, apart = x.clone().requires_grad_(), x.clone().requires_grad_()
        together = module(batch, whole)
        # Batch normalisation in training refuses the graph of one node: that one is compared in closed form below.
        many = [0, 3] if name == "instance" else [0, 1, 3]
        rows = torch.cat([torch.arange(int(SIZES[k])) + STARTS[k] for k in many])
        each = torch.cat([module(alone(k), apart[STARTS[k] : STARTS[k] + SIZES[k]]) for k in many])
        torch.testing.assert_close(together[rows], each, rtol=0, atol=1e-10)
        (got,) = torch.autograd.grad(together[rows], whole, incoming[rows])
        (wanted,) = torch.autograd.grad(each, apart, incoming[rows])
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("name", "options"), NORMS)
def test_gradient(batch, x, name, options):
    """The gradient agrees with finite differences."""
    module = made(name, options)
    assert torch.autograd.gradcheck(lambda features: module(batch, features), (x.requires_grad_(),))


@pytest.mark.parametrize(("name", "options"), [each for each in NORMS if each[0] != "contra"])
def test_a_batch_of_one_graph_is_that_graph(x, name, options):
    """To rounding; without sizes nothing is computed otherwise than before there were batches."""
    module, none = made(name, options), torch.zeros(0, dtype=torch.int64)
    one = module(Graph.from_edges(none, none, 11, sizes=torch.tensor([11])), x)
    torch.testing.assert_close(one, module(Graph.from_edges(none, none, 11), x), rtol=0, atol=1e-10)
    assert torch.equal(module(Graph.from_edges(none, none, 11), x), module(None, x))


def test_graph_norm_equals_pyg(batch, x):
    """With PyG's `batch` vector."""
    ours, oracle = made("graph", {}), pyg.GraphNorm(8).double()
    for mine, other in ((ours.gamma, oracle.weight), (ours.beta, oracle.bias), (ours.alpha, oracle.mean_scale)):
        other.data.copy_(mine.data)
    torch.testing.assert_close(ours(batch, x), oracle(x, batch.graph_ids, 4), rtol=0, atol=1e-10)


def test_instance_norm_equals_pyg(batch, x):
    """With PyG's `batch` vector, the graph of one node included, which becomes the bias."""
    ours, oracle = made("instance", {"affine": True}), pyg.InstanceNorm(8, affine=True).double()
    oracle.load_state_dict({name: getattr(ours.norm, name).data for name in ("weight", "bias")})
    result = ours(batch, x)
    torch.testing.assert_close(result, oracle(x, batch.graph_ids, 4), rtol=0, atol=1e-10)
    torch.testing.assert_close(result[4], ours.norm.bias.detach(), rtol=0, atol=1e-10)


def test_pair_norm_equals_pyg(batch, x):
    """PN with PyG's `batch` vector; and the mean taken away, as PyG's MeanSubtractionNorm has it."""
    ours = made("pair", {"scale": 2.0})(batch, x)
    torch.testing.assert_close(ours, pyg.PairNorm(2.0, eps=1e-6)(x, batch.graph_ids, 4), rtol=0, atol=1e-10)
    mean = made("mean", {})(batch, x)
    torch.testing.assert_close(mean, pyg.MeanSubtractionNorm()(x, batch.graph_ids, 4), rtol=0, atol=1e-10)


def test_node_mean_at_each_node(batch, x):
    """The mean of the node's own graph."""
    means = [x[start : start + size].mean(dim=0).expand(size, -1) for start, size in zip(STARTS, SIZES, strict=True)]
    torch.testing.assert_close(node_mean(batch, x), torch.cat(means))
    torch.testing.assert_close(node_mean(None, x), x.mean(dim=0))


@pytest.mark.parametrize("name", ["graph", "instance", "pair", "mean"])
def test_bf16_is_averaged_in_float32(name):
    """A batch of large graphs in bfloat16 is within that format's rounding of the float32 result."""
    sizes, none = torch.tensor([3000, 3000]), torch.zeros(0, dtype=torch.int64)
    graph = Graph.from_edges(none, none, 6000, sizes=sizes)
    x = torch.randn(6000, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    module = normalizers.get(name)(8)
    torch.testing.assert_close(module(graph, x).float(), module(graph, x.float()), rtol=0.02, atol=0.02)


@pytest.fixture
def far() -> torch.Tensor:
    """Features of 20 nodes whose 8 channels differ in their mean."""
    return 3 * torch.randn(20, 8, dtype=torch.float64) + torch.arange(8)


@pytest.mark.parametrize("training", [True, False])
def test_equals_pyg(far, training) -> None:
    """The result and the gradients of α, γ and β equal PyG's, in training and in eval."""
    ours = GraphNorm(8, eps=1e-3).double().train(training)
    oracle = pyg.GraphNorm(8, eps=1e-3).double().train(training)
    pairs = [(ours.gamma, oracle.weight), (ours.beta, oracle.bias), (ours.alpha, oracle.mean_scale)]
    for mine, other in pairs:
        torch.nn.init.normal_(mine)
        other.data.copy_(mine.data)
    mine, other = ours(None, far), oracle(far)
    torch.testing.assert_close(mine, other, rtol=0, atol=1e-10)
    incoming = torch.randn_like(far)
    got = torch.autograd.grad(mine, [pair[0] for pair in pairs], incoming)
    wanted = torch.autograd.grad(other, [pair[1] for pair in pairs], incoming)
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-10)


def test_starts_as_instance_normalisation(far) -> None:
    """Before training it takes the whole mean away and leaves unit variance."""
    out = GraphNorm(8, eps=1e-12).double()(None, far)
    torch.testing.assert_close(out.mean(dim=0), torch.zeros(8, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(out.var(dim=0, correction=0), torch.ones(8, dtype=torch.float64), rtol=0, atol=1e-10)


def test_gradient_of_graph_norm(far) -> None:
    """The gradient agrees with finite differences."""
    module = GraphNorm(8).double()
    torch.nn.init.normal_(module.alpha)
    assert torch.autograd.gradcheck(lambda features: module(None, features), (far[:5].requires_grad_(),))


@pytest.fixture
def centred() -> torch.Tensor:
    """Features of 20 nodes whose 8 channels differ in their mean."""
    return 3 * torch.randn(20, 8, dtype=torch.float64) + torch.arange(8)


def mu(centred: torch.Tensor) -> torch.Tensor:
    """‖X − 1·γ‖_F, by projecting out the constant vector."""
    ones = torch.full((centred.shape[0], 1), centred.shape[0] ** -0.5, dtype=centred.dtype)
    return torch.linalg.matrix_norm(centred - ones @ (ones.mT @ centred))


@pytest.mark.parametrize("scale", [0.1, 1.0, 100.0])
def test_mu_is_constant(centred, scale) -> None:
    """μ of PN's output is s·√n, whatever the input."""
    out = PairNorm(8, scale=scale)(None, centred)
    assert mu(out).item() == pytest.approx(scale * math.sqrt(20), rel=1e-7)
    assert mu(PairNorm(8, scale=scale)(None, 1000 * centred)).item() == pytest.approx(scale * math.sqrt(20), rel=1e-7)


def test_pn_equals_pyg(centred) -> None:
    """PN equals PyG's PairNorm with the same eps, to 1e-10."""
    oracle = pyg.PairNorm(scale=2.0, eps=1e-6)
    torch.testing.assert_close(PairNorm(8, scale=2.0)(None, centred), oracle(centred), rtol=0, atol=1e-10)


def test_pn_si_equals_pyg(centred) -> None:
    """PN-SI equals PyG's individual scaling up to where the two put their eps."""
    oracle = pyg.PairNorm(scale=2.0, scale_individually=True, eps=0.0)
    torch.testing.assert_close(
        PairNorm(8, variant="PN-SI", scale=2.0)(None, centred), oracle(centred), rtol=1e-6, atol=1e-6
    )


def test_pn_scs_row_by_row(centred) -> None:
    """PN-SCS puts each row on the sphere of radius s, then subtracts the mean of the input."""
    out = PairNorm(8, variant="PN-SCS", scale=2.0)(None, centred)
    lengths = torch.linalg.vector_norm(out + centred.mean(dim=0), dim=1)
    torch.testing.assert_close(lengths, torch.full_like(lengths, 2.0))
    cosine = torch.nn.functional.cosine_similarity(out + centred.mean(dim=0), centred)
    torch.testing.assert_close(cosine, torch.ones_like(cosine))


def test_mean_equals_pyg(centred) -> None:
    """MeanNorm equals PyG's MeanSubtractionNorm."""
    torch.testing.assert_close(MeanNorm(8)(None, centred), pyg.MeanSubtractionNorm()(centred), rtol=0, atol=1e-10)


@pytest.mark.parametrize("variant", ["PN", "PN-SI", "PN-SCS"])
def test_equal_rows(variant) -> None:
    """Wholly smoothed features give finite values and gradients."""
    centred = torch.ones(5, 8).requires_grad_()
    out = PairNorm(8, variant=variant)(None, centred)
    out.sum().backward()
    assert torch.isfinite(out).all()
    assert centred.grad is not None and torch.isfinite(centred.grad).all()


@pytest.mark.parametrize("variant", ["PN", "PN-SI", "PN-SCS"])
def test_gradient_of_pair_norm(variant, centred) -> None:
    """The gradient agrees with finite differences."""
    module = PairNorm(8, variant=variant, scale=2.0)
    assert torch.autograd.gradcheck(lambda features: module(None, features), (centred[:5].requires_grad_(),))
