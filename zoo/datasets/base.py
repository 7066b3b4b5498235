"""Data sets and splits: one graph with labels of nodes, one graph with links to predict, many graphs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from torch import Tensor

# classes: int64 labels, one of several classes · binary: float labels 0, 1 or NaN · values: float labels, NaN unknown
LabelKind = Literal["classes", "binary", "values"]


@dataclass(frozen=True)
class Masks:
    """Splits of one kind that ship with a data set: boolean tensors of shape [splits, nodes or graphs]."""

    train: Tensor
    val: Tensor
    test: Tensor


@dataclass(frozen=True)
class Official:
    """Scoring by the authors of a data set: the metric's name in their words, and their own code for it.

    score: for labels score(outputs [n, classes or tasks], labels), for links score(positive, negative), to a float.
    """

    metric: str
    higher_is_better: bool
    by: str
    score: Callable[[Tensor, Tensor], float]


class _Featured(Protocol):
    @property
    def features(self) -> Tensor: ...


@dataclass(frozen=True, kw_only=True)
class _Described:
    """Optional fields of every data set.

    metric: to score by; published: whether others publish figures of this data set in it. official: the authors' own
    scoring. facts: notes for the record (files with their sha256, changes made, source).
    categories: the number of values of each column of integer features; embedding: the one that they are made for.
    edge_features: float32 or int64 [edges, columns].
    digest: of the content before it was prepared, set by the builder. verified: how files of unknown bytes were
    verified. absent: masks that are not there, with the reason.
    """

    metric: str = "accuracy"
    facts: dict[str, Any] = field(default_factory=dict)
    categories: tuple[int, ...] | None = None
    embedding: str | None = None
    official: Official | None = None
    edge_features: Tensor | None = None
    published: bool = False
    digest: str = ""
    verified: str | None = None
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def nodes(self: _Featured) -> int:
        """Number of nodes, of all graphs."""
        return self.features.shape[0]

    def provenance(self) -> dict[str, Any]:
        """Return what a run's record says of the data."""
        known = {"absent": dict(self.absent), "verified": self.verified, "digest": self.digest}
        return {**self.facts, **{name: value for name, value in known.items() if value}}


@dataclass(frozen=True)
class NodeData(_Described):
    """A graph with node features and node labels, as its source has it: nothing added, nothing normalised.

    src, dst: int64 [edges], one entry per directed edge src → dst. features: float32 [nodes, width], or with
    categories int64 [nodes, columns], column k in 0 … categories[k]−1; without any, a column of the nodes' numbers.
    labels: int64 [nodes] in 0 … classes−1, or −1 for a node without a label; or float32 [nodes, classes] for as many
    labels of problem "binary" or "values", NaN where unknown.
    masks: shipped splits by the name of the split function that reads them ("public", "geom-gcn").
    """

    summary: ClassVar[str] = "one graph with labels of its nodes"
    item: ClassVar[str] = "node"
    name: str
    src: Tensor
    dst: Tensor
    features: Tensor
    labels: Tensor
    classes: int
    masks: dict[str, Masks] = field(default_factory=dict, kw_only=True)
    problem: LabelKind = field(default="classes", kw_only=True)


@dataclass(frozen=True)
class GraphData(_Described):
    """Many graphs, each with a label; their nodes are numbered consecutively, graph after graph.

    sizes: int64 [graphs], the number of nodes of each. src, dst, features, labels, masks, …: as of `NodeData`, over the
    nodes of all graphs, with graphs in place of nodes in labels and masks.
    """

    summary: ClassVar[str] = "many graphs, each with a label"
    item: ClassVar[str] = "graph"
    name: str
    src: Tensor
    dst: Tensor
    sizes: Tensor
    features: Tensor
    labels: Tensor
    classes: int
    masks: dict[str, Masks] = field(default_factory=dict, kw_only=True)
    problem: LabelKind = field(default="classes", kw_only=True)


@dataclass(frozen=True, kw_only=True)
class _Recorded:
    """Optional fields of every split.

    family: in words, what it shares with the splits that differ from it in their number alone; figures on one family
    may be compared; without one its name and options stand for it. number: None if there is one split.
    facts: notes for the record. why: the reason for an automatic choice. digest: of the content, set by the builder.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    family: str = ""
    number: int | None = None
    why: str = ""
    digest: str = ""

    def provenance(self) -> dict[str, Any]:
        """Return what a run's record says of the split."""
        known = {"why": self.why, "digest": self.digest}
        return {**self.facts, **{name: value for name, value in known.items() if value}}


@dataclass(frozen=True)
class Split(_Recorded):
    """Nodes, or graphs, to train, validate and test on: int64 index tensors without overlap."""

    name: str
    train: Tensor
    val: Tensor
    test: Tensor


@dataclass(frozen=True)
class LinkSplit(_Recorded):
    """Links to train, validate and test on, and the edges for message passing meanwhile.

    train, val, test: int64 [2, links], the links that exist; of an undirected graph each once. val_negative,
    test_negative: int64 [2, others], pairs that are no links, or [2, links, others] with others of each link.
    message: int64 [2, edges], directed edges: no link of val or test, in either direction, is among them.
    repeats: why such a link may be an edge all the same.
    """

    name: str
    train: Tensor
    val: Tensor
    test: Tensor
    val_negative: Tensor
    test_negative: Tensor
    message: Tensor
    directed: bool = False
    repeats: str = ""


@dataclass(frozen=True)
class LinkData(_Described):
    """A graph whose missing links are to be predicted. src, dst: the edges of the training graph. features, …: as of
    `NodeData`. links: the split that the data set ships; its message edges are those of src and dst.
    """

    summary: ClassVar[str] = "one graph with links to find"
    name: str
    src: Tensor
    dst: Tensor
    features: Tensor
    links: LinkSplit
    metric: str = field(default="auc", kw_only=True)


Data = NodeData | LinkData | GraphData
AnySplit = Split | LinkSplit
D = TypeVar("D", NodeData, LinkData, GraphData)
