"""Choice of the metric that a task is scored by."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, TypeVar

from torch import Tensor

from registry import metrics
from zoo.datasets.base import GraphData, LabelKind, LinkData, NodeData, Official
from zoo.errors import BuildError
from zoo.metrics.base import LabelMetric, LinkMetric

M = TypeVar("M", LabelMetric, LinkMetric)


class _Official:
    """A data set's own metric, computed by its authors' code; chance is that of the zoo's metric by that name."""

    def __init__(self, official: Official, like: Any) -> None:
        self.name, self.by, self.higher_is_better = official.metric, official.by, official.higher_is_better
        self.range = like.range
        self._official, self._like = official, like


class OfficialLabels(_Official, LabelMetric):
    """A data set's own metric of labels."""

    kinds: ClassVar[tuple[LabelKind, ...]] = ("classes", "binary", "values")

    def undefined(self, labels: Tensor) -> str | None:
        """As of the metric of that name."""
        return self._like.undefined(labels)

    def score(self, outputs: Tensor, labels: Tensor) -> float:
        """Return the score of the authors' code."""
        return self._official.score(outputs, labels)

    def chance(self, labels: Tensor) -> float:
        """As of the metric of that name."""
        return self._like.chance(labels)


class OfficialLinks(_Official, LinkMetric):
    """A data set's own metric of links."""

    def score(self, positive: Tensor, negative: Tensor) -> float:
        """Return the score of the authors' code."""
        return self._official.score(positive, negative)

    def chance(self, links: int, others: int) -> float:
        """As of the metric of that name."""
        return self._like.chance(links, others)


def link_metric(asked: str | Callable[..., Any], data: NodeData | LinkData) -> tuple[LinkMetric, str]:
    """Return the metric for links of a data set, and why it is that one; `asked`: as of `label_metric`.

    A data set whose links are not what it is published for, but were split off, is scored by AUC.
    Raises: BuildError for a metric of labels.
    """
    published = isinstance(data, LinkData)
    chosen = _made(asked, data.metric if published else "auc")
    if not isinstance(chosen, LinkMetric):
        fitting = [name for name in metrics.names() if _class_of(metrics.get(name), LinkMetric)]
        raise BuildError(
            f"task.metric — {chosen.name} on links of {data.name} — expected a metric of links — "
            f"one of: {', '.join(fitting)}"
        )
    if asked != "auto":
        return chosen, "asked for"
    if not published:
        return chosen, "usual for links split off a graph"
    if data.official is not None:
        return OfficialLinks(data.official, chosen), data.official.by
    return chosen, _reason(data, "auc", "link prediction")


def label_metric(asked: str | Callable[..., Any], data: NodeData | GraphData) -> tuple[LabelMetric, str]:
    """Return the metric for a data set's labels, and why it is that one.

    asked: "auto", a name, or a metric's factory. Raises: BuildError if it is not defined for the data set's labels.
    """
    chosen = _made(asked, data.metric)
    if asked == "auto" and data.official is not None:
        return OfficialLabels(data.official, chosen), data.official.by
    if isinstance(chosen, LabelMetric) and chosen.defined_for(data.problem, data.classes):
        return chosen, _reason(data, "accuracy", f"{data.item} classification") if asked == "auto" else "asked for"
    kinds = {name: _class_of(metrics.get(name), LabelMetric) for name in metrics.names()}
    fitting = [name for name, kind in kinds.items() if kind and kind.defined_for(data.problem, data.classes)]
    labels = {"classes": "classes", "binary": "binary labels", "values": "numbers to predict"}[data.problem]
    raise BuildError(
        f"task.metric — {chosen.name} on {data.name}, which has {data.classes} {labels} — expected a metric for such "
        f"labels — one of: {', '.join(fitting)}"
    )


def _made(asked: str | Callable[..., Any], auto: str) -> Any:
    if not isinstance(asked, str):
        return asked()
    return metrics.get(auto if asked == "auto" else asked)()


def _reason(data: NodeData | GraphData | LinkData, default: str, task: str) -> str:
    """Return why a data set's own metric is taken, where nobody asked for another."""
    if data.published:
        return f"what {data.name} is published with"
    return f"the default of {task}" if data.metric == default else f"what the data set {data.name} names"


def _class_of(metric: Any, kind: type[M]) -> type[M] | None:
    """Return the class that a metric's factory makes, if it is of the kind."""
    made = metric.func if isinstance(metric, partial) else metric
    return made if isinstance(made, type) and issubclass(made, kind) else None
