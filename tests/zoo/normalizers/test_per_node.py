"""NodeNorm's five variants against numpy, node by node."""

import numpy as np
import pytest
import torch
from torch import nn
from torch_geometric.nn import norm as pyg

from zoo.errors import BuildError
from zoo.graphs import Graph
from zoo.layers.gcn import GCNConv
from zoo.layers.residual import AddSkip
from zoo.models.stack import Stack
from zoo.normalizers.per_node import MessageNorm, NodeNorm

VARIANTS = ["n", "v", "m", "srv", "pr"]


@pytest.fixture
def x() -> torch.Tensor:
    """Features of 20 nodes whose 8 channels differ in their mean."""
    return 3 * torch.randn(20, 8, dtype=torch.float64) + torch.arange(8)


@pytest.mark.parametrize("variant", VARIANTS)
def test_formula(x, variant) -> None:
    """Each variant is the paper's formula, computed for one node after the other."""
    rows = []
    for row in x.numpy():
        mean, std = np.mean(row), np.sqrt(np.var(row) + 1e-3)
        rows.append(
            {
                "n": (row - mean) / std,
                "v": row / std,
                "m": row - mean,
                "srv": row / np.sqrt(std),
                "pr": row / np.cbrt(std),
            }[variant]
        )
    norm = NodeNorm(8, variant=variant, p=3 if variant == "pr" else None, eps=1e-3)
    torch.testing.assert_close(norm(None, x), torch.from_numpy(np.stack(rows)), rtol=0, atol=1e-12)


def test_n_is_layer_normalisation(x) -> None:
    """Variant n, the default, is PyTorch's layer normalisation without affine parameters."""
    torch.testing.assert_close(NodeNorm(8)(None, x), torch.nn.functional.layer_norm(x, (8,)), rtol=0, atol=1e-12)


def test_root_defaults_to_two(x) -> None:
    """Variant pr without p is srv."""
    assert torch.equal(NodeNorm(8, variant="pr")(None, x), NodeNorm(8, variant="srv")(None, x))


def test_root_belongs_to_pr() -> None:
    """A p that would not be read is an error."""
    with pytest.raises(BuildError, match=r"normalizer\.node\.p — variant srv .* variant: pr"):
        NodeNorm(8, variant="srv", p=3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradient(variant, x) -> None:
    """The gradient agrees with finite differences."""
    module = NodeNorm(8, variant=variant)
    assert torch.autograd.gradcheck(lambda features: module(None, features), (x[:5].requires_grad_(),))


class Kept(nn.Module):
    """A norm that changes nothing and notes what it is called on."""

    reads_input = True

    def __init__(self, seen: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
        super().__init__()
        self.seen = seen

    def forward(self, graph: Graph, x: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        """Return x."""
        self.seen.append((x, before))
        return x


@pytest.mark.parametrize("learn_scale", [False, True])
def test_equals_pyg(learn_scale) -> None:
    """Result and gradients equal PyG's for the same s, learned or not; the widths of m and x may differ."""
    x, m = torch.randn(20, 5, dtype=torch.float64), torch.randn(20, 8, dtype=torch.float64)
    ours = MessageNorm(8, scale=0.7, learn_scale=learn_scale).double()
    oracle = pyg.MessageNorm(learn_scale).double()
    oracle.scale.data.fill_(ours.scale.item())
    mine, other = ours(None, m.requires_grad_(), x.requires_grad_()), oracle(x, m)
    torch.testing.assert_close(mine, other, rtol=0, atol=1e-12)
    incoming = torch.randn_like(m)
    inputs = [[x, m, norm.scale] if learn_scale else [x, m] for norm in (ours, oracle)]
    got, wanted = (torch.autograd.grad(y, of, incoming) for y, of in zip((mine, other), inputs, strict=True))
    for ours_grad, theirs in zip(got, wanted, strict=True):
        torch.testing.assert_close(ours_grad, theirs.view_as(ours_grad), rtol=0, atol=1e-12)


@pytest.mark.parametrize("learn_scale", [False, True])
def test_s_is_a_parameter_only_where_it_is_learned(learn_scale) -> None:
    """The scale is saved with the network in both cases, and an optimiser sees it where it is learned."""
    norm = MessageNorm(8, scale=0.5, learn_scale=learn_scale)
    assert [name for name, _ in norm.named_parameters()] == (["scale"] if learn_scale else [])
    assert norm.state_dict()["scale"] == 0.5


def test_a_node_that_hears_nothing() -> None:
    """A zero message stays zero, and its gradient is s‖x_i‖ times what comes in."""
    m, x = torch.zeros(2, 8, requires_grad=True), torch.randn(2, 8)
    out = MessageNorm(8, scale=0.5)(None, m, x)
    incoming = torch.randn(2, 8)
    (grad,) = torch.autograd.grad(out, m, incoming)
    assert torch.equal(out, torch.zeros(2, 8))
    torch.testing.assert_close(grad, 0.5 * torch.linalg.norm(x, dim=1, keepdim=True) * incoming)


def test_before_the_convolution() -> None:
    """Where there is no message yet, the message being the input itself, s·x is what comes out."""
    x = torch.randn(20, 8)
    torch.testing.assert_close(MessageNorm(8, scale=0.5)(None, x, x), 0.5 * x)


def test_the_input_is_asked_for() -> None:
    """Called on messages alone it says what is missing."""
    with pytest.raises(BuildError, match=r"normalizer\.message .* norm\(graph, x, before\)"):
        MessageNorm(8)(None, torch.randn(2, 8))


@pytest.mark.parametrize("ends", ["linear", "conv"])
def test_in_a_network(ends) -> None:
    """In every block of a stack the message that leaves the norm is as long as the node's own features."""
    torch.manual_seed(0)
    here = torch.arange(12)
    graph = Graph.from_edges(torch.cat([here, here]), torch.cat([(here + 1) % 12, here]), 12)
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    norms = [MessageNorm, lambda width: Kept(seen)]
    network = Stack(6, 4, norms, conv=GCNConv, residual=AddSkip, depth=3, width=8, ends=ends, activation=nn.ELU)
    network(graph, torch.randn(12, 6))
    assert len(seen) == (3 if ends == "linear" else 2)
    for message, before in seen:
        torch.testing.assert_close(torch.linalg.norm(message, dim=1), torch.linalg.norm(before, dim=1))


def test_gradient_of_message() -> None:
    """The gradient agrees with finite differences."""
    module = MessageNorm(8, scale=2.0).double()
    inputs = [torch.randn(5, 8, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(lambda m, x: module(None, m, x), inputs)
