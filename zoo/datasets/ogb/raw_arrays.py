"""Arrays of an OGB folder that fit together: its text files parsed, and the arrays kept in the cache.

Text is read with pandas, as OGB's `read_csv_graph_raw` reads it, but from bytes that were verified, and each file as
one array: a dictionary for each of 41,127 graphs takes longer than everything else.
"""

import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.datasets.ogb.ogb_folder import Folder
from zoo.datasets.pickled import torch_arrays
from zoo.datasets.store import Content, Store
from zoo.system.files import replacing
from zoo.system.lock import waiting
from zoo.untrusted import unpacked

Arrays = Mapping[str, NDArray]

VERSION = 1  # of the parsed arrays
PARTS = ("train", "valid", "test")
_MOST = 2**33  # nodes, or edges, of all graphs: far above the largest that OGB has, far below what overflows
_KINDS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64")


def parsed(store: Store, folder: Folder, parse: Callable[[Folder], Arrays]) -> Arrays:
    """Return the int64 and float32 arrays that `parse` makes of the folder, from the cache if they are there.

    The cache is `parsed/<name>-<key>.npz` in the store's cache folder, without pickles; the key is a digest of those of
    all source files, which were just verified, so that no array outlives the file that it came from. A damaged cache is
    made anew; one that cannot be written is done without. One process at a time parses; others wait for it.
    """
    file = store.cache / "parsed" / f"{folder.place.name}-{folder.cache_key(VERSION)}.npz"
    arrays = _read(file)
    if arrays is not None:
        return arrays
    with ExitStack() as turn:
        with suppress(OSError):  # nowhere to write: each parses for itself
            turn.enter_context(waiting([file.with_name(f".{file.name}.lock")], f"data set {folder.name}, parsed"))
        arrays = _read(file)
        if arrays is None:
            arrays = parse(folder)
            with suppress(OSError):  # no room, or no permission: the next load parses again
                _write(file, arrays)
    return arrays


