"""What the labels of a split leave to be learned and to be scored: refused or noted before training."""

from collections.abc import Mapping

import torch
from torch import Tensor

from zoo.datasets.base import GraphData, NodeData
from zoo.errors import BuildError
from zoo.metrics.base import LabelMetric

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
