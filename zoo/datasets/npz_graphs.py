"""Graphs that are distributed as one `.npz` file each: heterophilous graphs, Amazon's and Coauthor's.

Heterophilous graphs, filtered Wikipedia graphs among them, have ten splits each, and undirected edges, which the files
list once, and are listed here in both directions. Amazon and Coauthor graphs ship without splits; the Amazon files list
most edges in one direction only, and are kept so: `direction: both` makes the undirected graph.
Sources: Platonov et al., "A Critical Look at the Evaluation of GNNs under Heterophily", ICLR 2023; Shchur et al.,
"Pitfalls of Graph Neural Network Evaluation", 2018.
"""

from collections.abc import Callable

import numpy as np
import torch

from zoo.datasets.base import Masks, NodeData
from zoo.datasets.pairs import both_directions
from zoo.datasets.published import verified
from zoo.datasets.readers import Archive, dense, row_of_each_entry
from zoo.datasets.sources import Source, github, source_files
from zoo.datasets.store import Content, Store

_HETEROPHILOUS = github("yandex-research/heterophilous-graphs", "a431395582e929d88271309716bea4fe24ce6318", "MIT")
_GNN_BENCHMARK = github("shchur/gnn-benchmark", "1e72912a0810cdf27ae54fd589a3b43358a2b161", "MIT")


def chameleon_filtered(store: Store) -> NodeData:
    """Wikipedia articles on chameleons without duplicates: 890 nodes, 8,854 undirected edges, 5 classes."""
    return _heterophilous(store, "chameleon-filtered")


def squirrel_filtered(store: Store) -> NodeData:
    """Wikipedia articles on squirrels without duplicates: 2,223 nodes, 46,998 undirected edges, 5 classes."""
    return _heterophilous(store, "squirrel-filtered")


def minesweeper(store: Store) -> NodeData:
    """The game's board as a graph, mines to be found: 10,000 nodes, 39,402 undirected edges, 2 classes, ROC AUC."""
    return _heterophilous(store, "minesweeper", metric="rocauc")


def tolokers(store: Store) -> NodeData:
    """Workers of a crowdsourcing platform: 11,758 nodes, 519,000 undirected edges, 2 classes, ROC AUC."""
    return _heterophilous(store, "tolokers", metric="rocauc")


def roman_empire(store: Store) -> NodeData:
    """Words of the article on the Roman Empire: 22,662 nodes, 32,927 undirected edges, 18 classes of syntactic role."""
    return _heterophilous(store, "roman-empire")


def amazon_ratings(store: Store) -> NodeData:
    """Products bought together: 24,492 nodes, 93,050 undirected edges, 5 classes of rating."""
    return _heterophilous(store, "amazon-ratings")


def questions(store: Store) -> NodeData:
    """Users of a question-answering site: 48,921 nodes, 153,540 undirected edges, 2 classes, ROC AUC."""
    return _heterophilous(store, "questions", metric="rocauc")


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


def _heterophilous(store: Store, name: str, metric: str = "accuracy") -> NodeData:
    def parse(content: Content) -> NodeData:
        archive = Archive(content)
        labels = torch.from_numpy(archive["node_labels"]).long()
        edges = torch.from_numpy(archive["edges"]).long()
        if edges.ndim != 2 or edges.shape[1] != 2:
            raise content.broken(f"array 'edges' has shape {list(edges.shape)}, not [edges, 2]")
        src, dst = both_directions(edges[:, 0], edges[:, 1], len(labels))
        x, classes = torch.from_numpy(archive["node_features"]).float(), int(labels.max()) + 1
        masks = {"public": Masks(*(torch.from_numpy(archive[f"{part}_masks"]) for part in ("train", "val", "test")))}
        facts = _HETEROPHILOUS.facts([content], edges="undirected, one row each in the file; both listed")
        return NodeData(name, src, dst, x, labels, classes, metric=metric, masks=masks, facts=facts, published=True)

    return _read(store, name, _HETEROPHILOUS, parse)


def _gnn_benchmark(store: Store, name: str) -> NodeData:
    def parse(content: Content) -> NodeData:
        archive = Archive(content)
        with content.broken_on(ValueError):
            rows, columns = (int(size) for size in archive["attr_shape"])
            features = dense(archive["attr_data"], archive["attr_indices"], archive["attr_indptr"], (rows, columns))
            src = row_of_each_entry(archive["adj_indptr"], len(archive["adj_indices"]))
        dst, labels = (torch.from_numpy(archive[array].astype(np.int64)) for array in ("adj_indices", "labels"))
        facts = _GNN_BENCHMARK.facts([content], edges="as in the file: row of the adjacency matrix → column")
        x, classes = torch.from_numpy(features), int(labels.max()) + 1
        return NodeData(name, torch.from_numpy(src), dst, x, labels, classes, facts=facts, published=True)

    return _read(store, name, _GNN_BENCHMARK, parse)


def _read(store: Store, name: str, source: Source, parse: Callable[[Content], NodeData]) -> NodeData:
    (content,) = store.read(name, source_files(name, source), by_content=True).values()
    return verified(store, name, [content], lambda: parse(content))
