"""What features, parameters, graph and caller have to be for a kernel's fused loops, case by case."""

from contextlib import nullcontext

import pytest
import torch

from zoo.engine.eligibility import can_fuse
from zoo.engine.kernel import KernelName
from zoo.engine.sparse_input import mark_sparse
from zoo.graphs.block_graphs import sampled_block
from zoo.graphs.graph import Graph

NODES = 600


def graph(kernel: KernelName = "compiled"):
    src, dst = torch.randint(0, NODES, (2, 2000), generator=torch.Generator().manual_seed(0))
    return Graph.from_edges(src, dst, NODES, kernel=kernel)


def sample(edges: int):
    """A block of some edges of node 0, or of all."""
    whole = graph()
    src, dst = whole.structure.src.long(), whole.structure.dst.long()
    mine = (dst == 0).nonzero().squeeze(1)[:edges]
    nodes = torch.cat([torch.tensor([0]), src[mine][src[mine] != 0].unique()])
    places = torch.stack([(nodes == node).nonzero()[0, 0] for node in src[mine]])
    return sampled_block(whole, nodes, 1, places, torch.zeros(len(mine), dtype=torch.int64))


def sparse():
    x = torch.zeros(NODES, 512)
    x[:, 0] = 1
    assert mark_sparse(x)
    return x


X, W = torch.randn(NODES, 4), torch.randn(4, 4)
CASES = {
    "plain": (graph(), X, (W, None), True),
    "double": (graph(), X.double(), (W.double(),), True),
    "half": (graph(), X.half(), (W.half(),), False),
    "mixed": (graph(), X, (W.double(),), False),
    "heads": (graph(), X[:, None], (W,), False),
    "other kernel": (graph("torch"), X, (W,), False),
    "sparse": (graph(), sparse(), (), False),
    "all in-edges": (sample(100), X, (W,), True),
    "a sample": (sample(1), X, (W,), False),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_propagation_needs(case):
    """Equal, full precision, dense matrices, a kernel with loops, and sums that are no estimates."""
    where, x, tensors, expected = CASES[case]
    assert can_fuse(where, x, *tensors, norm="both") == expected


def test_attention_takes_no_sample_at_all():
    """Its softmax is another one there."""
    assert can_fuse(graph(), X, W, norm=None)
    assert not can_fuse(sample(100), X, W, norm=None)


@pytest.mark.parametrize(("enabled", "expected"), [(True, False), (False, True)])
def test_autocast_wants_every_step_to_be_its_own(enabled, expected):
    """Not so where it is off."""
    with torch.autocast("cpu", torch.bfloat16) if enabled else nullcontext():
        assert can_fuse(graph(), X, W, norm="both") == expected


@pytest.mark.parametrize("members", [True, False])
def test_one_vmap_is_taken_by_who_knows_of_members(members):
    """And no transform within another."""
    found, whole = [], graph()

    def one(x):
        found.append(can_fuse(whole, x, norm="both", members=members))
        return x

    torch.vmap(one)(torch.stack([X, X]))
    torch.vmap(torch.func.jacrev(one))(torch.stack([X[:2, :1], X[:2, :1]]))
    assert found == [members, False]
