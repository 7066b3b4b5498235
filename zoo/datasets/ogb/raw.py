"""The text files of an OGB folder, as arrays that fit together.

They are read with pandas, as OGB's `read_csv_graph_raw` reads them, but from bytes that were verified, and each as one
array: a dictionary for each of 41,127 graphs takes longer than everything else. That function would also rename a file
of the user's (ogbn-proteins) and print.
"""

import zlib
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zoo.datasets.ogb.folder import Folder
from zoo.datasets.ogb.pickled import torch_arrays
from zoo.datasets.store import Content
from zoo.untrusted import unpacked

_MOST = 2**33  # nodes, or edges, of all graphs: far above the largest that OGB has, far below what overflows
PARTS = ("train", "valid", "test")


def parse_graphs(folder: Folder) -> dict[str, NDArray]:
    """The graphs of a folder: `nodes` and `edges` of each, int64 [graphs], and what there is of

    `edge` int64 [all edges, 2], numbered within each graph, as the file lists them, `node-feat`, `edge-feat`,
    `edge_weight`: int64 or float32 [nodes or edges of all graphs, columns].
    Raises: DataBroken if a file cannot be read, or has not as many rows as the others make expected.
    """
    nodes, edges = (_column(folder, f"raw/num-{kind}-list.csv.gz") for kind in ("node", "edge"))
    if len(nodes) != len(edges):
        raise folder.read("raw/num-edge-list.csv.gz").broken(f"{len(edges)} rows, but {len(nodes)} graphs")
    for kind, counts in (("node", nodes), ("edge", edges)):
        if len(counts) and (counts.min() < 0 or float(counts.sum(dtype=np.float64)) > _MOST):
            said = f"{kind}s of a graph are {counts.min()} … {counts.max()}, below 0 or above {_MOST} together"
            raise folder.read(f"raw/num-{kind}-list.csv.gz").broken(said)
    arrays = {"nodes": nodes, "edges": edges}
    for name, rows in (("edge", edges), ("node-feat", nodes), ("edge-feat", edges), ("edge_weight", edges)):
        path = f"raw/{name}.csv.gz"
        if folder.has(path):
            content = folder.read(path)
            arrays[name] = _rows(content, _table(content, whole=name == "edge"), int(rows.sum()))
    edge = arrays["edge"]
    if edge.shape[1] != 2 or (edge < 0).any() or (edge >= np.repeat(nodes, edges)[:, None]).any():
        raise folder.read("raw/edge.csv.gz").broken("it names a node that its graph does not have")
    return arrays


def parse_labels(folder: Folder, file: str, count: int, columns: int) -> NDArray:
    """Labels, float64 [count, columns], NaN where unknown; int64 if all are whole numbers. Raises: DataBroken."""
    content = folder.read(f"raw/{file}.csv.gz")
    labels = _rows(content, _table(content, single=False), count)
    if labels.shape[1] != columns:
        raise content.broken(f"{labels.shape[1]} columns, not {columns}")
    return labels


def parse_split(folder: Folder, count: int) -> dict[str, NDArray]:
    """The official split: `train`, `valid`, `test`, int64 indices of nodes or graphs. Raises: DataBroken."""
    bundle = f"{folder.split('split_dict')}.pt"
    if folder.has(bundle):
        content = folder.read(bundle)
        found = torch_arrays(content)
        parts = {part: _entry(content, found, part).reshape(-1) for part in PARTS}
    else:
        content = folder.read(f"{folder.split('test')}.csv.gz")
        parts = {part: _column(folder, f"{folder.split(part)}.csv.gz") for part in PARTS}
    together = np.concatenate(list(parts.values()))
    if len(together) and (together.min() < 0 or together.max() >= count):
        raise content.broken(f"the split names number {together.max()}, but there are {count}")
    if len(np.unique(together)) != len(together):
        raise content.broken("parts of the split overlap")
    return parts


def parse_links(folder: Folder, nodes: int) -> dict[str, NDArray]:
    """The official split of links: `<part>.<entry>` for each entry of nodes in the part's file. Raises: DataBroken."""
    arrays = {}
    for part in PARTS:
        content = folder.read(f"{folder.split(part)}.pt")
        found = torch_arrays(content)
        names = [name for name in found if name.startswith(("edge", "source", "target"))]
        for name in names:
            entry = arrays[f"{part}.{name}"] = _entry(content, found, name)
            if entry.size and (entry.min() < 0 or entry.max() >= nodes):
                raise content.broken(f"entry {name!r} names node {entry.max()}, but there are {nodes}")
        if not names:
            raise content.broken(f"it has no links, only {', '.join(found) or 'nothing'}")
    return arrays


def _entry(content: Content, found: Mapping[str, NDArray], name: str) -> NDArray:
    if name not in found or found[name].dtype.kind not in "iu":
        raise content.broken(f"it has no integers {name!r}, only {', '.join(found)}")
    return found[name].astype(np.int64)


def _column(folder: Folder, path: str) -> NDArray:
    content = folder.read(path)
    table = _table(content, whole=True)
    if table.shape[1] != 1:
        raise content.broken(f"{table.shape[1]} columns, not 1")
    return table[:, 0]


def _table(content: Content, *, whole: bool = False, single: bool = True) -> NDArray:
    """A table without header: int64 where all its entries are whole numbers, else of floats, float32 if `single`."""
    try:
        text = unpacked(content.data)
        table = pd.read_csv(text, header=None, skip_blank_lines=False).to_numpy()
    except (OSError, EOFError, ValueError, zlib.error) as error:  # pandas' own errors are ValueErrors
        raise content.broken(str(error).strip() or type(error).__name__) from error
    if table.dtype.kind not in "iuf" or (whole and table.dtype.kind == "f"):
        raise content.broken(
            "it holds something other than numbers" if table.dtype.kind == "O" else "not whole numbers"
        )
    return table.astype(np.int64 if table.dtype.kind != "f" else np.float32 if single else np.float64)


def _rows(content: Content, table: NDArray, expected: int) -> NDArray:
    if len(table) != expected:
        raise content.broken(f"{len(table)} rows, not {expected} as the other files say")
    return table
