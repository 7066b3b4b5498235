import pytest

from compared.points import BASE, PRESETS, SWEEPS, Point
from zoo.recipe.load import load


@pytest.mark.parametrize("point", sorted({point for points in PRESETS.values() for point in points}), ids=str)
def test_every_point_is_a_recipe(point):
    """What a point asks for passes the recipe check, with the depth and width that its name says, and nothing extra."""
    recipe = load(BASE, point.overrides)
    options = recipe.model.options
    assert (options["depth"], options["width"], options["conv"].name) == (point.depth, point.width, point.conv)
    assert [component.name for component in recipe.normalizer] == ["none"]
    assert not recipe.probes
    assert options["dropout"] == 0 and recipe.optimizer.options["weight_decay"] == 0


def test_claims_hold_the_points_that_are_claimed():
    """Cora at 64 and 512 blocks and a graph as large as ogbn-arxiv are among the claims."""
    assert {Point("cora", "gcn", 64), Point("cora", "gcn", 512), Point("blocks-169343", "gcn", 8)} <= set(
        PRESETS["claims"]
    )


def test_sweeps_change_one_quantity():
    """Along a sweep all else stays, so that a fitted exponent is that of one quantity."""
    for points in SWEEPS.values():
        values = [{getattr(point, key) for point in points} for key in ("data", "conv", "depth", "width")]
        assert sorted(map(len, values)) == [1, 1, 1, len(points)]
