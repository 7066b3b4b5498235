"""What a graph and its operators are given has to fit: the kernels below do not look."""

import pytest
import torch

from zoo.errors import BuildError
from zoo.graphs import Graph
from zoo.graphs.shapes import is_on

NODES, EDGES = 10, 20


def ring():
    nodes = torch.arange(NODES)
    return Graph.from_edges(torch.cat([nodes, nodes]), torch.cat([nodes, (nodes + 1) % NODES]), NODES)


@pytest.mark.parametrize(
    ("call", "numbers"),
    [
        (lambda graph: graph.propagate(torch.randn(NODES + 1, 2)), r"11, 2.*10"),
        (lambda graph: graph.propagate(torch.tensor(1.0)), r"\[\].*10"),
        (lambda graph: graph.propagate(torch.ones(NODES, 2, dtype=torch.int64)), r"int64.*float"),
        (lambda graph: graph.at_edges(torch.randn(NODES - 1, 2)), r"9, 2.*10"),
        (lambda graph: graph.edge_sum(torch.randn(EDGES + 1, 2)), r"21, 2.*20"),
        (lambda graph: graph.edge_softmax(torch.randn(EDGES - 1, 2)), r"19, 2.*20"),
        (lambda graph: graph.edge_add(torch.randn(NODES, 2), torch.randn(NODES - 1, 2)), r"9, 2.*10"),
        (lambda graph: graph.attend(torch.randn(NODES, 4, 2), torch.randn(EDGES, 2)), r"10, 4, 2.*20, 2"),
        (lambda graph: graph.attend(torch.randn(NODES, 2), torch.randn(EDGES, 2)), r"10, 2.*20, 2"),
        (lambda graph: graph.edge_subgraph(torch.ones(EDGES + 1, dtype=torch.bool)), r"21.*20"),
        (lambda graph: graph.edge_subgraph(torch.ones(EDGES - 1, dtype=torch.bool)), r"19.*20"),
        (lambda graph: graph.edge_subgraph(torch.ones(EDGES, dtype=torch.int64)), r"int64.*bool"),
        (lambda graph: Graph(graph.dgl, edge_features=torch.randn(EDGES - 1, 3)), r"19, 3.*20"),
        (lambda graph: Graph(graph.dgl, sizes=torch.tensor([4, 5])), r"2 graphs.* 9 .*10"),
    ],
)
def test_both_numbers_are_in_the_error(call, numbers):
    """Each operator and each part of a graph is refused with what was given and what was expected."""
    with pytest.raises(BuildError, match=numbers):
        call(ring())


def test_a_device_without_a_number_is_any_of_its_kind():
    """A device with a number is that one alone; meta tensors stand in for a GPU's."""
    x = torch.empty(1, device="meta")
    assert is_on(x, torch.device("meta")) and not is_on(x, torch.device("cpu"))
    assert not is_on(torch.empty(1), torch.device("cuda:1"))
