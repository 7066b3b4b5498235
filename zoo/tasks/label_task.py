"""Labels of nodes or graphs: the base of the tasks that predict them, their loss, and what cannot be learned."""

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from registry.owners import described
from zoo.contracts import number
from zoo.datasets.base import GraphData, LabelKind, LinkSplit, NodeData, Split
from zoo.errors import BuildError
from zoo.layers.embedding import Inputs
from zoo.metrics.base import LabelMetric
from zoo.recipe.fields import Metric
from zoo.tasks.base import Note, Part, Task, check_data
from zoo.tasks.task_metric import label_metric


class LabelTask(Task):
    """A task that predicts the labels of a data set's nodes or graphs.

    index: their numbers in each part. notes: what cannot be learned or scored.
    Raises: BuildError for data or a split of another task, or a metric that the labels, or those of val, do not have.
    """

    measure: LabelMetric

    def __init__(self, data: NodeData | GraphData, split: Split, metric: Literal["auto"] | Metric) -> None:
        check_data(type(self), data)
        if isinstance(split, LinkSplit):
            raise BuildError(
                f"{described(self, 'task')} — split {split.name} is of links — expected a split of {data.item}s — "
                "split=random, or task=links"
            )
        self.measure, reason = label_metric(metric, data)
        self._score_by(self.measure, reason)
        self.inputs = Inputs(data.features.shape[1], data.categories, data.embedding)
        self.problem: LabelKind = data.problem
        self.out_width = data.classes
        self.features, self.labels = data.features, data.labels
        self.index: dict[str, Tensor] = {"train": split.train, "val": split.val, "test": split.test}
        self.notes = [*check_scores(self.measure, data, self.index), *note_labels(data, self.index)]

    def chance(self, part: Part) -> float:
        """Return the metric's chance for the labels of the part."""
        return number("metric", self.measure, self.measure.chance(self.labels[self.index[part]]), "its chance")


def label_loss(outputs: Tensor, labels: Tensor, problem: LabelKind) -> Tensor:
    """Return the mean loss in float32: cross-entropy of classes, binary cross-entropy, or squares of values.

    outputs: [n, classes or labels each]; labels: as of `NodeData`. Unknown labels (NaN) count for nothing. Without any
    known label the loss is 0.
    """
    outputs = outputs.float()
    if problem == "classes":
        return F.cross_entropy(outputs, labels) if len(labels) else outputs.sum() * 0
    known = ~torch.isnan(labels)
    # Masked and not picked out: how many there are is for a GPU to know, and a host that asks would wait for it. The
    # outputs are masked before, or the gradient of one that is not finite, times 0, would be NaN.
    kind: Callable[..., Tensor] = F.binary_cross_entropy_with_logits if problem == "binary" else F.mse_loss
    each = kind(torch.where(known, outputs, 0.0), torch.where(known, labels, 0.0).float(), reduction="none")
    return torch.where(known, each, 0.0).sum() / known.sum().clamp(min=1)


def check_scores(measure: LabelMetric, data: NodeData | GraphData, index: Mapping[str, Tensor]) -> list[Note]:
    """Return notes on parts that have no score, whatever is predicted: train or test.

    Raises: BuildError if that part is val, by which the weights are chosen: a run would have no result.
    """
    notes: list[Note] = []
    for part, rows in index.items():
        why = measure.undefined(data.labels[rows])
        if why is None:
            continue
        message = f"{measure.name} of the {len(rows)} {part} labels of {data.name} cannot be told: {why}"
        if part == "val":
            raise BuildError(
                f"task.metric — {message} — expected labels that it is defined for, as weights are chosen by it — "
                "another split, or another task.metric"
            )
        notes.append(("metric", f"none of {part}", message))
    return notes


def note_labels(data: NodeData | GraphData, index: Mapping[str, Tensor]) -> list[Note]:
    """Return notes on classes, or labels, that cannot be learned: the training part shows one side of them, or none."""
    train, items = data.labels[index["train"]], f"train {data.item}"
    if data.problem == "classes":
        counts = torch.bincount(train, minlength=data.classes)
        held = torch.bincount(torch.cat([data.labels[index[part]] for part in ("val", "test")]), minlength=data.classes)
        if int((counts > 0).sum()) == 1:
            why = f"every {items} is of class {int(counts.argmax())}: there is nothing to tell apart"
            return [("labels", "one class", why)]
        absent = (counts == 0).nonzero().flatten().tolist()
        kind = f"classes without a {items}"
        why = f"no {items} is of these; {int(held[absent].sum())} of val and test are, and cannot be learned"
    else:
        lacking, learned = "both a positive and a negative", (train == 0).any(dim=0) & (train == 1).any(dim=0)
        if data.problem == "values":
            lacking, learned = "a known value", ~train.isnan().all(dim=0)
        absent = (~learned).nonzero().flatten().tolist()
        kind = f"without {lacking}"
        why = f"the {items}s do not have {lacking} of these, which cannot be learned"
    listed = ", ".join(map(str, absent[:8])) + (", …" if len(absent) > 8 else "")
    return [("labels", f"{len(absent)} of {data.classes} {kind}: {listed}", why)] if absent else []
