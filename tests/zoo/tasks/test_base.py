"""What every task has: it says itself what data it takes, and a new one is a class and a name."""

import pytest
import torch

from registry import load_plugin, tasks
from zoo import build, train
from zoo.datasets.base import GraphData, LinkData, LinkSplit, NodeData
from zoo.errors import BuildError
from zoo.sampling.batching import TaskSetting
from zoo.tasks.base import check_data

NONE = torch.zeros(0, dtype=torch.int64)
PAIRS = torch.zeros(2, 0, dtype=torch.int64)
LINKS = LinkSplit("links", PAIRS, PAIRS, PAIRS, PAIRS, PAIRS, PAIRS)
NODES = NodeData("cora", NONE, NONE, torch.zeros(2, 3), NONE, 2)
DATA = {
    "nodes": NODES,
    "links": LinkData("ddi", NONE, NONE, torch.zeros(2, 3), LINKS),
    "graphs": GraphData("mutag", NONE, NONE, NONE, torch.zeros(2, 3), NONE, 2),
}


@pytest.mark.parametrize(
    ("task", "kind"), [("nodes", "nodes"), ("graphs", "graphs"), ("links", "nodes"), ("links", "links")]
)
def test_what_fits_passes(task, kind):
    """Each kind of data set that a task takes."""
    check_data(tasks.get(task), DATA[kind])


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
        check_data(tasks.get(task), DATA[given])


@pytest.mark.parametrize("kind", ["nodes", "graphs"])
def test_a_split_of_links_is_refused(kind):
    """With a split and a task that fit."""
    message = rf"split links is of links — expected a split of {kind} — split=random, or task=links"
    with pytest.raises(BuildError, match=message):
        tasks.get(kind)(DATA[kind], LINKS, TaskSetting())


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


PLUGIN = '''
import torch

from registry import tasks
from zoo.datasets.base import NodeData
from zoo.graphs import Graph
from zoo.layers.embedding import Inputs
from zoo.tasks.base import Prediction, Task


@tasks.register("degrees")
class Degrees(Task):
    """Predict log(1 + degree) of each node."""

    takes = {NodeData: ""}
    metric, metric_reason, higher_is_better = "mean squared error", "the only one", False
    out_width = steps_per_epoch = 1

    def __init__(self, data, split, setting):
        self.graph = Graph.from_edges(data.src, data.dst, data.nodes, setting.kernel)
        self.features, self.inputs = data.features, Inputs(data.features.shape[1], data.categories, data.embedding)
        self.labels = self.graph.in_degrees.float().log1p()[:, None]
        self.index = {"train": split.train, "val": split.val, "test": split.test}

    def to(self, device):
        self.graph, self.features, self.labels = (x.to(device) for x in (self.graph, self.features, self.labels))
        return self

    def batches(self, epoch, start=0):
        yield from [None][start:]

    def loss(self, network, batch):
        return self._error(network(self.graph, self.features), "train")

    def scores(self, network):
        outputs = network(self.graph, self.features)
        return lambda part: float(self._error(outputs, part))

    def predict(self, network, part):
        outputs = network(self.graph, self.features)
        return Prediction({"output": outputs[self.index[part]]}, float(self._error(outputs, part)))

    def chance(self, part):
        return float(self._error(self.labels.mean().expand_as(self.labels), part))

    def _error(self, outputs, part):
        return (outputs - self.labels)[self.index[part]].square().mean()
'''


def test_a_new_task_is_a_class_and_a_name(tmp_path):
    """A plug-in's task trains, is recorded, and is advised where data do not fit, with no edit elsewhere."""
    (tmp_path / "degrees.py").write_text(PLUGIN)
    load_plugin(tmp_path / "degrees.py")
    run = train("smoke/gcn", {"task": "degrees", "training.duration": 200}, runs=tmp_path / "runs")
    assert run.record.metric == "mean squared error" and not run.record.higher_is_better
    assert run.record.val is not None
    assert run.record.val < build("smoke/gcn", {"task": "degrees"}).task.chance("val")
    with pytest.raises(BuildError, match=r"task degrees \(.*degrees.py:11\) — mutag is many graphs, .*: task=graphs$"):
        check_data(tasks.get("degrees"), DATA["graphs"])
    with pytest.raises(BuildError, match="for this one: task=degrees, or task=nodes, or task=links with split=links"):
        check_data(tasks.get("graphs"), DATA["nodes"])
