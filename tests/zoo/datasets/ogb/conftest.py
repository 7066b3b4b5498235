"""Tiny folders in OGB's own layout, and OGB's own loaders to hold against."""

import builtins
import gzip
import hashlib
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from zoo import ogb_backend
from zoo.datasets.store import Store


class Layout:
    """Writes one data set's folder as OGB's archives hold it; `arrays` has what was written, by path."""

    def __init__(self, root: Path, name: str) -> None:
        self.name, self.meta = name, ogb_backend.meta(name)
        self.folder = root / name.replace("-", "_")
        self.arrays: dict[str, np.ndarray] = {}
        (self.folder / "processed").mkdir(parents=True)
        (self.folder / f"RELEASE_v{self.meta['version']}.txt").write_text("tiny\n")

    def csv(self, path: str, rows: np.ndarray) -> None:
        """A table, gzipped, without header; NaN is an empty cell."""
        self.arrays[path] = rows
        lines = [",".join("" if value != value else repr(value.item()) for value in row) for row in rows]
        file = self.folder / f"{path}.csv.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0))

    def graphs(self, nodes: list[int], edges: list[int], seed: int = 0) -> np.random.Generator:
        """Edges between nodes of the same graph, drawn with loops and repetitions."""
        rng = np.random.default_rng(seed)
        pairs = [rng.integers(0, n, (m, 2)) for n, m in zip(nodes, edges, strict=True)]
        self.csv("raw/edge", np.concatenate(pairs))
        self.csv("raw/num-node-list", np.array(nodes)[:, None])
        self.csv("raw/num-edge-list", np.array(edges)[:, None])
        return rng

    def split(self, count: int, rng: np.random.Generator) -> None:
        """A split of that many nodes or graphs, one of them in no part."""
        order = rng.permutation(count)[1:]
        for part, chosen in zip(("train", "valid", "test"), np.array_split(order, 3), strict=True):
            self.csv(f"split/{self.meta['split']}/{part}", np.sort(chosen)[:, None])

    def links(self, part: str, **entries: np.ndarray) -> None:
        """A part of a split of links, as `torch.save` writes arrays."""
        file = self.folder / "split" / self.meta["split"] / f"{part}.pt"
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(entries, file)
        self.arrays |= {f"{part}.{name}": array for name, array in entries.items()}


def tiny_nodes(root: Path, name: str) -> Layout:
    """A graph of 9 nodes of this name: floats or edge features, classes or 112 labels in part unknown."""
    made = Layout(root, name)
    rng = made.graphs([9], [20])
    if made.meta["has_node_attr"] == "True":
        made.csv("raw/node-feat", rng.normal(size=(9, 4)).round(4))
    if made.meta["has_edge_attr"] == "True":
        made.csv("raw/edge-feat", rng.random((20, 8)).round(3))
        made.csv("raw/node_species", rng.integers(0, 9, (9, 1)))
    if made.meta["task type"] == "binary classification":
        made.csv("raw/node-label", rng.integers(0, 2, (9, int(made.meta["num tasks"]))))
    else:
        made.csv("raw/node-label", rng.integers(0, int(made.meta["num classes"]), (9, 1)))
    made.split(9, rng)
    return made


def tiny_graphs(root: Path, name: str) -> Layout:
    """Six graphs of this name, one of a single node without edges; some labels unknown where there are several."""
    made = Layout(root, name)
    rng = made.graphs([3, 1, 4, 5, 2, 6], [4, 0, 3, 6, 1, 7])
    if made.meta["has_node_attr"] == "True":
        made.csv("raw/node-feat", np.stack([rng.integers(0, top, 21) for top in ogb_backend.atom_categories()], 1))
        made.csv("raw/edge-feat", np.stack([rng.integers(0, top, 21) for top in ogb_backend.bond_categories()], 1))
    else:
        made.csv("raw/edge-feat", rng.random((21, 7)).round(3))
    tasks = int(made.meta["num tasks"])
    if made.meta["task type"] == "regression":
        made.csv("raw/graph-label", rng.normal(size=(6, 1)).round(3))
    elif made.meta["task type"] == "multiclass classification":
        made.csv("raw/graph-label", rng.integers(0, int(made.meta["num classes"]), (6, 1)))
    else:
        labels = rng.integers(0, 2, (6, tasks)).astype(float)
        if tasks > 1:
            labels[rng.random(labels.shape) < 0.3] = float("nan")
        made.csv("raw/graph-label", labels)
    made.split(6, rng)
    return made


def tiny_links(root: Path, name: str) -> Layout:
    """A graph of 8 nodes of this name, three links to validate and four to test."""
    made = Layout(root, name)
    rng = made.graphs([8], [12])
    if made.meta["has_node_attr"] == "True":
        made.csv(
            "raw/node-feat", rng.integers(0, 2, (8, 5)) if name == "ogbl-ppa" else rng.normal(size=(8, 5)).round(3)
        )
    if "edge_weight" in made.meta["additional edge files"]:
        made.csv("raw/edge_weight", rng.integers(1, 4, (12, 1)))
        made.csv("raw/edge_year", rng.integers(1990, 2018, (12, 1)))
    if "node_year" in made.meta["additional node files"]:
        made.csv("raw/node_year", rng.integers(1990, 2018, (8, 1)))
    edge = made.arrays["raw/edge"]
    for part, count in (("train", 12), ("valid", 3), ("test", 4)):
        pairs = edge if part == "train" else rng.integers(0, 8, (count, 2))
        if name == "ogbl-citation2":
            others = {} if part == "train" else {"target_node_neg": rng.integers(0, 8, (count, 5))}
            made.links(part, source_node=pairs[:, 0], target_node=pairs[:, 1], **others)
        else:
            made.links(part, edge=pairs, **({} if part == "train" else {"edge_neg": rng.integers(0, 8, (6, 2))}))
    return made


@pytest.fixture
def tiny(tmp_path: Path) -> SimpleNamespace:
    """Makers of tiny folders in `root`, a folder that a store looks in, and that store."""
    root = tmp_path / "data" / "ogb"
    return SimpleNamespace(
        root=root,
        nodes=lambda name: tiny_nodes(root, name),
        graphs=lambda name: tiny_graphs(root, name),
        links=lambda name: tiny_links(root, name),
        store=Store(folders=[root.parent], cache=tmp_path / "cache", offline=True),
    )


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch):
    """Standard input is never read."""

    def refuse(*args: object) -> str:
        raise AssertionError("something was asked on standard input")

    monkeypatch.setattr(builtins, "input", refuse)


@pytest.fixture(scope="session")
def theirs() -> SimpleNamespace:
    """OGB's own loaders, which import all that they can."""
    ogb_backend.version()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import zoo.dgl_backend as backend

        assert backend.dgl
        from ogb.graphproppred import DglGraphPropPredDataset, GraphPropPredDataset
        from ogb.linkproppred import LinkPropPredDataset
        from ogb.nodeproppred import NodePropPredDataset
    return SimpleNamespace(
        nodes=NodePropPredDataset, graphs=GraphPropPredDataset, links=LinkPropPredDataset, dgl=DglGraphPropPredDataset
    )


def snapshot(folder: Path) -> dict[str, str]:
    """The digest of each file below a folder, and its time of change."""
    return {
        str(file.relative_to(folder)): f"{hashlib.sha256(file.read_bytes()).hexdigest()} {file.stat().st_mtime_ns}"
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.fixture
def unchanged(tiny):
    """After the test the data folder is what it was when `unchanged()` was called."""
    before: dict[str, str] = {}
    yield lambda: before.update(snapshot(tiny.root))
    assert not before or snapshot(tiny.root) == before