def _read(file: Path) -> dict[str, NDArray] | None:
    try:  # numpy checks the CRC of each array that is read whole
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as found:
            arrays: dict[str, NDArray] = {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
        return None
    return {name: array.astype(np.int64) if array.dtype.kind in "iu" else array for name, array in arrays.items()}


def _write(file: Path, arrays: Arrays) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as stream:
        np.savez(stream, **{name: _narrowed(array) for name, array in arrays.items()})  # pyright: ignore
        stream.flush()
        stream.seek(0)
        with zipfile.ZipFile(stream) as written:
            damaged = written.testzip()
        if damaged is not None:
            raise OSError(f"{damaged} was read back otherwise than it was written")


def _narrowed(array: NDArray) -> NDArray:
    """Return integers in the fewest bytes that hold them."""
    if array.dtype.kind != "i" or not array.size:
        return array
    low, high = int(array.min()), int(array.max())
    fitting = (kind for kind in _KINDS if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return array.astype(next(fitting))


def parse_graphs(folder: Folder) -> dict[str, NDArray]:
    """Return the graphs of a folder: `nodes` and `edges` of each, int64 [graphs], and, where there are such files,

    `edge` int64 [all edges, 2], numbered within each graph, as the file lists them, `node-feat`, `edge-feat`,
    `edge_weight`: int64 or float32 [nodes or edges of all graphs, columns].
    Raises: DataBroken if a file cannot be read, or has not as many rows as the others make expected.
    """
    nodes, edges = (_column(folder, f"raw/num-{kind}-list.csv.gz") for kind in ("node", "edge"))
    if len(nodes) != len(edges):
        raise folder.read("raw/num-edge-list.csv.gz").broken(f"{len(edges)} rows, but {len(nodes)} graphs")
    for kind, counts in (("node", nodes), ("edge", edges)):
        if len(counts) and (counts.min() < 0 or float(counts.sum(dtype=np.float64)) > _MOST):
            range_ = f"{kind}s of a graph are {counts.min()} … {counts.max()}, below 0 or above {_MOST} together"
            raise folder.read(f"raw/num-{kind}-list.csv.gz").broken(range_)
    arrays = {"nodes": nodes, "edges": edges}
    for name, rows in (("edge", edges), ("node-feat", nodes), ("edge-feat", edges), ("edge_weight", edges)):
        if folder.has(path := f"raw/{name}.csv.gz"):
            arrays[name] = _table(folder.read(path), int(rows.sum()), whole=name == "edge")
    edge = arrays["edge"]
    if edge.shape[1] != 2 or (edge < 0).any() or (edge >= np.repeat(nodes, edges)[:, None]).any():
        raise folder.read("raw/edge.csv.gz").broken("it names a node that its graph does not have")
    return arrays


def parse_labels(folder: Folder, file: str, count: int, columns: int) -> NDArray:
    """Return labels, float64 [count, columns], NaN where unknown; int64 if all are whole. Raises: DataBroken."""
    content = folder.read(f"raw/{file}.csv.gz")
    labels = _table(content, count, single=False)
    if labels.shape[1] != columns:
        raise content.broken(f"{labels.shape[1]} columns, not {columns}")
    return labels


def parse_split(folder: Folder, count: int) -> dict[str, NDArray]:
    """Return the official split: `train`, `valid`, `test`, int64 indices of nodes or graphs. Raises: DataBroken."""
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
    """Return the official split of links: `<part>.<entry>` for each entry of nodes in its file. Raises: DataBroken."""
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


def _entry(content: Content, found: Arrays, name: str) -> NDArray:
    if name not in found or found[name].dtype.kind not in "iu":
        raise content.broken(f"it has no integers {name!r}, only {', '.join(found)}")
    return found[name].astype(np.int64)


def _column(folder: Folder, path: str) -> NDArray:
    content = folder.read(path)
    table = _table(content, whole=True)
    if table.shape[1] != 1:
        raise content.broken(f"{table.shape[1]} columns, not 1")
    return table[:, 0]


def _table(content: Content, count: int | None = None, *, whole: bool = False, single: bool = True) -> NDArray:
    """Return a table without header: int64 if all entries are whole numbers, else floats, float32 if `single`.

    count: the rows that it must have.
    """
    try:
        table = pd.read_csv(unpacked(content.data), header=None, skip_blank_lines=False).to_numpy()
    except (OSError, EOFError, ValueError, zlib.error) as error:  # pandas' own errors are ValueErrors
        raise content.broken(str(error).strip() or type(error).__name__) from error
    if table.dtype.kind not in "iuf":
        raise content.broken("it has something other than numbers")
    if whole and table.dtype.kind == "f":
        raise content.broken("not whole numbers")
    if count is not None and len(table) != count:
        raise content.broken(f"{len(table)} rows, not {count} as the other files say")
    return table.astype(np.int64 if table.dtype.kind != "f" else np.float32 if single else np.float64)


def floats(values: NDArray) -> Tensor:
    """Return a float32 tensor."""
    return torch.from_numpy(values.astype(np.float32, copy=False))


def edges(folder: Folder, arrays: Arrays) -> tuple[Tensor, Tensor]:
    """Return src, dst over the nodes of all graphs, in OGB's order: an edge, then its reverse if it has one."""
    first = np.cumsum(arrays["nodes"]) - arrays["nodes"]
    pairs = arrays["edge"] + np.repeat(first, arrays["edges"])[:, None]
    if folder.doubled:
        pairs = np.stack([pairs, pairs[:, ::-1]], axis=1).reshape(-1, 2)
    src, dst = torch.from_numpy(np.ascontiguousarray(pairs.T))
    return src, dst


def edge_values(folder: Folder, values: NDArray) -> Tensor:
    """Return the values of edges, once for each direction that is listed."""
    return torch.from_numpy(np.repeat(values, 2, axis=0) if folder.doubled else values)
