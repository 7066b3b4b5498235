"""The blocks of a network: their plan, what they keep, and edges that are dropped for them."""

import pytest
import torch
from torch import nn

from zoo.errors import ComponentError
from zoo.graphs.block_graphs import BlockGraphs
from zoo.graphs.graph import Graph
from zoo.layers.block import Block
from zoo.layers.blocks import Blocks, drop_edges, reason_apart
from zoo.layers.gcn import GCNConv
from zoo.layers.residual import AddSkip
from zoo.regularizers import Regularizer
from zoo.regularizers.drop_edge import DropEdge


def blocks(count: int = 9, dropout: float = 0.0) -> Blocks:
    return Blocks(Block(GCNConv(4, 4), residual=AddSkip(), activation=nn.ReLU(), dropout=dropout) for _ in range(count))


@pytest.fixture
def graph() -> Graph:
    return Graph.from_edges(torch.tensor([0, 1, 2, 3]), torch.tensor([1, 2, 3, 0]), 4)


def test_a_plan_is_made_once_for_each_mode():
    """Asked again it is the same one, also after a change of mode and back."""
    made = blocks(dropout=0.5)
    arguments = {"first_alone": False, "apart": None, "gradients": True}
    trained = made.plan(**arguments)
    assert "blocks 1 to 9 each one operator: it drops features" in trained.words()
    evaluated = made.eval().plan(**arguments)
    assert evaluated.words() == "9 blocks in 1 chain of 9"
    assert made.plan(**arguments) is evaluated
    assert made.train().plan(**arguments) is trained


def test_what_is_kept_in_words():
    """All, or the inputs of runs of √blocks."""
    made = blocks()
    assert made.set_activation_memory("full") == "every block keeps what its backward pass needs"
    assert made.set_activation_memory("checkpoint") == "3 inputs are kept, and runs of 3 blocks are computed again"
    lines = made.plan(first_alone=False, apart=None, gradients=True).lines()
    assert lines[0] == "9 blocks in 3 chains of 3"
    assert made.plan(first_alone=False, apart=None, gradients=False).words() == "9 blocks in 1 chain of 9"


def test_collected_outputs_are_those_of_each_block(graph):
    """The last of them is what is returned without collecting."""
    made, x = blocks(), torch.randn(4, 4)
    outputs = made.run(graph, x, x, collect=True)
    assert len(outputs) == 9
    assert torch.equal(outputs[-1], made.run(graph, x, x, collect=False)[0])


def test_why_blocks_are_run_apart(graph):
    """A graph for each, a readout of all, or edges dropped anew."""
    assert reason_apart(graph, False, []) is None
    assert reason_apart(BlockGraphs([graph]), False, []) == "each block has a graph of its own"
    assert reason_apart(graph, True, []) == "the readout reads the output of every block"
    assert reason_apart(graph, False, [DropEdge(p=0.5)]) == "edges are dropped for each block anew"


def test_a_graph_of_other_nodes_is_refused(graph):
    """The component is named."""

    class Wrong(Regularizer):
        def drop_edges(self, graph):  # pyright: ignore[reportIncompatibleMethodOverride]
            return None

    assert drop_edges(graph, [DropEdge(p=0.5)]).edges == 2
    with pytest.raises(ComponentError, match=r"Wrong.*a Graph of the same nodes — graph.edge_subgraph\(keep\)"):
        drop_edges(graph, [Wrong()])
