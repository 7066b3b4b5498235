"""The Amazon and Coauthor graphs; they ship without splits.

Source: Shchur et al., "Pitfalls of Graph Neural Network Evaluation", 2018.
The Amazon files list most edges in one direction only, and are kept so: `direction: both` makes the undirected graph.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch

from zoo.datasets.archive import Archive
from zoo.datasets.base import NodeData
from zoo.datasets.csr import dense, row_of_each_entry
from zoo.datasets.files import source_facts, source_files
from zoo.datasets.published import verified
from zoo.datasets.store import Content, Store


def amazon_photo(store: Store) -> NodeData:
    """Photo goods bought together: 7,650 nodes, 143,663 edges (238,163 both ways), 745 words, 8 classes."""
    return _gnn_benchmark(store, "amazon-photo")


def amazon_computers(store: Store) -> NodeData:
    """Computer goods bought together: 13,752 nodes, 287,209 edges (491,722 both ways), 767 words, 10 classes."""
    return _gnn_benchmark(store, "amazon-computers")


def coauthor_cs(store: Store) -> NodeData:
    """Authors of papers on computer science: 18,333 nodes, 163,788 edges, 6,805 keywords, 15 classes."""
    return _gnn_benchmark(store, "coauthor-cs")


def coauthor_physics(store: Store) -> NodeData:
    """Authors of papers on physics: 34,493 nodes, 495,924 edges, 8,415 keywords, 5 classes; 1.2 GB of features."""
    return _gnn_benchmark(store, "coauthor-physics")


def _gnn_benchmark(store: Store, name: str) -> NodeData:
    found = store.read(name, source_files(name), by_content=True)
    return verified(store, name, found.values(), partial(_data, name, found))


def _data(name: str, found: Mapping[str, Content]) -> NodeData:
    (content,) = found.values()
    archive = Archive(content)
    try:
        rows, columns = (int(size) for size in archive["attr_shape"])
        features = dense(archive["attr_data"], archive["attr_indices"], archive["attr_indptr"], (rows, columns))
        src = row_of_each_entry(archive["adj_indptr"], len(archive["adj_indices"]))
    except ValueError as error:
        raise content.broken(error) from error
    labels = archive["labels"].astype(np.int64)
    return NodeData(
        published=True,
        name=name,
        src=torch.from_numpy(src),
        dst=torch.from_numpy(archive["adj_indices"].astype(np.int64)),
        features=torch.from_numpy(features),
        labels=torch.from_numpy(labels),
        classes=int(labels.max()) + 1,
        facts=source_facts("gnn-benchmark", found, edges="as in the file: row of the adjacency matrix → column"),
    )
