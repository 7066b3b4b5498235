"""A probe of a user's own."""

import numpy as np
import pytest
import torch

import registry
from zoo.errors import BuildError
from zoo.layers.gcn import GCNConv
from zoo.probes.base import MatrixProbe, NodeMatrix, Probe
from zoo.probes.tap import Tap


def test_a_probe_of_ones_own_works_in_a_tap(make_case):
    """Ten lines, registered under a name, measured at every block of either side."""

    @registry.probes.register("peak")
    class Peak(MatrixProbe):
        """The largest entry and the share of positive ones."""

        columns = ("peak", "positive")

        def reduce(self, matrix):
            x = matrix.x
            return [x.abs().amax(), (x > 0).double().mean()]

    case = make_case("components-isolated", lambda: GCNConv(5, 5))
    probe = registry.probes.get("peak")
    reading = case.read(probe(), probe(of="representations"))
    for side in ("gradients", "representations"):
        np.testing.assert_array_equal(reading[f"{side}.peak"], [np.abs(x).max() for x in case.of(side)])
        np.testing.assert_array_equal(reading[f"{side}.positive"], [(x > 0).mean() for x in case.of(side)])


def test_options_of_any_kind_tell_probes_apart(make_case):
    """Lists and tensors are options, too: equal lists are one probe, other values another one."""

    class Above(MatrixProbe):
        def __init__(self, levels):
            super().__init__(of="representations")
            self.levels = levels

        def reduce(self, matrix):
            return [(matrix.x > float(level)).sum() for level in self.levels]

        def finish(self, reduced):
            return {f"above.{float(self.levels[0])}": torch.tensor([[float(n) for n in row] for row in reduced])}

    case = make_case("connected-loops", lambda: GCNConv(5, 5))
    probes = [Above([0.0, 1.0]), Above([0.0, 1.0]), Above([0.5]), Above(torch.tensor([0.25])), Above(torch.ones(1))]
    reading = case.read(*probes)
    assert sorted({*reading} - {"loss"}) == [f"representations.above.{level}" for level in (0.0, 0.25, 0.5, 1.0)]
    assert reading["representations.above.0.0"].shape == (4, 2)


def test_a_half_written_probe_cannot_be_made():
    """It fails when it is made, not in the middle of a run."""
    for kind in (Probe, MatrixProbe):
        with pytest.raises(TypeError, match="abstract"):
            kind()  # pyright: ignore[reportAbstractUsage]
    assert Tap(torch.nn.Linear(1, 1), [], blocks=[]).read() == {}


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


@pytest.mark.parametrize("share", [1.0, 0.5, 0.32, 0.3, 0.01, 1e-5, 1e-9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_norms_are_right_however_little_lies_off(share, dtype):
    """By the difference of squares or by that of the matrices: the part off the subspace has its digits."""
    if dtype == torch.float32 and share < 1e-6:
        return
    noise = torch.randn(500, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    noise = noise - noise.mean(0)
    mean = torch.ones(500, 4, dtype=torch.float64)
    x = (share * noise / noise.norm() + (1 - share**2) ** 0.5 * mean / mean.norm()).to(dtype)
    off, _ = NodeMatrix(x, None, "both", backward=False).norms("plain")
    expected = (x.double() - x.double().mean(0)).norm()
    tolerance = 0.05 if share <= 1e-5 else 1e-10 if dtype == torch.float64 else 1e-4
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
