"""The graph as code below `zoo.graphs` sees it."""

import pytest
import torch

from zoo.graph_like import GraphLike, NetworkGraph, StructureLike
from zoo.graphs import Graph
from zoo.graphs.block_graphs import BlockGraphs


def members(protocol: type) -> set[str]:
    """The names that a protocol and those before it in its order ask for."""
    kinds = [kind for kind in protocol.__mro__ if kind.__module__ == "zoo.graph_like"]
    return {name for kind in kinds for name in vars(kind) if not name.startswith("_")}


@pytest.mark.parametrize(("kind", "protocol"), [(Graph, GraphLike), (Graph, NetworkGraph), (BlockGraphs, NetworkGraph)])
def test_graphs_have_what_is_asked_of_them(kind, protocol):
    """Each member of the protocol is there, on a class or on a graph that is made."""
    graph = Graph.from_edges(torch.tensor([0, 1]), torch.tensor([1, 2]), 3)
    subject = graph if kind is Graph else kind
    assert [name for name in sorted(members(protocol)) if not hasattr(subject, name)] == []
    assert [name for name in members(StructureLike) if not hasattr(graph.structure, name)] == []
