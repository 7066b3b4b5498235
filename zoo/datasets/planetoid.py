"""Planetoid citation graphs: papers, bag-of-words features, citations in both directions.

Source: Yang, Cohen, Salakhutdinov, "Revisiting Semi-Supervised Learning with Graph Embeddings", ICML 2016.
The `geom-gcn` splits are those of Pei et al., "Geom-GCN", ICLR 2020.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.datasets.base import Masks, NodeData
from zoo.datasets.geom_gcn import GEOM_GCN, stacked_masks
from zoo.datasets.pairs import both_directions
from zoo.datasets.pickled import SparseRows, unpickle
from zoo.datasets.published import verified
from zoo.datasets.readers import dense
from zoo.datasets.sources import github, source_files
from zoo.datasets.store import Content, Store

_PLANETOID = github("kimiyoung/planetoid", "af6abf468a772cc055bec88c52e4d6f51b7c37e3", "MIT")
VALIDATION = 500


def cora(store: Store) -> NodeData:
    """Citation graph of 2,708 papers on machine learning: 10,556 edges, 1,433 words, 7 classes."""
    return _planetoid(store, "cora")


def citeseer(store: Store) -> NodeData:
    """Citation graph of 3,327 papers on computer science: 9,228 edges, 3,703 words, 6 classes.

    15 papers are listed without words and class: they get zero features and class 0, as in the reference code.
    """
    return _planetoid(store, "citeseer")


def pubmed(store: Store) -> NodeData:
    """Citation graph of 19,717 papers on diabetes: 88,651 edges (3 loops), 500 TF-IDF words, 3 classes."""
    return _planetoid(store, "pubmed")


def _planetoid(store: Store, name: str) -> NodeData:
    found = store.read(name, source_files(name, _PLANETOID), by_content=True)
    parts = {file.rpartition(".")[2]: content for file, content in found.items()}
    splits = store.read_optional(
        name,
        source_files(f"{name}/geom-gcn", GEOM_GCN),
        fetch=any(store.in_cache(part) for part in parts.values()),
        by_content=True,
    )
    contents = [*found.values(), *(splits or {}).values()]
    return verified(store, name, contents, partial(_data, name, parts, splits))


def _data(name: str, parts: Mapping[str, Content], splits: Mapping[str, Content] | None) -> NodeData:
    with parts["index"].broken_on(ValueError, OverflowError):
        test_ids = np.array([int(line) for line in parts["index"].data.split()], dtype=np.int64)
    if not len(test_ids):
        raise parts["index"].broken("it names no node")
    in_order = np.sort(test_ids)
    # row k of tx and ty is the node test_ids[k]; ids skipped in between are papers that the source knows nothing of
    known, first = _matrix(parts["allx"]), int(in_order[0])
    nodes = int(in_order[-1]) + 1
    if nodes - first > 2 * len(test_ids):  # ids that are skipped are nodes too, and take memory
        raise parts["index"].broken(f"{len(test_ids)} test ids from {first} to {nodes - 1} skip more than they name")
    if first != len(known) or len(test_ids) != len(np.unique(test_ids)):
        raise parts["index"].broken(f"the test ids do not continue the {len(known)} rows of {parts['allx'].file.name}")
    tested = _matrix(parts["tx"])
    _shaped(parts["tx"], tested, len(test_ids), known.shape[1])
    features = np.zeros((nodes, known.shape[1]), dtype=np.float32)
    features[:first], features[test_ids] = known, tested
    known_classes, test_classes = _classes(parts["ally"]), _classes(parts["ty"])
    _shaped(parts["ally"], known_classes, first)
    _shaped(parts["ty"], test_classes, len(test_ids), known_classes.shape[1])
    _repeats(parts["x"], _matrix, known)
    _repeats(parts["y"], _classes, known_classes)
    one_hot = np.zeros((nodes, known_classes.shape[1]), dtype=np.int64)
    one_hot[:first], one_hot[test_ids] = known_classes, test_classes
    src, dst = _edges(parts["graph"], nodes)
    masks = {"public": _public(nodes, len(unpickle(parts["y"], np.ndarray)), test_ids)}
    facts = _PLANETOID.facts(parts.values(), edges="undirected, both directions listed")
    absent = {}
    if splits is None:
        some, *others = source_files(f"{name}/geom-gcn")
        absent["geom-gcn"] = f"{some.path} and {len(others)} files like it are not on this machine"
    else:
        masks["geom-gcn"] = stacked_masks(splits.values())
        about = GEOM_GCN.facts(splits.values(), edges="")
        facts["files"] |= about["files"]
        facts["geom-gcn splits"] = {key: about[key] for key in ("source", "licence")}
    unknown = nodes - len(known) - len(test_ids)
    if unknown:
        facts["without features and class"] = f"{unknown} nodes, given zero features and class 0 as in the reference"
    x, labels, classes = torch.from_numpy(features), torch.from_numpy(one_hot.argmax(axis=1)), one_hot.shape[1]
    return NodeData(name, src, dst, x, labels, classes, masks=masks, facts=facts, absent=absent, published=True)


def _matrix(content: Content) -> NDArray[np.float32]:
    rows = unpickle(content, SparseRows)
    with content.broken_on(AttributeError, TypeError, ValueError):
        return dense(rows.data, rows.indices, rows.indptr, rows.shape)


def _classes(content: Content) -> NDArray[np.int64]:
    """Return one row for each node, a 1 at its class; rows without any are nodes of no known class."""
    rows = unpickle(content, np.ndarray)
    if rows.ndim == 2 and (np.any((rows != 0) & (rows != 1)) or np.any(rows.sum(axis=1) > 1)):
        raise content.broken("a row of it has more than a single 1")
    return rows


def _repeats(content: Content, read: Callable[[Content], NDArray], whole: NDArray) -> None:
    """Refuse a file of unknown bytes that does not repeat the first rows of another, which is read in its place."""
    if not content.is_known and not np.array_equal(rows := read(content), whole[: len(rows)]):
        raise content.broken("it does not repeat the beginning of the file of all training papers")


def _shaped(content: Content, array: NDArray, rows: int, columns: int | None = None) -> None:
    """Refuse an array that is no table of so many rows, and columns if they are known, or that has no column."""
    if array.ndim != 2 or len(array) != rows or array.shape[1] != (columns or max(array.shape[1], 1)):
        wanted = f"[{rows}, {columns or 'classes'}]"
        raise content.broken(f"it has shape {list(array.shape)}, not {wanted} as the other files say")


def _edges(content: Content, nodes: int) -> tuple[torch.Tensor, torch.Tensor]:
    neighbours: Mapping[int, list[int]] = unpickle(content, dict)
    with content.broken_on(TypeError, ValueError, OverflowError):
        lengths = [len(of) for of in neighbours.values()]
        if sum(lengths) > len(content.data):  # the same list again and again, which takes the file two bytes each time
            raise ValueError(f"it lists {sum(lengths)} neighbours in {len(content.data)} bytes")
        src = np.repeat(np.fromiter(neighbours, np.int64), lengths)
        dst = np.array([node for of in neighbours.values() for node in of], dtype=np.int64)
    if len(src) and (min(src.min(), dst.min()) < 0 or max(src.max(), dst.max()) >= nodes):
        raise content.broken(f"a node id is outside 0 … {nodes - 1}")
    return both_directions(torch.from_numpy(src), torch.from_numpy(dst), nodes)


def _public(nodes: int, train: int, test_ids: NDArray[np.int64]) -> Masks:
    ids = torch.arange(nodes)
    test = torch.zeros(nodes, dtype=torch.bool)
    test[torch.from_numpy(test_ids)] = True
    val = (ids >= train) & (ids < train + VALIDATION)
    return Masks((ids < train)[None], val[None], test[None])
