"""The schema of a study."""

import pytest
from pydantic import ValidationError

from zoo.studies.study_schema import Alternative, Range, Study, Tuning


def test_only_a_base_is_needed():
    """A study of one recipe has three seeds, the recipe's own split, no search and no layout."""
    study = Study(name="a", base="hello")
    assert (study.seeds, study.splits, study.tune, study.vary) == ((0, 1, 2), None, None, {})
    assert (study.report.rows, study.report.columns, study.report.predict_at) == ((), (), "start")


def test_whole_numbers_stay_whole():
    """Ends of a range keep their type: it decides whether a search draws whole numbers."""
    assert [type(end) for end in (Range(low=1, high=8).low, Range(low=1.0, high=8).low)] == [int, float]


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ({"low": 2, "high": 1}, "low below high, got 2 and 1"),
        ({"low": 1, "high": 1}, "low below high"),
        ({"low": 0, "high": 1, "log": True}, "low above 0 for log, got 0"),
    ],
)
def test_a_range_has_something_in_it(ends, said):
    """Ends in the wrong order, and a logarithm of what has none, are refused."""
    with pytest.raises(ValidationError, match=said):
        Range.model_validate(ends)


@pytest.mark.parametrize(
    "wrong", [{"seeds": [1, 1]}, {"seeds": []}, {"seeds": [-1]}, {"splits": [0, 0]}, {"splits": [-1]}]
)
def test_seeds_and_splits_are_distinct_numbers(wrong):
    """The same run twice would make a spread look smaller than it is."""
    with pytest.raises(ValidationError):
        Study.model_validate({"name": "a", "base": "hello", **wrong})


def test_an_alternative_holds_paths_beside_base_and_space():
    """What is neither `base` nor `space` is a recipe path; the order of the paths is kept."""
    made = Alternative.model_validate(
        {"model.depth": 2, "base": "hello", "model": "gcn", "space": {"optimizer.lr": [1, 2]}}
    )
    assert list(made.changes.items()) == [("model.depth", 2), ("model", "gcn")]
    assert (made.base, dict(made.space)) == ("hello", {"optimizer.lr": (1, 2)})


def test_lists_and_mappings_are_told_apart():
    """An axis is a list of values or named alternatives, a whole grid is a mapping or a list of cells."""
    vary = {"model.depth": [2], "m": {"A": None, 2: {"model": "gcn"}}}
    axes = Study.model_validate({"name": "a", "base": "b", "vary": vary}).vary
    assert isinstance(axes, dict)
    assert axes["model.depth"] == (2,)
    assert axes["m"] == {"A": Alternative(), "2": Alternative.model_validate({"model": "gcn"})}
    cells = Study.model_validate({"name": "a", "base": "b", "vary": [{"model.depth": 2}, None]}).vary
    assert cells == (Alternative.model_validate({"model.depth": 2}), Alternative())


@pytest.mark.parametrize("vary", [3, "model", [], {"m": []}, {"m": {}}, {"m": 3}, {"m": {"A": 3}}, {"base": ["hello"]}])
def test_what_is_no_grid_is_refused(vary):
    """A study without cells, an axis without values, and the words of alternatives as an axis are mistakes."""
    with pytest.raises(ValidationError):
        Study.model_validate({"name": "a", "base": "b", "vary": vary})


def test_a_search_has_a_budget():
    """No search goes without trials or rounds; its defaults are eight trials, four at a time, on one seed."""
    assert (Tuning().trials, Tuning().round, Tuning().seeds, Tuning().method) == (8, 4, (0,), "tpe")
    for wrong in ({"trials": 0}, {"round": 0}, {"method": "best"}, {"space": {"a": []}}, {"space": {"a": 3}}):
        with pytest.raises(ValidationError):
            Tuning.model_validate(wrong)


def test_nothing_changes_afterwards():
    """A study that was read is frozen."""
    with pytest.raises(ValidationError, match="frozen"):
        Study(name="a", base="b").seeds = (5,)
