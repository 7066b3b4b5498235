"""What probes share of one matrix is computed once."""

import pytest
import torch

from zoo.errors import BuildError
from zoo.probes.matrix import NodeMatrix


def test_norms_are_made_once_and_follow_the_direction(make_graph):
    """Limits differ between the two directions of means; asking twice gives the same objects."""
    x = torch.randn(12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    graph = make_graph("components-loops")
    forward, backward = (NodeMatrix(x, graph, "right", backward=way) for way in (False, True))
    assert forward.norms("limit") is forward.norms("limit")
    for matrix in (forward, backward):
        parts = graph.subspace("limit", "right", backward=matrix.backward).split(x)
        torch.testing.assert_close(matrix.norms("limit"), tuple(part.norm() for part in parts), rtol=1e-12, atol=0)
    assert forward.norms("limit")[0] != backward.norms("limit")[0]


@pytest.mark.parametrize("share", [1.0, 0.5, 0.32, 0.3, 1e-2, 1e-5, 1e-9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_norms_are_right_however_little_lies_off(share, dtype):
    """By the difference of squares or by that of the matrices: the part off the subspace has its digits."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(500, 4, dtype=torch.float64, generator=generator)
    noise = noise - noise.mean(0)
    mean = torch.ones(500, 4, dtype=torch.float64)
    x = share * noise / noise.norm() + (1 - share**2) ** 0.5 * mean / mean.norm()
    off, _ = NodeMatrix(x.to(dtype), None, "both", backward=False).norms("plain")
    expected = x.to(dtype).double()
    expected = (expected - expected.mean(0)).norm()
    tolerance = 1e-10 if dtype == torch.float64 and share > 1e-5 else 1e-4 if share > 1e-5 else 0.05
    if dtype == torch.float64 or share > 1e-6:
        assert float(off) == pytest.approx(float(expected), rel=tolerance)


def test_plain_needs_no_graph_and_others_say_so():
    """Without a graph there is only the mean row."""
    matrix = NodeMatrix(torch.ones(3, 2), None, "both", backward=False)
    assert matrix.norms("plain")[0] == 0
    with pytest.raises(BuildError, match="subspace=plain needs no graph"):
        matrix.norms("limit")


def test_gram_is_in_float64():
    """Squares of small float32 numbers stay above 0."""
    gram = NodeMatrix(torch.full((2, 2), 1e-30), None, None, backward=False).gram
    torch.testing.assert_close(gram, torch.full((2, 2), 2e-60, dtype=torch.float64), rtol=1e-6, atol=0)
