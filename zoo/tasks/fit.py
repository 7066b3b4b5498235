"""Whether a task that predicts labels, a data set and a split belong together."""

from typing import Any

from zoo.datasets.base import GraphData, LinkData, LinkSplit, NodeData
from zoo.errors import BuildError

_ARE = {
    NodeData: ("is one graph with labels of its nodes", "task=nodes, or task=links with split=links"),
    LinkData: ("is one graph with links to find", "task=links"),
    GraphData: ("is many graphs, each with a label", "task=graphs"),
}


def check_fit(task: str, takes: type, data: Any, split: Any) -> None:
    """Raise BuildError, with the task or the split that fits, unless data and split are what the task takes.

    takes: NodeData or GraphData. The links of a `LinkSplit` are no labels.
    """
    if not isinstance(data, takes):
        is_, fitting = next(words for kind, words in _ARE.items() if isinstance(data, kind))
        raise BuildError(
            f"task {task} — {data.name} {is_} — expected a data set that {_ARE[takes][0]} — for this one: {fitting}"
        )
    if isinstance(split, LinkSplit):
        raise BuildError(
            f"task {task} — split {split.name} is of links — expected a split of {task} — split=random, or task=links"
        )
