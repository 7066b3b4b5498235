"""Node classification on one graph, trained full-batch."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.errors import BuildError
from zoo.tasks.base import Batch, Part, Task


class NodeClassification(Task):
    """Classify the nodes of one graph: cross-entropy, one step per epoch.

    graph: the propagation graph. data: features [nodes, width], labels [nodes], classes, metric. split: index tensors
    train, val, test. metric: `auto` takes the data set's own, accuracy or (for two classes) ROC-AUC.
    """

    higher_is_better = True

    def __init__(
        self, graph: Any, data: Any, split: Any, *, metric: Literal["auto", "accuracy", "rocauc"] = "auto"
    ) -> None:
        self.metric = data.metric if metric == "auto" else metric
        self.metric_reason = f"what {data.name} is published with" if metric == "auto" else "asked for"
        if self.metric == "rocauc" and data.classes != 2:
            raise BuildError(
                f"task.metric — rocauc on {data.name}, which has {data.classes} classes — expected 2 classes — "
                "use accuracy"
            )
        self.in_width = data.features.shape[1]
        self.out_width = data.classes
        self.graph = graph
        self.features: Tensor = data.features
        self.labels: Tensor = data.labels
        self.index: dict[str, Tensor] = {"train": split.train, "val": split.val, "test": split.test}

    @property
    def steps_per_epoch(self) -> int:
        """One: the whole graph."""
        return 1

    def to(self, device: torch.device) -> "NodeClassification":
        """Move graph, features, labels and splits."""
        self.graph = self.graph.to(device)
        self.features = self.features.to(device)
        self.labels = self.labels.to(device)
        self.index = {part: nodes.to(device) for part, nodes in self.index.items()}
        return self

    def batches(self) -> Iterator[Batch]:
        """The training nodes, once."""
        yield self.index["train"]

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Mean cross-entropy over the batch's nodes, in float32."""
        logits = network(self.graph, self.features)
        return F.cross_entropy(logits[batch].float(), self.labels[batch])

    def scores(self, network: nn.Module) -> Callable[[Part], float]:
        """Accuracy or ROC-AUC of a part, from one forward pass over the graph.

        NaN where a logit of the part is not finite: the index of the largest would be that of a NaN. ROC-AUC is also
        NaN where all nodes of the part have one label.
        """
        logits = network(self.graph, self.features).detach().float()

        def score(part: Part) -> float:
            nodes = self.index[part]
            if not torch.isfinite(logits[nodes]).all():
                return float("nan")
            if self.metric == "accuracy":
                return float((logits[nodes].argmax(dim=1) == self.labels[nodes]).double().mean())
            return _rocauc(logits[nodes], self.labels[nodes])

        return score

    def chance(self, part: Part) -> float:
        """The share of the part's most frequent class; ½ for ROC-AUC."""
        if self.metric == "rocauc":
            return 0.5
        labels = self.labels[self.index[part]]
        return float(torch.bincount(labels).max()) / len(labels) if len(labels) else 0.0


def _rocauc(logits: Tensor, labels: Tensor) -> float:
    from sklearn.metrics import roc_auc_score  # slow to import, needed by few

    margin = logits[:, 1].double() - logits[:, 0].double()
    if (labels == labels[0]).all():
        return float("nan")
    return float(roc_auc_score(labels.cpu().numpy(), margin.cpu().numpy()))
