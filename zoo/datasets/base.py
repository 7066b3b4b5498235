"""What a node data set is, whatever file it comes from."""

from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

Metric = Literal["accuracy", "rocauc"]


@dataclass(frozen=True)
class Masks:
    """The splits of one kind that ship with a data set: boolean tensors of shape [splits, nodes]."""

    train: Tensor
    val: Tensor
    test: Tensor


@dataclass(frozen=True)
class NodeData:
    """A graph with node features and node labels, as its source has it: nothing added, nothing normalised.

    src, dst: int64 [edges], one entry per directed edge src → dst. features: float32 [nodes, width].
    labels: int64 [nodes] in 0 … classes−1, or −1 for a node without a label.
    masks: shipped splits by the name of the split function that reads them ("public", "geom-gcn").
    facts: what a record should say of the data (files with their sha256, changes made, source).
    """

    name: str
    src: Tensor
    dst: Tensor
    features: Tensor
    labels: Tensor
    classes: int
    metric: Metric = "accuracy"
    masks: dict[str, Masks] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return self.features.shape[0]


@dataclass(frozen=True)
class Split:
    """Which nodes train, validate and test: int64 index tensors without overlap."""

    name: str
    train: Tensor
    val: Tensor
    test: Tensor
    facts: dict[str, Any] = field(default_factory=dict)
