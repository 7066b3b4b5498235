"""TU collection, sets of many small graphs: molecules, proteins, and who played in films with whom.

Files number nodes and graphs from 1, over all graphs, and list each edge in both directions. Graphs' labels become
classes 0, 1, … in their order (−1 and 1 are two classes, not three); nodes' labels, which name atoms or parts of
proteins, become one-hot features.
Source: Morris et al., "TUDataset: A collection of benchmark datasets for learning with graphs", GRL+ at ICML 2020.
"""

import io
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from zoo.datasets.base import GraphData
from zoo.datasets.pairs import distinct
from zoo.datasets.published import verified
from zoo.datasets.sources import github, source_files
from zoo.datasets.store import Content, Store

_GRAPH_NN = github("bknyaz/graph_nn", "72eaa1c6bd70a90fde772ad4a21049ccd6bc97a2", "ECL-2.0")


def mutag(store: Store, *, edge_labels: bool = False) -> GraphData:
    """Nitroaromatic molecules, mutagenic or not: 188 graphs, 3,371 atoms of 7 kinds, 2 classes.

    edge_labels: each edge's kind of bond (0 aromatic, 1 single, 2 double, 3 triple) as its feature.
    """
    return _tu(store, "mutag", edge_labels=edge_labels)


def ptc_mr(store: Store, *, edge_labels: bool = False) -> GraphData:
    """Molecules, carcinogenic for male rats or not: 344 graphs, 4,915 atoms of 18 kinds, 2 classes.

    edge_labels: each edge's kind of bond (0 triple, 1 double, 2 single, 3 aromatic) as its feature.
    """
    return _tu(store, "ptc-mr", edge_labels=edge_labels)


def nci1(store: Store) -> GraphData:
    """Molecules, active against lung cancer cells or not: 4,110 graphs, 122,747 atoms of 37 kinds, 2 classes."""
    return _tu(store, "nci1")


def proteins(store: Store, *, attributes: bool = False) -> GraphData:
    """Proteins, enzymes or not: 1,113 graphs, 43,471 nodes of 3 kinds (helix, sheet, turn), 2 classes.

    attributes: besides the kind, each node's length in amino acids, as it is.
    """
    return _tu(store, "proteins", attributes=attributes)


def enzymes(store: Store, *, attributes: bool = False) -> GraphData:
    """Enzymes of 6 classes of reaction: 600 graphs, 19,580 nodes of 3 kinds (helix, sheet, turn).

    attributes: besides the kind, each node's 18 physical and chemical measurements, as they are.
    """
    return _tu(store, "enzymes", attributes=attributes)


def imdb_binary(store: Store, *, degree: bool = True) -> GraphData:
    """Actors who played together in films, of action or of romance: 1,000 graphs, 19,773 nodes, 2 classes.

    The file lists each edge twice; each is left once. Nodes have no features of their own.
    degree: a column for each degree that occurs, 65, as in Xu et al., ICLR 2019, § 7; else one column of ones.
    """
    return _tu(store, "imdb-binary", degree=degree)


def _tu(
    store: Store, name: str, *, attributes: bool = False, edge_labels: bool = False, degree: bool = False
) -> GraphData:
    parts = [name, *([f"{name}/attributes"] if attributes else []), *([f"{name}/edge-labels"] if edge_labels else [])]
    files = [file for part in parts for file in source_files(part, _GRAPH_NN)]
    found = {_kind(file): content for file, content in store.read(name, files, by_content=True).items()}
    return verified(store, name, found.values(), partial(_data, name, found, degree=degree))


