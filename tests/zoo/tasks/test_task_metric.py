"""Which metric scores a task, and by whose code."""

from functools import partial

import pytest
import torch

from zoo.datasets.base import LinkData, LinkSplit, NodeData, Official
from zoo.errors import BuildError
from zoo.metrics.classification import ROCAUC, Accuracy
from zoo.metrics.ranking import AUC, Hits
from zoo.tasks.task_metric import label_metric, link_metric

NONE = torch.zeros(0, dtype=torch.int64)
THEIRS = Official("rocauc", True, "Their Evaluator", lambda outputs, labels: float(len(labels)))
PAIRS = torch.zeros(2, 0, dtype=torch.int64)
LINKS = LinkSplit("links", PAIRS, PAIRS, PAIRS, PAIRS, PAIRS, PAIRS)


def data(problem: str = "classes", classes: int = 2, **more) -> NodeData:
    return NodeData("toy", NONE, NONE, torch.zeros(2, 3), NONE, classes, problem=problem, **more)  # pyright: ignore


def linked(**more) -> LinkData:
    return LinkData("ties", NONE, NONE, torch.zeros(2, 3), LINKS, **more)


def test_the_data_sets_own_unless_one_is_asked_for():
    """By name or with options; the reason says which it was."""
    assert isinstance(label_metric("auto", data())[0], Accuracy)
    assert label_metric("auto", data(published=True))[1] == "what toy is published with"
    assert label_metric("auto", data())[1] == "the default of node classification"
    assert label_metric("auto", data(metric="f1"))[1] == "what the data set toy names"
    measure, why = label_metric("rocauc", data(metric="accuracy"))
    assert isinstance(measure, ROCAUC) and why == "asked for"
    assert isinstance(label_metric(partial(ROCAUC), data())[0], ROCAUC)


def test_official_code_scores_where_the_data_have_it():
    """Its figure, its name and direction; chance is that of the zoo's metric of that name."""
    measure, why = label_metric("auto", data("binary", 3, metric="rocauc", official=THEIRS))
    assert (measure.name, measure.higher_is_better, why) == ("rocauc", True, "Their Evaluator")
    assert measure.score(torch.zeros(7, 3), torch.zeros(7, 3)) == 7.0
    assert measure.chance(torch.zeros(7, 3)) == 0.5
    assert isinstance(label_metric("rocauc", data("binary", 3, official=THEIRS))[0], ROCAUC)


def test_official_code_scores_links():
    """Likewise, with both kinds of scores."""
    theirs = Official("hits@20", True, "Their Evaluator", lambda positive, negative: len(positive) / len(negative))
    measure, why = link_metric("auto", linked(metric="hits@20", official=theirs))
    assert (measure.name, why) == ("hits@20", "Their Evaluator")
    assert measure.score(torch.zeros(3), torch.zeros(4)) == 0.75
    assert measure.chance(1, 39) == 20 / 40


def test_links_split_off_a_graph_have_auc():
    """Whatever the labels of its nodes are scored by, official or not; a set of links has its own."""
    for nodes in (data(), data("binary", 3, metric="rocauc", official=THEIRS)):
        measure, why = link_metric("auto", nodes)
        assert isinstance(measure, AUC) and why == "usual for links split off a graph"
    assert link_metric("auto", linked())[1] == "the default of link prediction"
    own = link_metric("auto", linked(metric="hits@50", published=True))
    assert isinstance(own[0], Hits) and (own[0].name, own[1]) == ("hits@50", "what ties is published with")
    assert link_metric("mrr", linked())[0].name == "mrr"


@pytest.mark.parametrize(
    ("asked", "given", "said"),
    [
        (
            "accuracy",
            data("binary", 4),
            r"accuracy on toy, which has 4 binary labels .* one of: average-precision, rocauc",
        ),
        ("rocauc", data("classes", 3), r"rocauc on toy, which has 3 classes .* one of: accuracy, f1"),
        ("accuracy", data("values", 1), r"which has 1 numbers to predict .* one of: mae, rmse"),
        ("hits@20", data(), r"hits@20 on toy, which has 2 classes"),
    ],
)
def test_metrics_that_labels_have_not_are_refused(asked, given, said):
    """With those that there are for such labels."""
    with pytest.raises(BuildError, match=said):
        label_metric(asked, given)


def test_metrics_of_labels_are_none_of_links():
    """With those of links."""
    with pytest.raises(BuildError, match=r"accuracy on links of toy — expected a metric of links — one of: auc"):
        link_metric("accuracy", data())
