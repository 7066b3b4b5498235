"""A probe of a user's own."""

import numpy as np
import pytest
import torch

import registry
from zoo.layers.gcn import GCNConv
from zoo.probes.base import MatrixProbe, Probe
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
