"""Finished runs below folders."""

import pytest

from zoo.errors import RunError
from zoo.runs.find import find
from zoo.runs.folder import RESULT


@pytest.fixture
def runs(tmp_path):
    """Folders with a result at a/seed-2, a/seed-10, a/seed-2.previous-1; b/seed-0 has none."""
    for name in ("a/seed-10", "a/seed-2", "a/seed-2.previous-1", "b/seed-0"):
        (tmp_path / name).mkdir(parents=True)
        if name != "b/seed-0":
            (tmp_path / name / RESULT).write_text("{}")
    return tmp_path


def test_runs_below_come_in_the_order_of_their_numbers(runs):
    """Seed 2 before seed 10; unfinished runs and those that were moved aside are passed over."""
    assert list(find([runs], "compare")) == [runs / "a/seed-2", runs / "a/seed-10"]


def test_each_run_comes_once_and_one_named_itself_counts(runs):
    """However often a folder is named; a run that was moved aside is found by its own name."""
    asked = [runs / "a/seed-10", runs / "a", runs / "a/../a/seed-2", runs / "a/seed-2.previous-1"]
    assert [path.name for path in find(asked, "compare")] == ["seed-10", "seed-2", "seed-2.previous-1"]


def test_nothing_found_is_a_mistake(runs):
    """The message has the verb and the folder."""
    with pytest.raises(RunError, match=r"^evaluate .*b — no finished run in it or below — expected run folders"):
        list(find([runs / "a", runs / "b"], "evaluate"))