def _data(name: str, found: Mapping[str, Content], *, degree: bool) -> GraphData:
    sizes = _sizes(found["graph_indicator"])
    nodes = int(sizes.sum())
    labels, classes = _classes(found["graph_labels"], len(sizes), "graphs")
    src, dst = _edges(found["A"], sizes)
    listed, on_edges, facts = len(src), None, _GRAPH_NN.facts(found.values(), edges="both ways")
    if "edge_labels" in found:
        kinds, values = _classes(found["edge_labels"], listed, "edges")
        on_edges, facts["edge features"] = kinds[:, None], f"column 0: labels {values}"
    else:
        src, dst = distinct(src, dst, nodes)
    features, columns = _features(found, nodes, torch.bincount(dst, minlength=nodes) if degree else None)
    facts |= {"labels of the classes": classes, "features": columns, "repeated edges left out": listed - len(src)}
    return GraphData(
        name, src, dst, sizes, features, labels, len(classes), facts=facts, edge_features=on_edges, published=True
    )


def _kind(file: str) -> str:
    """Return `graph_labels` of `PTC_MR_graph_labels.txt`."""
    kinds = "A", "graph_indicator", "graph_labels", "node_labels", "node_attributes", "edge_labels"
    return next(kind for kind in kinds if file.endswith(f"_{kind}.txt"))


def _sizes(content: Content) -> Tensor:
    """Return the number of nodes of each graph, from the graph's number at each node."""
    graphs = _numbers(content, np.int64)[:, 0]
    steps = np.diff(graphs)
    if graphs[0] != 1 or np.any((steps != 0) & (steps != 1)):
        raise content.broken("the graphs of the nodes are not 1, 1, …, 2, 2, …")
    return torch.from_numpy(np.bincount(graphs)[1:])


def _edges(content: Content, sizes: Tensor) -> tuple[Tensor, Tensor]:
    rows = _numbers(content, np.int64)
    if rows.shape[1] != 2:
        raise content.broken(f"its rows have {rows.shape[1]} numbers, not 2")
    nodes, ends = int(sizes.sum()), torch.from_numpy(rows - 1)
    if len(ends) and (int(ends.min()) < 0 or int(ends.max()) >= nodes):
        raise content.broken(f"it names nodes {int(ends.min()) + 1} … {int(ends.max()) + 1} of {nodes}")
    src, dst = ends[:, 0].contiguous(), ends[:, 1].contiguous()
    graphs = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
    if not torch.equal(graphs[src], graphs[dst]):
        raise content.broken("an edge joins two graphs")
    return src, dst


def _classes(content: Content, count: int, what: str) -> tuple[Tensor, list[int]]:
    """Return the labels as 0, 1, …, and their values in the file."""
    values, places = np.unique(_numbers(content, np.int64, count, what)[:, 0], return_inverse=True)
    return torch.from_numpy(places.astype(np.int64)), values.tolist()


def _features(found: Mapping[str, Content], nodes: int, degrees: Tensor | None) -> tuple[Tensor, str]:
    """Return the nodes' features, and a description of their columns."""
    parts, columns = [], []
    if "node_labels" in found:
        places, values = _classes(found["node_labels"], nodes, "nodes")
        parts.append(one_hot(places, len(values)).float())
        columns.append(f"one-hot node labels {values}")
    if "node_attributes" in found:
        attributes = _numbers(found["node_attributes"], np.float64, nodes, "nodes")
        parts.append(torch.from_numpy(attributes).float())
        columns.append(f"{attributes.shape[1]} node attributes")
    if degrees is not None:
        values, places = degrees.unique(return_inverse=True)
        parts.append(one_hot(places, len(values)).float())
        columns.append(f"one-hot degrees {values.tolist()}")
    if not parts:
        return torch.ones(nodes, 1), "ones"
    return torch.cat(parts, dim=1), ", ".join(columns)


def _numbers(content: Content, kind: Any, count: int | None = None, what: str = "") -> NDArray[Any]:
    """Return rows of numbers, separated by commas. count: how many rows there have to be, one for each of `what`."""
    with content.broken_on(ValueError, OverflowError):
        table = pd.read_csv(io.BytesIO(content.data), header=None, dtype=kind, skipinitialspace=True)
    if count is not None and len(table) != count:
        raise content.broken(f"it has {len(table)} rows for {count} {what}")
    return np.array(table)  # a copy: pandas may hand out what cannot be written to
