"""All data sets at once: published counts, and source files that stay as they were."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from registry import datasets
from zoo.datasets.base import Masks, NodeData
from zoo.datasets.prepare import prepare
from zoo.datasets.published import differences, published
from zoo.datasets.store import Store
from zoo.errors import DataMissing

# name: nodes, edges as loaded, edges both ways with loops kept, features, classes, metric
COUNTS = {
    "cora": (2708, 10556, 10556, 1433, 7, "accuracy"),
    "citeseer": (3327, 9228, 9228, 3703, 6, "accuracy"),
    "chameleon": (2277, 36101, None, 2325, 5, "accuracy"),
    "squirrel": (5201, 217073, None, 2089, 5, "accuracy"),
    "actor": (7600, 33391, None, 932, 5, "accuracy"),
    "cornell": (183, 298, None, 1703, 5, "accuracy"),
    "texas": (183, 325, None, 1703, 5, "accuracy"),
    "chameleon-filtered": (890, 2 * 8854, 2 * 8854, 2325, 5, "accuracy"),
    "squirrel-filtered": (2223, 2 * 46998, 2 * 46998, 2089, 5, "accuracy"),
    "minesweeper": (10000, 78804, 78804, 7, 2, "rocauc"),
    "tolokers": (11758, 1038000, 1038000, 10, 2, "rocauc"),
    "amazon-photo": (7650, 143663, 238163, 745, 8, "accuracy"),
    "amazon-computers": (13752, 287209, 491722, 767, 10, "accuracy"),
    "coauthor-physics": (34493, 495924, 495924, 8415, 5, "accuracy"),
}
GEOM_GCN = ("chameleon", "squirrel", "actor", "cornell", "texas")
# name: splits, and train, val, test nodes of each
PUBLIC = {
    "cora": (1, 140, 500, 1000),
    "citeseer": (1, 120, 500, 1000),
    "chameleon": (10, 1092, 729, 456),
    "squirrel": (10, 2496, 1664, 1041),
    "actor": (10, 3648, 2432, 1520),
    "cornell": (10, 87, 59, 37),
    "texas": (10, 87, 59, 37),
    "minesweeper": (10, 5000, 2500, 2500),
    "tolokers": (10, 5879, 2939, 2940),
}


@dataclass(frozen=True)
class Summary:
    """What is remembered of a data set, which itself may be large."""

    counts: tuple
    both: int
    masks: dict[str, list[tuple[int, int, int]]]
    overlap: bool
    facts: dict


@dataclass(frozen=True)
class Everything:
    """All data sets that the folder has, and the folder's state before and after reading them."""

    loaded: dict[str, Summary]
    missing: dict[str, str]
    differing: dict[str, list[str]]
    before: dict
    after: dict


def fingerprint(folder: Path) -> dict:
    """Path, size, time of change and digest of every file, and the time of change of every folder."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None,
        )
        for path in [folder, *folder.rglob("*")]
    }


def sizes(masks: Masks) -> list[tuple[int, int, int]]:
    """The number of train, val and test nodes of each split."""
    columns = [mask.sum(dim=1).tolist() for mask in (masks.train, masks.val, masks.test)]
    return list(zip(*columns, strict=True))


def overlap(masks: Masks) -> bool:
    """Whether any node is in two parts of one split."""
    return bool((masks.train.int() + masks.val.int() + masks.test.int() > 1).any())


def summary(data: NodeData) -> Summary:
    """Prepare the data, which checks it, and keep its numbers."""
    assert data.features.dtype == torch.float32
    both = prepare(data, self_loops="keep", direction="both", features="none")
    counts = (data.nodes, len(data.src), data.features.shape[1], data.classes, data.metric)
    return Summary(
        counts,
        len(both.src),
        {kind: sizes(masks) for kind, masks in data.masks.items()},
        any(overlap(masks) for masks in data.masks.values()),
        data.facts,
    )


@pytest.fixture(scope="module")
def everything(real, tmp_path_factory) -> Everything:
    """Every data set of the catalog, read once: those of nodes, links and graphs."""
    store = Store(folders=[real], cache=tmp_path_factory.mktemp("cache"), offline=True)
    loaded, missing, differing = {}, {}, {}
    before = fingerprint(real)
    for name in datasets.names():
        try:
            data = datasets.get(name)(store)
            differing[name] = differences(data)
            if isinstance(data, NodeData):  # the others' counts are tested beside their loaders
                loaded[name] = summary(data)
        except DataMissing as error:
            missing[name] = str(error)
    return Everything(loaded, missing, differing, before, fingerprint(real))


def test_nothing_is_written_to_the_source_folder(everything):
    """After reading all data sets no file or folder of the source has changed, appeared or gone."""
    assert everything.before == everything.after


def test_nothing_differs_from_what_is_published(everything):
    """Counts, class sizes and homophily of every data set that is at hand are those of `published.csv`."""
    assert {name: wrong for name, wrong in everything.differing.items() if wrong} == {}
    assert len(set(everything.differing) & set(published())) > 20


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_the_published_ones(everything, name):
    """Nodes, edges, features, classes and metric of each data set; edges again when made undirected."""
    nodes, edges, both, features, classes, metric = COUNTS[name]
    found = everything.loaded[name]
    assert found.counts == (nodes, edges, features, classes, metric)
    assert both is None or found.both == both


@pytest.mark.parametrize("name", PUBLIC)
def test_public_splits_have_the_published_sizes(everything, name):
    """The number of splits, and of nodes in each part of each split; no node is in two parts."""
    splits, *parts = PUBLIC[name]
    assert everything.loaded[name].masks["public"] == [tuple(parts)] * splits
    assert not everything.loaded[name].overlap


@pytest.mark.parametrize("name", GEOM_GCN)
def test_geom_gcn_data_ships_the_geom_gcn_splits(everything, name):
    """For these graphs both names mean the same ten splits."""
    masks = everything.loaded[name].masks
    assert masks["geom-gcn"] == masks["public"]


def test_planetoid_has_the_geom_gcn_splits(everything):
    """Cora's ten splits are alike; two of CiteSeer's are smaller, as in the source repository."""
    assert everything.loaded["cora"].masks["geom-gcn"] == [(1192, 796, 497)] * 10
    small, large = (1017, 679, 424), (1596, 1065, 666)
    assert everything.loaded["citeseer"].masks["geom-gcn"] == [small if i in (4, 5) else large for i in range(10)]


@pytest.mark.parametrize("name", ["amazon-photo", "amazon-computers", "coauthor-physics"])
def test_gnn_benchmark_ships_no_split(everything, name):
    """Amazon and Coauthor graphs have no masks."""
    assert everything.loaded[name].masks == {}


def test_facts_tell_where_the_data_came_from(everything):
    """Source, licence, edge direction and the sha256 of each file, which is that of the file on disk."""
    for name in COUNTS:
        facts = everything.loaded[name].facts
        assert facts["source"].startswith("https://github.com/")
        assert facts["licence"]
        assert facts["edges"]
        assert facts["files"]
        for path, digest in facts["files"].items():
            assert digest == f"sha256:{everything.before[path][1]}"


def test_what_is_not_there_is_missing_and_says_so(everything):
    """Data sets without files here raise DataMissing that names the data set and ZOO_DATA."""
    for name, text in everything.missing.items():
        assert text.startswith(f"data set {name} — ")
        assert "ZOO_DATA" in text
    assert not set(everything.missing) & set(COUNTS)
