"""Operators for several members at once, against one member after the other."""

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from zoo.engine.operators import (
    EdgeAdd,
    EdgeDot,
    EdgeGather,
    EdgeSoftmax,
    EdgeSum,
    NeighbourSum,
    SoftmaxSum,
    WeightedSum,
)
from zoo.graphs.graph import Graph

NODES, MEMBERS, HEADS, WIDTH = 7, 3, 2, 4


@pytest.fixture(params=["compiled", "dgl", "torch"])
def graph(request):
    """A directed graph with a repeated edge, a loop, and a node without edges."""
    src = torch.tensor([0, 1, 2, 3, 4, 5, 1, 1, 0, 2])
    dst = torch.tensor([1, 2, 0, 1, 4, 0, 2, 5, 3, 5])
    return Graph.from_edges(src, dst, NODES, request.param)


def operators(graph):
    """Each operator as a function of tensors, and the shapes that it takes."""
    kernel, structure = graph.backend, graph.structure
    scales = torch.rand(2, NODES, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 0.5
    factors = torch.tensor([[0.0, 2.0], [2.0, 2.0]], dtype=torch.float64).repeat(graph.edges // 2, 1)
    rows, heads = (NODES, WIDTH), (NODES, HEADS, WIDTH)
    edges = (graph.edges, HEADS)
    return {
        "sum": (lambda x: NeighbourSum.apply(x, kernel, None, None, False), [rows]),
        "scaled, reversed": (lambda x: NeighbourSum.apply(x, kernel, *scales, True), [rows]),
        "weighted": (lambda x, w: WeightedSum.apply(x, w, kernel, False), [heads, edges]),
        "weighted, reversed": (lambda x, w: WeightedSum.apply(x, w, kernel, True), [heads, edges]),
        "dot": (lambda left, right: EdgeDot.apply(left, right, kernel), [heads, heads]),
        "add": (lambda left, right: EdgeAdd.apply(left, right, structure), [rows, rows]),
        "edge sum": (lambda z: EdgeSum.apply(z, structure, False), [edges]),
        "at sources": (lambda y: EdgeGather.apply(y, structure, True), [rows]),
        "softmax": (lambda s: EdgeSoftmax.apply(s, structure), [edges]),
        "softmax sum": (lambda x, s: SoftmaxSum.apply(x, s, None, kernel)[0], [heads, edges]),
        "dropped": (
            lambda x, s: torch.cat([part.flatten() for part in SoftmaxSum.apply(x, s, factors, kernel)]),
            [heads, edges],
        ),
    }


NAMES = [
    *("sum", "scaled, reversed", "weighted", "weighted, reversed", "dot", "add", "edge sum", "at sources", "softmax"),
    *("softmax sum", "dropped"),
]


def drawn(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", [0, 1, -1])
def test_members_at_once_are_members_one_by_one(graph, name, place):
    """Result and gradients in float64, wherever the dimension of the members lies."""
    operator, shapes = operators(graph)[name]
    given = [drawn(MEMBERS, *shape) for shape in shapes]
    moved = [tensor.movedim(0, place) for tensor in given]
    at_once = torch.vmap(operator, in_dims=place)(*moved)
    one_by_one = torch.stack([operator(*(tensor[member] for tensor in given)) for member in range(MEMBERS)])
    torch.testing.assert_close(at_once, one_by_one, rtol=1e-12, atol=1e-12)
    toward = drawn(*at_once.shape)
    found, expected = (torch.autograd.grad(result, given, toward) for result in (at_once, one_by_one))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["weighted", "dot", "add"])
@pytest.mark.parametrize("shared", [0, 1])
def test_what_members_share_is_one_for_all(graph, name, shared):
    """An operand without that dimension gets the sum of the members' gradients."""
    operator, shapes = operators(graph)[name]
    given = [drawn(*([] if index == shared else [MEMBERS]), *shape) for index, shape in enumerate(shapes)]
    in_dims = tuple(None if index == shared else 0 for index in range(2))
    at_once = torch.vmap(operator, in_dims=in_dims)(*given)
    one_by_one = torch.stack(
        [
            operator(*(tensor if index == shared else tensor[member] for index, tensor in enumerate(given)))
            for member in range(MEMBERS)
        ]
    )
    torch.testing.assert_close(at_once, one_by_one, rtol=1e-12, atol=1e-12)
    found, expected = (torch.autograd.grad(result.square().sum(), given) for result in (at_once, one_by_one))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_finite_differences(graph, name):
    """Once and twice, for one member and for several."""
    operator, shapes = operators(graph)[name]
    assert gradcheck(operator, [drawn(*shape) for shape in shapes])
    assert gradgradcheck(operator, [drawn(*shape) for shape in shapes])
    assert gradcheck(torch.vmap(operator), [drawn(2, *shape) for shape in shapes])


def test_no_edges_and_no_members_side_by_side():
    """A graph without edges sums to 0 for each member."""
    graph = Graph.from_edges(torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), 3, "torch")
    found = torch.vmap(graph.propagate)(torch.ones(2, 3, 4))
    assert found.shape == (2, 3, 4) and not found.any()
