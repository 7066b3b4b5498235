"""The three sets, each holding the cheaper one."""

from collections import Counter
from itertools import pairwise
from typing import Any

from registry import TABLES
from zoo.layers.gcn import GCNConv
from zoo.probes.base import Probe
from zoo.probes.presets import deep, quick, standard
from zoo.probes.weights import UpdateRatio


def keys(probes: list[Probe]) -> Counter[Any]:
    """Probes by type and options."""
    return Counter((type(probe), *sorted(vars(probe).items())) for probe in probes)


def test_each_contains_the_cheaper_one():
    """By type and options, and none names a probe twice."""
    sets = [keys(make()) for make in (quick, standard, deep)]
    for smaller, larger in pairwise(sets):
        assert smaller < larger
    assert all(max(counts.values()) == 1 for counts in sets)


def test_names_of_the_registry_are_these():
    """A recipe's `quick`, `standard` and `deep`."""
    for make in (quick, standard, deep):
        assert TABLES["probes"].get(make.__name__) is make


def test_every_probe_of_a_set_says_something(make_case):
    """On a network of convolutions each gives at least one number, all finite at every block."""
    case = make_case("components-isolated", lambda: GCNConv(5, 5))
    assert {"gradients.mu.plain", "gradients.norm", "gradients.ratio.plain"} <= set(case.read(*quick()))
    reading = case.read(*deep())
    assert {name.split(".")[0] for name in reading} >= {
        *("gradients", "representations", "weights", "errors", "jacobian", "expansion_rate")
    }
    for name, series in reading.items():
        assert series.shape in [(), (4,)], name
    assert any(isinstance(probe, UpdateRatio) for probe in standard())
