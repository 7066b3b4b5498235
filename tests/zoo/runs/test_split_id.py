"""Which split a run was on: written as data, and read from records that had words for it."""

import pytest
import torch

from zoo.datasets.base import Split
from zoo.recipe.schema import Component
from zoo.runs.split_id import SplitId, family_of, split_id, which_split


def test_what_is_written_is_read_back():
    """Every field, whatever the recipe beside it says."""
    which = SplitId("folds, one of 10", 3, True, "fold")
    assert split_id({"name": "folds", **which.plain()}, {"name": "other", "seed": 7}) == which


@pytest.mark.parametrize(
    ("facts", "component", "expected"),
    [
        (
            {"name": "random", "rule": "random, train 0.6, val 0.2, the rest test", "seed": 4},
            {"name": "random", "train": 0.6, "seed": None},
            SplitId("random, train 0.6, val 0.2, the rest test", None, False, "seed"),
        ),
        (
            {"name": "geom-gcn", "rule": "geom-gcn, number 3 of 10, from the run's seed", "index": 3},
            {"name": "default"},
            SplitId("geom-gcn, one of 10"),
        ),
        (
            {"name": "geom-gcn", "rule": "geom-gcn, number 3 of 10", "index": 3},
            {"name": "geom-gcn", "index": 3},
            SplitId("geom-gcn, one of 10", 3, True, "index"),
        ),
        (
            {"name": "folds", "rule": "fold 3 of 10 tests, from the run's seed; the next validates", "seed": 0},
            {"name": "folds", "folds": 10, "fold": None, "seed": 0},
            SplitId("folds, one of 10, dealt with seed 0; the next validates", None, False, "fold"),
        ),
        (
            {"name": "folds", "rule": "fold 3 of 10 tests; the next validates", "seed": 0},
            {"name": "folds", "folds": 10, "fold": 3, "seed": 0},
            SplitId("folds, one of 10, dealt with seed 0; the next validates", 3, True, "fold"),
        ),
        ({"name": "mine", "rule": "by year"}, {"name": "mine"}, SplitId("mine, by year")),
        (None, {"name": "random", "train": 0.5, "seed": 2}, SplitId("random train=0.5", 2, True, "seed")),
    ],
)
def test_records_from_before_there_were_fields(facts, component, expected):
    """The number is the recipe's, the family what the rule says without it; without any record, the recipe alone."""
    assert split_id(facts, component) == expected


def test_a_family_that_a_split_does_not_say():
    """Its name and rule, else its options less the one that numbers it."""
    assert family_of("mine", "by year", {"name": "mine"}, None) == "mine, by year"
    assert family_of("mine", None, {"name": "mine", "share": 0.5, "which": 3}, "which") == "mine share=0.5"


def test_a_split_that_says_nothing_is_known_by_its_recipe():
    """A plug-in's split without family and number: what the recipe has for them."""
    none = torch.zeros(0, dtype=torch.int64)
    mine = Split("mine", none, none, none)
    fixed = which_split(mine, Component(name="random", options={"train": 0.5, "seed": 3}))
    assert fixed == SplitId("random train=0.5", 3, True, "seed")
    by_seed = which_split(mine, Component(name="random", options={"train": 0.5, "seed": None}))
    assert (by_seed.number, by_seed.fixed) == (None, False)
    said = Split("mine", none, none, none, family="mine, by year", number=7)
    assert which_split(said, Component(name="default")) == SplitId("mine, by year", 7, False, None)
