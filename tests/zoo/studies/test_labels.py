"""Axes and labels of recipes that differ."""

from zoo.studies.labels import labels


def placed(*fields: dict[str, str], names: tuple[str, ...] = ()) -> list[dict[str, str]]:
    named = names or ("r",) * len(fields)
    found = labels(named, fields, [f"id{index}" for index in range(len(fields))])
    return [{axis: label for axis, label in place.items() if axis != "recipe"} for place in found]


NONE, HALF, ONE = {"n": "none"}, {"n": "frobenius", "n.c": "0.5"}, {"n": "frobenius", "n.c": "1"}


def test_an_option_of_all_is_an_axis():
    """Where each recipe has it, differences can be taken along it."""
    assert placed(HALF, ONE) == [{"n.c": "0.5"}, {"n.c": "1"}]


def test_an_option_of_some_stands_in_the_label_of_its_component():
    """So that a baseline without it is equal but for one axis; of one value alone it tells nothing and is left out."""
    assert placed(NONE, HALF, ONE) == [{"n": "none"}, {"n": "frobenius c=0.5"}, {"n": "frobenius c=1"}]
    assert placed(NONE, HALF) == [{"n": "none"}, {"n": "frobenius"}]
    one = {"n": "spectral", "n.c": "1", "n.steps": "5"}
    assert placed(NONE, HALF, ONE, one)[-1] == {"n": "spectral"}


def test_components_within_components():
    """The nearest one above that all recipes have; an option that no component above has stays an axis."""
    gat, deep = (
        {"m": "stack", "m.conv": "gat", "m.conv.heads": "2"},
        {"m": "stack", "m.conv": "gat", "m.conv.heads": "4"},
    )
    assert placed(gat, deep, {"m": "stack", "m.conv": "gcn"})[1] == {"m.conv": "gat heads=4"}
    assert placed(gat, deep, {"m": "mlp"}) == [
        {"m": "stack conv.heads=2"},
        {"m": "stack conv.heads=4"},
        {"m": "mlp"},
    ]
    assert placed({"t.x": "1"}, {"t.x": "2"}, {"y": "3"}) == [{"t.x": "1"}, {"t.x": "2"}, {"t.x": "–"}]


def test_recipes_of_several_names_have_the_same_axes():
    """What differs within one name is said of all, each with its own value; what differs between names alone is not."""
    shallow, deep = {"depth": "2", "lr": "1"}, {"depth": "4", "lr": "1"}
    assert placed(shallow, deep, {"depth": "2", "lr": "9"}, names=("a", "a", "b")) == [
        {"depth": "2"},
        {"depth": "4"},
        {"depth": "2"},
    ]


def test_what_no_field_tells_apart_is_told_by_its_identity():
    """Recipes of one name with the same fields, as by other code."""
    assert placed({"a": "1"}, {"a": "1"}) == [{"identity": "id0"}, {"identity": "id1"}]
    assert placed({"a": "1"}, {"a": "1", "b": "2"}) == [{"b": "–"}, {"b": "2"}]
