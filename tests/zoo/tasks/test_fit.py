"""Task, data set and split: what does not belong together is said before anything is built."""

import pytest
import torch

from zoo import build
from zoo.datasets.base import GraphData, LinkData, LinkSplit, NodeData, Split
from zoo.errors import BuildError
from zoo.tasks.fit import check_fit

NONE = torch.zeros(0, dtype=torch.int64)
PAIRS = torch.zeros(2, 0, dtype=torch.int64)
LINKS = LinkSplit("links", PAIRS, PAIRS, PAIRS, PAIRS, PAIRS, PAIRS)
NODES = NodeData("cora", NONE, NONE, torch.zeros(2, 3), NONE, 2)
DATA = {
    "nodes": NODES,
    "links": LinkData("ddi", NONE, NONE, torch.zeros(2, 3), LINKS),
    "graphs": GraphData("mutag", NONE, NONE, NONE, torch.zeros(2, 3), NONE, 2),
}
PARTS = Split("random", NONE, NONE, NONE)


@pytest.mark.parametrize("kind", ["nodes", "graphs"])
def test_what_fits_passes(kind):
    """Its own data with a split of labels."""
    check_fit(kind, type(DATA[kind]), DATA[kind], PARTS)


@pytest.mark.parametrize(
    ("task", "given", "said"),
    [
        ("nodes", "graphs", r"^task nodes — mutag is many graphs, .* — for this one: task=graphs$"),
        ("nodes", "links", r"^task nodes — ddi is one graph with links to find — .* — for this one: task=links$"),
        (
            "graphs",
            "nodes",
            r"^task graphs — cora is one graph with labels .* — for this one: task=nodes, or task=links",
        ),
        ("graphs", "links", r"expected a data set that is many graphs, each with a label — for this one: task=links$"),
    ],
)
def test_other_data_names_the_task_that_fits(task, given, said):
    """And says what the data set is."""
    with pytest.raises(BuildError, match=said):
        check_fit(task, type(DATA[task]), DATA[given], PARTS)


@pytest.mark.parametrize("kind", ["nodes", "graphs"])
def test_a_split_of_links_is_refused(kind):
    """With a split and a task that fit."""
    with pytest.raises(BuildError, match=rf"split links is of links — expected a split of {kind} — split=random, or"):
        check_fit(kind, type(DATA[kind]), DATA[kind], LINKS)


@pytest.mark.parametrize(
    ("recipe", "change", "said"),
    [
        ("smoke/gcn", {"task": "graphs"}, "for this one: task=nodes, or task=links with split=links"),
        ("smoke/graphs", {"task": {"name": "nodes"}}, "for this one: task=graphs"),
        ("smoke/gcn", {"split": "links"}, "expected a split of nodes — split=random, or task=links"),
        ("smoke/gcn", {"task": "links"}, "split=links"),
        ("smoke/graphs", {"split": "links"}, "split links — random-graphs is no single graph"),
        ("smoke/multi-label", {"split": "balanced"}, "are no classes — expected classes — split=random"),
        ("smoke/multi-label", {"task.metric": "accuracy"}, "4 binary labels — expected a metric for such labels"),
    ],
)
def test_recipes_that_do_not_fit_are_one_clear_error(recipe, change, said):
    """Found when the recipe is built, whichever part notices first."""
    with pytest.raises(BuildError, match=said):
        build(recipe, change)
