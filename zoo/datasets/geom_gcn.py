"""Graphs of Geom-GCN: Wikipedia articles, actors and university web pages, with ten splits each.

Edges are directed and kept as the files have them: the row `a b` is the edge a → b. Actor has some rows
twice, and all graphs have loops. (DGL's loader turns every edge around; `direction: reverse` does the same.)
Source: Pei et al., "Geom-GCN: Geometric Graph Convolutional Networks", ICLR 2020.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.datasets.base import Masks, NodeData
from zoo.datasets.published import verified
from zoo.datasets.readers import Archive
from zoo.datasets.sources import Source, github, source_files
from zoo.datasets.store import Content, Store

GEOM_GCN = github("graphdml-uiuc-jlu/geom-gcn", "f1fc0d14b3b019c562737240d06ec83b07d16a8f", "none stated")
# Cornell's nodes in the repository above are Texas's; an author of it uploaded the right ones here
_CORRECTED = github("bingzhewei/geom-gcn", "1124af17444d7fd09686504ec46caa3f39f4f632", "none stated")

Parse = Callable[[list[bytes]], NDArray[np.float32]]

_COMMA, _ZERO = ord(","), ord("0")
ACTOR_WORDS = 932


def chameleon(store: Store) -> NodeData:
    """Wikipedia articles on chameleons: 2,277 nodes, 36,101 directed edges, 2,325 nouns, 5 classes of traffic."""
    return _geom_gcn(store, "chameleon", _bits)


def squirrel(store: Store) -> NodeData:
    """Wikipedia articles on squirrels: 5,201 nodes, 217,073 directed edges, 2,089 nouns, 5 classes of traffic."""
    return _geom_gcn(store, "squirrel", _bits)


def actor(store: Store) -> NodeData:
    """Actors named together on Wikipedia: 7,600 nodes, 33,391 directed edges, 932 keywords, 5 classes."""
    return _geom_gcn(store, "actor", _positions)


def cornell(store: Store) -> NodeData:
    """Web pages of Cornell University: 183 nodes, 298 directed edges, 1,703 words, 5 classes.

    The files are those of the correction of 2022; before, Texas's words and classes were distributed as Cornell's, and
    figures of that time are of those.
    """
    return _geom_gcn(store, "cornell", _bits, _CORRECTED)


def texas(store: Store) -> NodeData:
    """Web pages of the University of Texas: 183 nodes, 325 directed edges, 1,703 words, 5 classes."""
    return _geom_gcn(store, "texas", _bits)


def wisconsin(store: Store) -> NodeData:
    """Web pages of the University of Wisconsin: 251 nodes, 515 directed edges, 1,703 words, 5 classes."""
    return _geom_gcn(store, "wisconsin", _bits)


def stacked_masks(contents: Iterable[Content]) -> Masks:
    """Return the splits that Geom-GCN ships, one file each with `train_mask`, `val_mask`, `test_mask` [nodes]."""
    archives = [Archive(content) for content in contents]
    train, val, test = (
        torch.from_numpy(np.stack([archive[f"{part}_mask"].astype(bool) for archive in archives]))
        for part in ("train", "val", "test")
    )
    return Masks(train, val, test)


def _geom_gcn(store: Store, name: str, parse: Parse, source: Source = GEOM_GCN) -> NodeData:
    found = store.read(name, source_files(name, source), by_content=True)
    return verified(store, name, found.values(), partial(_data, name, parse, source, found))


def _data(name: str, parse: Parse, source: Source, found: Mapping[str, Content]) -> NodeData:
    features, labels = _nodes(found["out1_node_feature_label.txt"], parse)
    with (content := found["out1_graph_edges.txt"]).broken_on(ValueError):
        edges = np.array(content.data.split()[2:], dtype=np.int64).reshape(-1, 2)
    masks = stacked_masks(content for file, content in found.items() if file.endswith(".npz"))
    src, dst = (torch.from_numpy(edges[:, column].copy()) for column in (0, 1))
    x, y, classes = torch.from_numpy(features), torch.from_numpy(labels), int(labels.max()) + 1
    both = {"public": masks, "geom-gcn": masks}
    facts = source.facts(found.values(), edges="directed, as in the file: first column → second column")
    return NodeData(name, src, dst, x, y, classes, masks=both, facts=facts, published=True)


def _nodes(content: Content, parse: Parse) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return features and labels in the order of the node ids; the lines are `id, features, label`, split by tabs."""
    with content.broken_on(ValueError, IndexError):
        ids, words, classes = zip(*(line.split(b"\t") for line in content.data.splitlines()[1:]), strict=True)
        order = np.array(ids, dtype=np.int64)
        if not np.array_equal(np.sort(order), np.arange(len(order))):
            raise ValueError("the node ids are not 0, 1, 2, … once each")
        place = np.argsort(order)
        return parse(list(words))[place], np.array(classes, dtype=np.int64)[place]


def _bits(rows: list[bytes]) -> NDArray[np.float32]:
    """Parse rows like `0,1,0`, one digit per word, as bytes: fifty times faster than as numbers."""
    if len({len(row) for row in rows}) != 1:
        raise ValueError("the rows of features differ in length")
    text = np.frombuffer(b"".join(row + b"," for row in rows), dtype=np.uint8)
    digits = text[::2] - _ZERO
    if len(text) % 2 or np.any(text[1::2] != _COMMA) or np.any(digits > 9):
        raise ValueError("the features are not single digits separated by commas")
    return digits.reshape(len(rows), -1).astype(np.float32)


def _positions(rows: list[bytes]) -> NDArray[np.float32]:
    """Parse rows like `92,132,143`: the positions of the keywords that a node has."""
    features = np.zeros((len(rows), ACTOR_WORDS), dtype=np.float32)
    positions = [row.split(b",") for row in rows]
    columns = np.array([column for row in positions for column in row], dtype=np.int64)
    features[np.repeat(np.arange(len(rows)), [len(row) for row in positions]), columns] = 1.0
    return features
