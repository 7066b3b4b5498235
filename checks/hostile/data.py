"""Small data sets in the formats that the zoo reads, and real ones where they are: what is to be spoiled."""

import gzip
import io
import os
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_matrix

from zoo import ogb_backend
from zoo.datasets.sources import source_files

# Names of data sets by the format of their files; OGB's are folders of several formats.
MADE = {
    "planetoid": "cora",
    "heterophilous": "minesweeper",
    "geom-gcn": "texas",
    "gnn-benchmark": "amazon-photo",
    "TU": "mutag",
    "OGB nodes": "ogbn-arxiv",
    "OGB graphs": "ogbg-molesol",
    "OGB links": "ogbl-ddi",
}
REAL = ("cora", "texas", "mutag", "minesweeper", "ogbg-molesol", "cornell")


def make(root: Path) -> None:
    """Write one small data set of each format below a folder, at the paths where the zoo looks for them."""
    rng = np.random.default_rng(0)
    for name, content in {**_planetoid(rng), **_arrays(rng), **_geom_gcn(rng), **_tu(rng)}.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    _ogb(root / "ogb", rng)


def bring(root: Path) -> list[str]:
    """Copy the real data sets that ZOO_DATA has below a folder; their names."""
    found = []
    for source in (Path(part).expanduser() for part in os.environ.get("ZOO_DATA", "").split(os.pathsep) if part):
        for name in REAL:
            if name in found:
                continue
            if name.startswith("ogb"):
                folder = source / "ogb" / name.replace("-", "_")
                if folder.is_dir():
                    shutil.copytree(folder, root / "ogb" / folder.name, copy_function=shutil.copyfile)
                    found.append(name)
                continue
            paths = [file.path for file in source_files(name)]
            if all((source / path).is_file() for path in paths):
                for path in paths:
                    (root / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source / path, root / path)
                found.append(name)
    return found


def folder_of(root: Path, name: str) -> Path:
    """The folder that holds a data set's files, the only ones that are to be spoiled for it."""
    if name.startswith("ogb"):
        return root / "ogb" / name.replace("-", "_")
    return (root / source_files(name)[0].path).parent


def _planetoid(rng: np.random.Generator) -> dict[str, bytes]:
    """40 papers: 6 of a training part, 30 with known features, 10 to test, in an order of their own."""

    def sparse(rows: int) -> bytes:
        return pickle.dumps(csr_matrix((rng.random((rows, 12)) < 0.3).astype(np.float32)), protocol=2)

    def classes(rows: int) -> bytes:
        return pickle.dumps(np.eye(3, dtype=np.int32)[rng.integers(0, 3, rows)], protocol=2)

    graph = {node: rng.integers(0, 40, 3).tolist() for node in range(40)}
    ids = "".join(f"{node}\n" for node in 30 + rng.permutation(10))
    parts: Mapping[str, bytes] = {
        "x": sparse(6),
        "allx": sparse(30),
        "tx": sparse(10),
        "y": classes(6),
        "ally": classes(30),
        "ty": classes(10),
        "graph": pickle.dumps(graph, protocol=2),
        "index": ids.encode(),
    }
    return {file.path: parts[file.path.rpartition(".")[2]] for file in source_files("cora")}


def _arrays(rng: np.random.Generator) -> dict[str, bytes]:
    """A board of 30 nodes with two splits, and a shop with 25 goods in sparse rows."""
    (board,), (shop,) = source_files("minesweeper"), source_files("amazon-photo")
    parts = np.stack([rng.permutation(np.arange(30) % 3) for _ in range(2)])
    links, words = (csr_matrix((rng.random(shape) < 0.2).astype(np.float32)) for shape in ((25, 25), (25, 9)))
    return {
        board.path: _npz(
            node_features=rng.normal(size=(30, 7)).astype(np.float32),
            node_labels=rng.integers(0, 2, 30),
            edges=rng.integers(0, 30, (60, 2)),
            **{f"{name}_masks": parts == number for number, name in enumerate(("train", "val", "test"))},
        ),
        shop.path: _npz(
            **{f"adj_{name}": getattr(links, name) for name in ("data", "indices", "indptr")},
            **{f"attr_{name}": getattr(words, name) for name in ("data", "indices", "indptr")},
            adj_shape=np.array([25, 25]),
            attr_shape=np.array([25, 9]),
            labels=np.arange(25) % 4,
        ),
    }


