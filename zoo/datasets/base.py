"""What a data set is, whatever file it comes from: one graph with labels, one graph with links to find, many graphs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

# classes: int64 labels, one of several classes · binary: float labels 0, 1 or NaN · values: float labels, NaN unknown
Problem = Literal["classes", "binary", "values"]


@dataclass(frozen=True)
class Masks:
    """The splits of one kind that ship with a data set: boolean tensors of shape [splits, nodes or graphs]."""

    train: Tensor
    val: Tensor
    test: Tensor


@dataclass(frozen=True)
class Official:
    """How the authors of a data set score it: the metric's name in their words, and their own code for it.

    score: for labels score(outputs [n, classes or tasks], labels), for links score(positive, negative), to a float.
    """

    metric: str
    higher_is_better: bool
    by: str
    score: Callable[[Tensor, Tensor], float]


@dataclass(frozen=True)
class NodeData:
    """A graph with node features and node labels, as its source has it: nothing added, nothing normalised.

    src, dst: int64 [edges], one entry per directed edge src → dst. features: float32 [nodes, width], or int64
    [nodes, columns] with column k in 0 … categories[k]−1; without any features a column of the nodes' numbers.
    labels: int64 [nodes] in 0 … classes−1, or −1 for a node without a label; or float32 [nodes, classes] of 0, 1 and
    NaN for as many binary labels (problem "binary").
    masks: shipped splits by the name of the split function that reads them ("public", "geom-gcn").
    embedding: the name of the embedding that the integer features are made for. official: the authors' own scoring.
    facts: what a record should say of the data (files with their sha256, changes made, source). published: whether
    `metric` is the one that others publish figures of this data set in.
    """

    name: str
    src: Tensor
    dst: Tensor
    features: Tensor
    labels: Tensor
    classes: int
    metric: str = "accuracy"
    masks: dict[str, Masks] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    problem: Problem = "classes"
    categories: tuple[int, ...] | None = None
    embedding: str | None = None
    official: Official | None = None
    edge_features: Tensor | None = None
    published: bool = False

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return self.features.shape[0]


@dataclass(frozen=True)
class Split:
    """Which nodes, or graphs, train, validate and test: int64 index tensors without overlap.

    family: in words, what it shares with the splits that differ from it in their number alone; figures on one family
    may be compared; without one its name and options stand for it. number: which of them it is, None if there is one.
    """

    name: str
    train: Tensor
    val: Tensor
    test: Tensor
    facts: dict[str, Any] = field(default_factory=dict)
    family: str = ""
    number: int | None = None


@dataclass(frozen=True)
class LinkSplit:
    """Which links train, validate and test, and what is passed along which edges meanwhile.

    train, val, test: int64 [2, links], the links that are there; of an undirected graph each once. val_negative,
    test_negative: int64 [2, others], pairs that are none, or [2, links, others] with others of each link.
    message: int64 [2, edges], the directed edges that features spread along, always: no link of val or test, in either
    direction, is among them. family, number: as of `Split`.
    """

    name: str
    train: Tensor
    val: Tensor
    test: Tensor
    val_negative: Tensor
    test_negative: Tensor
    message: Tensor
    directed: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    family: str = ""
    number: int | None = None


@dataclass(frozen=True)
class LinkData:
    """A graph whose missing links are to be found. src, dst, features, categories, …: as of `NodeData`.

    src, dst: the edges of the training graph. official: as of `NodeData`, on scores of links.
    links: the split that the data set ships; its message edges are those of src and dst.
    """

    name: str
    src: Tensor
    dst: Tensor
    features: Tensor
    links: LinkSplit
    metric: str = "auc"
    facts: dict[str, Any] = field(default_factory=dict)
    categories: tuple[int, ...] | None = None
    embedding: str | None = None
    official: Official | None = None
    edge_features: Tensor | None = None
    published: bool = False

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return self.features.shape[0]


@dataclass(frozen=True)
class GraphData:
    """Many graphs, each with a label; their nodes are numbered through, graph after graph.

    src, dst, features, categories, …: as of `NodeData`, over the nodes of all graphs. sizes: int64 [graphs], the number
    of nodes of each. edge_features: float32 or int64 [edges, columns], or None.
    labels: int64 [graphs] in 0 … classes−1 (−1: none), or float32 [graphs, classes] for as many labels of problem
    "binary" or "values", NaN where unknown. masks: [splits, graphs].
    """

    name: str
    src: Tensor
    dst: Tensor
    sizes: Tensor
    features: Tensor
    labels: Tensor
    classes: int
    metric: str = "accuracy"
    masks: dict[str, Masks] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    problem: Problem = "classes"
    categories: tuple[int, ...] | None = None
    embedding: str | None = None
    official: Official | None = None
    edge_features: Tensor | None = None
    published: bool = False

    @property
    def nodes(self) -> int:
        """Number of nodes of all graphs."""
        return self.features.shape[0]


Data = NodeData | LinkData | GraphData
