"""What advice depends on, read off a recipe and its network."""

import pytest

import zoo
from zoo.probes.situation import Situation


def situation(recipe: str, *changes: str) -> Situation:
    built = zoo.build(recipe, ["probes=none", "model.width=8", *changes])
    return Situation.of(built.recipe, built.network)


def test_what_is_read():
    """Depth, the rate and the optimiser's own, the length of the training."""
    found = situation("smoke/res-gcn", "model.depth=3", "optimizer={name: sgd, lr: 2}", "training.duration=7 steps")
    assert (found.depth, found.lr, found.usual_lr, found.duration) == (3, 2, 0.1, (7, "steps"))
    assert found.skips and found.boundable and not found.rescales and not found.reads_all_blocks


@pytest.mark.parametrize(
    ("normalizer", "bound", "chosen"),
    [
        ("none", None, "number"),
        ("layer", None, "number"),
        ("{name: frobenius, c: 2}", "normalizer.c", "number"),
        ("{name: spectral, c: auto, method: power}", "normalizer.c", "auto"),
        ("{name: frobenius, c: adaptive}", "normalizer.c", "controller"),
        ("[layer, {name: frobenius, c: 2}]", "normalizer.1.c", "number"),
    ],
)
def test_where_c_is_written(normalizer, bound, chosen):
    """By the path that a change has to name, of several normalisers too; and how it is chosen."""
    found = situation("smoke/res-gcn", f"normalizer={normalizer}")
    assert (found.bound, found.bound_is) == (bound, chosen)
    assert found.rescales == ("layer" in normalizer)


@pytest.mark.parametrize(
    ("recipe", "skips", "connected"),
    [
        ("smoke/gcn", False, ("model.name=res-gcn", "model.ends=linear")),
        ("smoke/res-gcn", True, ()),
        ("smoke/gcnii", True, ()),
    ],
)
def test_how_a_model_gets_skips(recipe, skips, connected):
    """By the name of its residual sibling, which leaves depth and width as they are."""
    found = situation(recipe, "model.depth=3")
    assert found.skips == skips
    assert found.connected[: len(connected)] == connected