def _geom_gcn(rng: np.random.Generator) -> dict[str, bytes]:
    """30 pages with 8 words, and ten splits."""
    made = {}
    for file in source_files("texas"):
        if file.name.endswith(".npz"):
            parts = rng.permutation(np.arange(30) % 3)
            names = enumerate(("train", "val", "test"))
            made[file.path] = _npz(**{f"{name}_mask": (parts == number).astype(np.uint8) for number, name in names})
        elif file.name == "out1_graph_edges.txt":
            rows = [f"{a}\t{b}" for a, b in rng.integers(0, 30, (70, 2))]
            made[file.path] = "\n".join(["node_id\tnode_id", *rows, ""]).encode()
        else:
            words = [",".join(map(str, row)) for row in rng.integers(0, 2, (30, 8))]
            rows = [f"{node}\t{text}\t{node % 5}" for node, text in enumerate(words)]
            made[file.path] = "\n".join(["node_id\tfeature\tlabel", *rows, ""]).encode()
    return made


def _tu(rng: np.random.Generator) -> dict[str, bytes]:
    """20 molecules of 3 to 6 atoms."""
    sizes = rng.integers(3, 7, 20)
    first = np.cumsum(sizes) - sizes
    edges = [(a + at, (a + 1) % n + at) for at, n in zip(first, sizes, strict=True) for a in range(n)]
    rows = {
        "A": [f"{a + 1}, {b + 1}" for pair in edges for a, b in (pair, pair[::-1])],
        "graph_indicator": [str(graph + 1) for graph, size in enumerate(sizes) for _ in range(size)],
        "graph_labels": [str(graph % 2 * 2 - 1) for graph in range(20)],
        "node_labels": [str(kind) for kind in rng.integers(0, 4, sizes.sum())],
    }
    kinds = ("graph_indicator", "graph_labels", "node_labels", "A")
    files = {
        file.path: next(kind for kind in kinds if file.path.endswith(f"_{kind}.txt")) for file in source_files("mutag")
    }
    return {path: "".join(f"{row}\n" for row in rows[kind]).encode() for path, kind in files.items()}


def _ogb(root: Path, rng: np.random.Generator) -> None:
    """A graph with classes, six molecules with a number each, a graph with links to find."""
    for name, nodes, edges in (
        ("ogbn-arxiv", [30], [60]),
        ("ogbg-molesol", [3, 1, 4, 5, 2, 6], [4, 0, 3, 6, 1, 7]),
        ("ogbl-ddi", [12], [30]),
    ):
        meta, folder = ogb_backend.meta(name), root / name.replace("-", "_")
        folder.mkdir(parents=True)
        (folder / f"RELEASE_v{meta['version']}.txt").write_text("small\n")
        pairs = np.concatenate([rng.integers(0, n, (m, 2)) for n, m in zip(nodes, edges, strict=True)])
        tables = {"raw/edge": pairs, "raw/num-node-list": np.array(nodes)[:, None]}
        tables["raw/num-edge-list"] = np.array(edges)[:, None]
        split = f"split/{meta['split']}"
        if name == "ogbn-arxiv":
            tables["raw/node-feat"] = rng.normal(size=(30, 6)).round(3)
            tables["raw/node-label"] = rng.integers(0, int(meta["num classes"]), (30, 1))
        elif name == "ogbg-molesol":
            tables["raw/node-feat"] = np.stack([rng.integers(0, top, 21) for top in ogb_backend.atom_categories()], 1)
            tables["raw/edge-feat"] = np.stack([rng.integers(0, top, 21) for top in ogb_backend.bond_categories()], 1)
            tables["raw/graph-label"] = rng.normal(size=(6, 1)).round(3)
        else:
            (folder / split).mkdir(parents=True)
            for part, links in (("train", pairs[:20]), ("valid", pairs[20:25]), ("test", pairs[25:])):
                others = {} if part == "train" else {"edge_neg": rng.integers(0, 12, (9, 2))}
                torch.save({"edge": links, **others}, folder / split / f"{part}.pt")
        if name != "ogbl-ddi":
            order = rng.permutation(30 if name == "ogbn-arxiv" else 6)
            for part, chosen in zip(("train", "valid", "test"), np.array_split(order, 3), strict=True):
                tables[f"{split}/{part}"] = chosen[:, None]
        for path, rows in tables.items():
            file = folder / f"{path}.csv.gz"
            file.parent.mkdir(parents=True, exist_ok=True)
            text = "".join(",".join(repr(value.item()) for value in row) + "\n" for row in rows)
            file.write_bytes(gzip.compress(text.encode(), mtime=0))


def _npz(**arrays: np.ndarray) -> bytes:
    made = io.BytesIO()
    np.savez(made, **arrays)  # pyright: ignore[reportArgumentType]
    return made.getvalue()
