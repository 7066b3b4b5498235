"""What probes share of one matrix is computed once."""

import pytest
import torch

from zoo.errors import BuildError
from zoo.graphs.subspace import Constant
from zoo.probes.matrix import NodeMatrix


def test_a_split_is_made_once_and_follows_the_direction(make_graph):
    """Limits differ between the two directions of means; asking twice gives the same objects."""
    x = torch.randn(12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    graph = make_graph("components-loops")
    forward, backward = (NodeMatrix(x, graph, "right", backward=way) for way in (False, True))
    assert forward.split("limit") is forward.split("limit")
    for matrix in (forward, backward):
        off, _ = graph.subspace("limit", "right", backward=matrix.backward).split(x)
        assert torch.equal(matrix.split("limit")[0], off)
    assert forward.split("limit")[1] != backward.split("limit")[1]


def test_plain_needs_no_graph_and_others_say_so():
    """Without a graph there is only the mean row."""
    matrix = NodeMatrix(torch.ones(3, 2), None, "both", backward=False)
    assert torch.equal(matrix.split("plain")[0], Constant().split(matrix.x)[0])
    with pytest.raises(BuildError, match="subspace=plain needs no graph"):
        matrix.split("limit")


def test_gram_is_in_float64():
    """Squares of small float32 numbers stay above 0."""
    gram = NodeMatrix(torch.full((2, 2), 1e-30), None, None, backward=False).gram
    torch.testing.assert_close(gram, torch.full((2, 2), 2e-60, dtype=torch.float64), rtol=1e-6, atol=0)
