"""Laying recipes over each other."""

import copy
import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from zoo.recipe import overrides


def applied(tree, words):
    """The tree with what is typed, and all that is wrong with it."""
    made, misread = overrides.parse_changes(words)
    changed, problems = overrides.apply_changes(tree, made)
    return changed, [*misread, *problems]


PARENT = {
    "dataset": "cora",
    "model": {"name": "gcn", "depth": 2, "width": 64},
    "seeds": [0, 1],
    "normalizer": {"name": "frobenius", "c": 0.5},
}


def test_mappings_merge_and_lists_replace():
    """A child changes what it names; a list of its own replaces the parent's."""
    merged = overrides.merge(PARENT, {"model": {"depth": 64}, "seeds": [7]})
    assert merged["model"] == {"name": "gcn", "depth": 64, "width": 64}
    assert merged["seeds"] == [7]


def test_a_bare_name_replaces_a_component_wholly():
    """`normalizer: none` leaves no option of the parent's normaliser behind."""
    assert overrides.merge(PARENT, {"normalizer": "none"})["normalizer"] == "none"


def test_options_without_a_name_refine_a_bare_name():
    """A parent's bare name takes options from a child."""
    assert overrides.merge(PARENT, {"dataset": {"x": 1}})["dataset"] == {"name": "cora", "x": 1}


def test_overrides_reach_into_mappings_names_and_lists():
    """Dotted paths go into mappings, turn bare names into components, and index lists."""
    tree = {**PARENT, "normalizer": ["layer", {"name": "frobenius", "c": 0.5}]}
    changed, problems = applied(
        tree, ["model.depth=128", "dataset.name=citeseer", "normalizer.1.c=1e-1", "training.clip=1.0"]
    )
    assert not problems
    assert changed["model"]["depth"] == 128
    assert changed["dataset"] == {"name": "citeseer"}
    assert changed["normalizer"] == ["layer", {"name": "frobenius", "c": 0.1}]
    assert changed["training"] == {"clip": 1.0}


def test_removal_takes_a_key_away():
    """`~a.b` removes, and removing what is not there is a problem that names it."""
    changed, problems = applied(PARENT, ["~normalizer", "~model.width", "~modle.depth"])
    assert "normalizer" not in changed
    assert "width" not in changed["model"]
    assert [str(problem) for problem in problems] == [
        "~modle.depth — nothing to remove: 'modle' is not set in this recipe"
    ]


def test_an_override_that_is_no_yaml_is_a_problem():
    """A value that cannot be read is reported with its path, and the rest is still applied."""
    changed, problems = applied(PARENT, ["seeds=[1, 2", "model.depth=3"])
    assert changed["model"]["depth"] == 3
    assert problems[0].path == "seeds"


def test_changes_mean_the_same_in_any_order():
    """A bare name, an option of it, what is taken away, and paths into lists: all 120 orders of five make one tree."""
    tree = {**PARENT, "normalizer": ["layer", {"name": "frobenius", "c": 0.5}], "training": {"clip": 1.0}}
    typed = ["model.depth=4", "model=gat", "~training.clip", "normalizer.0.c=2", "normalizer=[frobenius]"]
    found = [applied(tree, order) for order in itertools.permutations(typed)]
    assert found == [found[0]] * 120
    assert found[0] == (
        {
            **PARENT,
            "model": {"name": "gat", "depth": 4},
            "normalizer": [{"name": "frobenius", "c": 2}],
            "training": {},
        },
        [],
    )
    mapped = {"model.depth": 4, "normalizer.0.c": 2, "model": "gat", "normalizer": ["frobenius"]}
    assert applied(tree, mapped)[0] == {**found[0][0], "training": {"clip": 1.0}}


def test_spaces_beside_the_sign_are_nothing():
    """In a list of Python's, where no shell takes the words apart; a word without a sign is a problem."""
    assert applied(PARENT, ["model.depth = 8"])[0]["model"]["depth"] == 8
    assert [str(problem) for problem in applied(PARENT, ["model.depth"])[1]] == [
        "model.depth — no change — expected a.b=c, or ~a.b"
    ]


TREES = st.recursive(
    st.integers() | st.text(max_size=3) | st.none(),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner) | st.lists(inner, max_size=3),
)
MAPPINGS = st.dictionaries(st.sampled_from("abc"), TREES)


@given(MAPPINGS, MAPPINGS)
def test_merging_changes_neither_side_and_keeps_the_childs_values(parent, child):
    """Merging makes a new tree: inputs stay, every plain value of the child wins, every key of both is there."""
    before = copy.deepcopy((parent, child))
    merged = overrides.merge(parent, child)
    assert (parent, child) == before
    assert set(merged) == set(parent) | set(child)
    assert all(merged[key] == value for key, value in child.items() if not isinstance(value, dict))


@given(MAPPINGS, st.lists(st.sampled_from("abc"), min_size=1, max_size=4), st.integers())
def test_put_is_seen_at_its_path_and_changes_nothing_else(tree, path, value):
    """After `a.b=v` the value stands at a.b; other top-level keys and the input are untouched."""
    before = copy.deepcopy(tree)
    changed = overrides.put(tree, ".".join(path), value)
    assert tree == before
    found: Any = changed
    for key in path:
        found = found[key]
    assert found == value
    assert {key: item for key, item in changed.items() if key != path[0]} == {
        key: item for key, item in tree.items() if key != path[0]
    }


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab01", max_size=2), inner, max_size=3)
)
PATHS = st.lists(st.text("ab01", max_size=2), min_size=1, max_size=4).map(".".join)


@given(st.dictionaries(st.text("ab01", max_size=2), TREES, max_size=3), PATHS, TREES)
def test_what_is_put_is_found_there_and_nothing_else_is_touched(tree, path, value):
    """At any path of any tree; the tree that was given stays as it was."""
    before = copy.deepcopy(tree)
    changed = overrides.put(tree, path, value)
    assert tree == before
    found: Any = changed
    for key in path.split("."):
        found = found[int(key)] if isinstance(found, list) else found[key]
    assert found == value
    head = path.split(".")[0]
    assert {key: item for key, item in changed.items() if key != head} == {k: v for k, v in tree.items() if k != head}


@given(st.dictionaries(st.text("ab01", max_size=2), TREES, max_size=3), st.lists(st.text(max_size=12), max_size=3))
def test_any_words_are_applied_or_are_problems(tree, words):
    """Whatever is typed: a new tree and problems with their places, and never anything raised."""
    changed, problems = applied(tree, words)
    assert isinstance(changed, dict)
    assert all(" — " in str(problem) or problem.text for problem in problems)
