"""Which metric a task is scored by."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, TypeVar

from torch import Tensor

from registry import metrics
from zoo.datasets.base import GraphData, LinkData, Official
from zoo.errors import BuildError
from zoo.metrics.base import Kind, LabelMetric, LinkMetric

M = TypeVar("M", LabelMetric, LinkMetric)


class OfficialLabels(LabelMetric):
    """A data set's own metric, computed by its authors' code; chance is that of a metric of the zoo's by that name."""

    kinds: ClassVar[tuple[Kind, ...]] = ("classes", "binary", "values")

    def __init__(self, official: Official, like: LabelMetric) -> None:
        self.name = official.metric
        self.higher_is_better = official.higher_is_better
        self.range, self.by = like.range, official.by
        self._score, self._like = official.score, like

    def undefined(self, labels: Tensor) -> str | None:
        """As of the metric of that name."""
        return self._like.undefined(labels)

    def score(self, outputs: Tensor, labels: Tensor) -> float:
        """Return what the authors' code says."""
        return self._score(outputs, labels)

    def chance(self, labels: Tensor) -> float:
        """Return the chance of the metric of that name."""
        return self._like.chance(labels)


class OfficialLinks(LinkMetric):
    """A data set's own metric of links, computed by its authors' code; chance is that of the zoo's by that name."""

    def __init__(self, official: Official, like: LinkMetric) -> None:
        self.name = official.metric
        self.higher_is_better = official.higher_is_better
        self.range, self.by = like.range, official.by
        self._score, self._like = official.score, like

    def score(self, positive: Tensor, negative: Tensor) -> float:
        """Return what the authors' code says."""
        return self._score(positive, negative)

    def chance(self, links: int, others: int) -> float:
        """Return the chance of the metric of that name."""
        return self._like.chance(links, others)


def link_metric(asked: str | Callable[..., Any], data: Any) -> tuple[LinkMetric, str]:
    """The metric for links of a data set, and why it is that one; `asked`: as of `label_metric`.

    A data set whose links are not what it is published for, but were split off, is scored by AUC.
    Raises: BuildError for a metric of labels.
    """
    published = isinstance(data, LinkData)
    name = (data.metric if published else "auc") if asked == "auto" else asked
    chosen: Any = metrics.get(name)() if isinstance(name, str) else name()
    if not isinstance(chosen, LinkMetric):
        fitting = [name for name in metrics.names() if _made(metrics.get(name), LinkMetric)]
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


def label_metric(asked: str | Callable[..., Any], data: Any) -> tuple[LabelMetric, str]:
    """The metric for a data set's labels, and why it is that one; `asked`: "auto", a name, or a metric's factory.

    Raises: BuildError if the metric is not defined for the data set's labels.
    """
    chosen: Any = metrics.get(data.metric if asked == "auto" else asked)() if isinstance(asked, str) else asked()
    if asked == "auto" and data.official is not None:
        return OfficialLabels(data.official, chosen), data.official.by
    if isinstance(chosen, LabelMetric) and chosen.defined_for(data.problem, data.classes):
        of = f"{'graph' if isinstance(data, GraphData) else 'node'} classification"
        return chosen, _reason(data, "accuracy", of) if asked == "auto" else "asked for"
    fitting = [name for name in metrics.names() if _fits(metrics.get(name), data)]
    raise BuildError(
        f"task.metric — {chosen.name} on {data.name}, which has {_described(data)} — expected a metric for such "
        f"labels — one of: {', '.join(fitting)}"
    )


def _reason(data: Any, default: str, task: str) -> str:
    """Why a data set's own metric is taken, where nobody asked for another."""
    if data.published:
        return f"what {data.name} is published with"
    return f"the default of {task}" if data.metric == default else f"what the data set {data.name} names"


def _fits(metric: Any, data: Any) -> bool:
    made = _made(metric, LabelMetric)
    return made is not None and made.defined_for(data.problem, data.classes)


def _made(metric: Any, kind: type[M]) -> type[M] | None:
    """The class that a metric's factory makes, if it is of the kind."""
    made = metric.func if isinstance(metric, partial) else metric
    return made if isinstance(made, type) and issubclass(made, kind) else None


def _described(data: Any) -> str:
    kinds = {"classes": "classes", "binary": "binary labels", "values": "numbers to predict"}
    return f"{data.classes} {kinds[data.problem]}"
