"""Labels of nodes or graphs: what is minimised, for each kind of them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.datasets.base import GraphData, LinkData, LinkSplit, NodeData, Problem
from zoo.errors import BuildError
from zoo.metrics.base import LabelMetric


def label_loss(outputs: Tensor, labels: Tensor, problem: Problem) -> Tensor:
    """The mean loss, in float32: cross-entropy of classes, binary cross-entropy of binary labels, squares of values.

    outputs: [n, classes or labels each]; labels: as of `NodeData`. Unknown labels (NaN) count for nothing. Without any
    known label the loss is 0.
    """
    outputs = outputs.float()
    if problem == "classes":
        return F.cross_entropy(outputs, labels) if len(labels) else outputs.sum() * 0
    known = ~torch.isnan(labels)
    # Masked and not picked out: how many there are is for a GPU to know, and a host that asks would wait for it. The
    # outputs are masked before, or the gradient of one that is not finite, times 0, would be NaN.
    kind = F.binary_cross_entropy_with_logits if problem == "binary" else F.mse_loss
    each = kind(torch.where(known, outputs, 0.0), torch.where(known, labels, 0.0).float(), reduction="none")
    return torch.where(known, each, 0.0).sum() / known.sum().clamp(min=1)


Note = tuple[str, str, str]


def check_scores(measure: LabelMetric, data: NodeData | GraphData, index: Mapping[str, Tensor]) -> list[Note]:
    """Notes on parts that have no score, whatever is predicted: train or test.

    Raises: BuildError if that part is val, by which the weights are chosen: a run would have no result.
    """
    notes: list[Note] = []
    for part, rows in index.items():
        why = measure.undefined(data.labels[rows])
        if why is None:
            continue
        said = f"{measure.name} of the {len(rows)} {part} labels of {data.name} cannot be told: {why}"
        if part == "val":
            raise BuildError(
                f"task.metric — {said} — expected labels that it is defined for, as weights are chosen by it — another "
                "split, or another task.metric"
            )
        notes.append(("metric", f"none of {part}", said))
    return notes


def note_labels(data: NodeData | GraphData, index: Mapping[str, Tensor]) -> list[Note]:
    """Notes on what cannot be learned: classes, or binary labels, of which the training part shows one side or none."""
    train = data.labels[index["train"]]
    of = "graph" if isinstance(data, GraphData) else "node"
    if data.problem == "classes":
        counts = torch.bincount(train, minlength=data.classes)
        held = torch.bincount(torch.cat([data.labels[index[part]] for part in ("val", "test")]), minlength=data.classes)
        if int((counts > 0).sum()) == 1:
            only = int(counts.argmax())
            return [("labels", "one class", f"every train {of} is of class {only}: there is nothing to tell apart")]
        absent = (counts == 0).nonzero().flatten().tolist()
        if not absent:
            return []
        why = f"no train {of} is of these; {int(held[absent].sum())} of val and test are, and cannot be learned"
        return [("labels", f"{len(absent)} of {data.classes} classes without a train {of}: {_listed(absent)}", why)]
    if data.problem == "values":
        lacking, learned = "a known value", ~train.isnan().all(dim=0)
    else:
        lacking, learned = "both a positive and a negative", (train == 0).any(dim=0) & (train == 1).any(dim=0)
    absent = (~learned).nonzero().flatten().tolist()
    if not absent:
        return []
    why = f"the train {of}s do not have {lacking} of these, which cannot be learned"
    return [("labels", f"{len(absent)} of {data.classes} without {lacking}: {_listed(absent)}", why)]


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:8])) + (", …" if len(numbers) > 8 else "")


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
