"""The heterophilous graphs of Platonov et al., and their filtered Wikipedia graphs; ten splits each.

The files list each undirected edge once; here it is listed in both directions, as its graph has it.
Source: Platonov et al., "A Critical Look at the Evaluation of GNNs under Heterophily", ICLR 2023.
"""

from collections.abc import Mapping
from functools import partial

import torch

from zoo.datasets.archive import Archive
from zoo.datasets.base import Masks, NodeData
from zoo.datasets.edges import both_directions
from zoo.datasets.files import source_facts, source_files
from zoo.datasets.published import verified
from zoo.datasets.store import Content, Store


def chameleon_filtered(store: Store) -> NodeData:
    """Wikipedia articles on chameleons without duplicates: 890 nodes, 8,854 undirected edges, 5 classes."""
    return _heterophilous(store, "chameleon-filtered", "accuracy")


def squirrel_filtered(store: Store) -> NodeData:
    """Wikipedia articles on squirrels without duplicates: 2,223 nodes, 46,998 undirected edges, 5 classes."""
    return _heterophilous(store, "squirrel-filtered", "accuracy")


def minesweeper(store: Store) -> NodeData:
    """The game's board as a graph, mines to be found: 10,000 nodes, 39,402 undirected edges, 2 classes, ROC AUC."""
    return _heterophilous(store, "minesweeper", "rocauc")


def tolokers(store: Store) -> NodeData:
    """Workers of a crowdsourcing platform: 11,758 nodes, 519,000 undirected edges, 2 classes, ROC AUC."""
    return _heterophilous(store, "tolokers", "rocauc")


def roman_empire(store: Store) -> NodeData:
    """Words of the article on the Roman Empire: 22,662 nodes, 32,927 undirected edges, 18 classes of syntactic role."""
    return _heterophilous(store, "roman-empire", "accuracy")


def amazon_ratings(store: Store) -> NodeData:
    """Products bought together: 24,492 nodes, 93,050 undirected edges, 5 classes of rating."""
    return _heterophilous(store, "amazon-ratings", "accuracy")


def questions(store: Store) -> NodeData:
    """Users of a question-answering site: 48,921 nodes, 153,540 undirected edges, 2 classes, ROC AUC."""
    return _heterophilous(store, "questions", "rocauc")


def _heterophilous(store: Store, name: str, metric: str) -> NodeData:
    found = store.read(name, source_files(name), by_content=True)
    return verified(store, name, found.values(), partial(_data, name, metric, found))


def _data(name: str, metric: str, found: Mapping[str, Content]) -> NodeData:
    (content,) = found.values()
    archive = Archive(content)
    labels = torch.from_numpy(archive["node_labels"]).long()
    edges = torch.from_numpy(archive["edges"]).long()
    if edges.ndim != 2 or edges.shape[1] != 2:
        raise content.broken(f"array 'edges' has shape {list(edges.shape)}, not [edges, 2]")
    src, dst = both_directions(edges[:, 0], edges[:, 1], len(labels))
    train, val, test = (torch.from_numpy(archive[f"{part}_masks"]) for part in ("train", "val", "test"))
    return NodeData(
        published=True,
        name=name,
        src=src,
        dst=dst,
        features=torch.from_numpy(archive["node_features"]).float(),
        labels=labels,
        classes=int(labels.max()) + 1,
        metric=metric,
        masks={"public": Masks(train, val, test)},
        facts=source_facts("heterophilous-graphs", found, edges="undirected, one row each in the file; both listed"),
    )
