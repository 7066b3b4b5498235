"""Recipes as paths and texts, written as one would type them."""

from zoo.recipe.flat import flat, in_words


def test_every_value_has_its_path():
    """A component's name stands at its own path, a list of components in one line and by place; YAML's words."""
    tree = {"a": {"name": "x", "b": None, "c": {"d": True}}, "e": [{"name": "y", "f": 1}, "z"], "g": [1, 2], "h": {}}
    assert dict(flat(tree)) == {
        "a": "x",
        "a.b": "null",
        "a.c.d": "true",
        "e": "y + z",
        "e.0": "y",
        "e.0.f": "1",
        "e.1": "z",
        "g": "[1, 2]",
        "h": "{}",
    }


def test_a_component_in_words():
    """Its name and options; one without options is its name."""
    assert in_words({"name": "block-model", "nodes": 200, "edges": {"inside": 3}}) == (
        "block-model nodes=200 edges.inside=3"
    )
    assert in_words({"name": "karate"}) == "karate"
