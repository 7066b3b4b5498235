"""OGB's graphs whose nodes have labels: ogbn-*. The public split is the official one."""

from functools import partial

import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.datasets.base import NodeData
from zoo.datasets.ogb import assemble
from zoo.datasets.ogb.folder import Folder, open_folder
from zoo.datasets.ogb.parsed import parsed
from zoo.datasets.ogb.raw import parse_graphs, parse_labels, parse_split
from zoo.datasets.store import Store


def ogbn_arxiv(store: Store) -> NodeData:
    """Papers on computer science: 169,343 nodes, 1,166,243 directed citations, 40 subjects; accuracy, split by time."""
    return _nodes(store, "ogbn-arxiv")


def ogbn_products(store: Store) -> NodeData:
    """Products bought together: 2,449,029 nodes, 61,859,140 undirected edges, 47 categories; accuracy."""
    return _nodes(store, "ogbn-products")


def ogbn_proteins(store: Store, *, edge_features: bool = False) -> NodeData:
    """Proteins of eight species: 132,534 nodes, 39,561,252 undirected edges, 112 binary functions; ROC AUC, by species.

    The nodes have no features, the edges eight; a node's features are the means of those of its edges, as in OGB's
    own examples. edge_features: keep those of the edges as well, for convolutions that take them.
    """
    return _nodes(store, "ogbn-proteins", edge_features=edge_features)


def _nodes(store: Store, name: str, *, edge_features: bool = False) -> NodeData:
    folder = open_folder(store, name)
    return folder.verified(store, partial(_data, store, name, folder, edge_features=edge_features))


def _data(store: Store, name: str, folder: Folder, *, edge_features: bool) -> NodeData:
    arrays = parsed(store, folder, _parse)
    count = int(arrays["nodes"].sum())
    src, dst = assemble.edges(folder, arrays)
    labels, classes, problem = assemble.labels(folder, arrays, lambda: folder.read("raw/node-label.csv.gz"))
    on_edges = assemble.edge_values(folder, arrays["edge-feat"]) if "edge-feat" in arrays else None
    facts = folder.facts(assemble.how(folder))
    if "node-feat" in arrays:
        features = assemble.floats(arrays["node-feat"])
    else:
        assert on_edges is not None
        features = _mean_of_edges(on_edges, dst, count)
        facts["features"] = "the mean of the features of a node's edges, as in OGB's own examples"
    scoring = assemble.official(name)
    return NodeData(
        published=True,
        name=name,
        src=src,
        dst=dst,
        features=features,
        labels=labels,
        classes=classes,
        metric=scoring.metric,
        masks=assemble.masks(arrays, count),
        facts=facts,
        problem=problem,
        official=scoring,
        edge_features=on_edges if edge_features else None,
    )


def _parse(folder: Folder) -> dict[str, NDArray]:
    arrays = parse_graphs(folder)
    count = int(arrays["nodes"].sum())
    arrays["label"] = parse_labels(folder, "node-label", count, int(folder.meta["num tasks"]))
    return {**arrays, **parse_split(folder, count)}


def _mean_of_edges(on_edges: Tensor, dst: Tensor, nodes: int) -> Tensor:
    """[nodes, columns], the mean over a node's in-edges; 0 without any."""
    total = torch.zeros(nodes, on_edges.shape[1]).index_add_(0, dst, on_edges)
    return total / torch.bincount(dst, minlength=nodes).clamp(min=1)[:, None]
