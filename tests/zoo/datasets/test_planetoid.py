import pickle
import shutil
from collections import defaultdict

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from zoo.datasets import planetoid
from zoo.datasets.prepare import prepare
from zoo.datasets.sources import source_files
from zoo.datasets.splits import geom_gcn, public
from zoo.datasets.store import SourceFile, Store
from zoo.dgl_backend import dgl
from zoo.errors import DataBroken, DataMissing

CORA = "dgl/cora_v2_d697a464"


def edge_set(src, dst) -> set[tuple[int, int]]:
    """Edges as pairs of numbers."""
    return set(zip(src.tolist(), dst.tolist(), strict=True))


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::SyntaxWarning",
    "ignore::ResourceWarning",  # DGL leaves a file open
    "ignore::pytest.PytestUnraisableExceptionWarning",
)
@pytest.mark.parametrize(
    ("load", "oracle", "folder"),
    [
        (planetoid.cora, "CoraGraphDataset", CORA),
        (planetoid.citeseer, "CiteseerGraphDataset", "dgl/citeseer_d6836239"),
    ],
)
def test_equals_dgls_own_loader(store, scratch, load, oracle, folder):
    """Edges, labels, masks, and features divided by their row sums, are those that DGL reads from the same files."""
    ours = load(store)
    theirs = getattr(dgl.data, oracle)(raw_dir=str(scratch(folder) / "dgl"), verbose=False)[0]
    assert edge_set(ours.src, ours.dst) == edge_set(*theirs.edges())
    assert len(ours.src) == theirs.num_edges()
    assert torch.equal(ours.labels, theirs.ndata["label"])
    for part in ("train", "val", "test"):
        assert torch.equal(getattr(ours.masks["public"], part)[0], theirs.ndata[f"{part}_mask"].bool())
    rows = prepare(ours, self_loops="keep", direction="keep", features="row").features
    torch.testing.assert_close(rows, theirs.ndata["feat"])


def test_words_are_raw_bits(store):
    """Before any preparation Cora's features are zeros and ones."""
    assert planetoid.cora(store).features.unique().tolist() == [0, 1]


def test_citeseers_unknown_papers_are_told(store):
    """The 15 papers without words and class get zeros and class 0, and the facts say so."""
    data = planetoid.citeseer(store)
    empty = data.features.abs().sum(dim=1) == 0
    assert int(empty[data.masks["public"].test[0]].sum()) == 0
    assert int(empty.sum()) == 15
    assert data.labels[empty].tolist() == [0] * 15
    assert data.facts["without features and class"].startswith("15 nodes")


def test_loads_without_the_geom_gcn_splits(scratch, tmp_path):
    """Without the optional files the public split works, and asking for geom-gcn names the files and what there is."""
    data = planetoid.cora(Store(folders=[scratch(CORA)], cache=tmp_path / "cache", offline=True))
    assert set(data.masks) == {"public"}
    assert len(public(data, 0).train) == 140
    with pytest.raises(DataMissing, match=r"geom_gcn_splits/cora/.*ZOO_DATA.*public, random, balanced"):
        geom_gcn(data, 0)


@pytest.mark.parametrize("name", [file.name for file in source_files("cora")])
@pytest.mark.parametrize("harm", ["truncate", "tamper", "remove"])
def test_each_harmed_file_is_named(scratch, tmp_path, name, harm):
    """A truncated or tampered file gives DataBroken, a removed one DataMissing; either names that file alone."""
    folder = scratch(CORA)
    file = folder / CORA / name
    content = bytearray(file.read_bytes())
    if harm == "truncate":
        file.write_bytes(content[: len(content) // 2])
    elif harm == "tamper":
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    else:
        file.unlink()
    with pytest.raises(DataMissing if harm == "remove" else DataBroken, match="1 of 8") as caught:
        planetoid.cora(Store(folders=[folder], cache=tmp_path / "cache", offline=True))
    assert [file.name for file in source_files("cora") if f"/{file.name} — " in str(caught.value)] == [name]


def test_a_harmed_optional_file_is_not_passed_over(scratch, tmp_path):
    """A split file that is there but wrong stops the loading."""
    folder = scratch(CORA, "geom_gcn_splits/cora")
    (folder / "geom_gcn_splits/cora/cora_split_0.6_0.2_3.npz").write_bytes(b"?")
    with pytest.raises(DataBroken, match=r"cora_split_0\.6_0\.2_3\.npz"):
        planetoid.cora(Store(folders=[folder], cache=tmp_path / "cache", offline=True))


def unverified(monkeypatch, *changed: str) -> None:
    """Accept any content for the files with these names."""

    def files(name: str, *_: object) -> tuple[SourceFile, ...]:
        return tuple(SourceFile(file.path) if file.name in changed else file for file in source_files(name))

    monkeypatch.setattr(planetoid, "source_files", files)


def test_pubmed_has_the_published_counts(real, tmp_path, monkeypatch):
    """PubMed's graph, labels and split; its largest file of features is made up here, for want of the original."""
    parts = real / "incomplete" / "pubmed_no_allx"
    if not parts.is_dir():
        pytest.skip("the data folder has no incomplete/pubmed_no_allx")
    folder = tmp_path / "dgl" / "pubmed_35464cad"
    shutil.copytree(parts, folder, copy_function=shutil.copyfile)
    cells = np.random.default_rng(0).integers((18717, 500), size=(9000, 2)).T
    rows = sp.csr_matrix((np.ones(9000, dtype=np.float32), (cells[0], cells[1])), shape=(18717, 500))
    (folder / "ind.pubmed.allx").write_bytes(pickle.dumps(rows))
    unverified(monkeypatch, "ind.pubmed.allx")
    data = planetoid.pubmed(Store(folders=[tmp_path], cache=tmp_path / "cache", offline=True))
    assert (data.nodes, len(data.src), data.features.shape[1], data.classes) == (19717, 88651, 500, 3)
    assert int((data.src == data.dst).sum()) == 3
    masks = data.masks["public"]
    assert [int(mask.sum()) for mask in (masks.train, masks.val, masks.test)] == [60, 500, 1000]
    known = torch.from_numpy(rows.toarray())
    torch.testing.assert_close(data.features[: len(known)], known)


def small(folder, **changes) -> Store:
    """A store with a data set of six nodes under Cora's name: 3 known, test ids 5 and 3, and 4 unknown."""
    parts = {
        "x": sp.csr_matrix(np.eye(2, 4, dtype=np.float32)),
        "y": np.eye(2, 3, dtype=np.int32),
        "tx": sp.csr_matrix(np.array([[0, 0, 0, 5], [0, 0, 3, 0]], dtype=np.float32)),
        "ty": np.array([[0, 0, 1], [0, 1, 0]]),
        "allx": sp.csr_matrix(np.eye(3, 4, dtype=np.float32)),
        "ally": np.eye(3, dtype=np.int32),
        "graph": defaultdict(list, {0: [1, 1], 2: [2], 5: [3]}),
        "test.index": b"5\n3\n",
    } | changes
    target = folder / CORA
    target.mkdir(parents=True)
    for part, value in parts.items():
        (target / f"ind.cora_v2.{part}").write_bytes(value if isinstance(value, bytes) else pickle.dumps(value))
    return Store(folders=[folder], cache=folder / "cache", offline=True)


@pytest.fixture
def accept_any(monkeypatch):
    """Let made-up files through."""
    unverified(monkeypatch, *(file.name for file in source_files("cora")))


@pytest.mark.usefixtures("accept_any")
def test_test_rows_go_to_their_ids(tmp_path):
    """Rows of tx and ty belong to the ids in test.index in the order listed there; ids between them are unknown."""
    data = planetoid.cora(small(tmp_path))
    expected = torch.zeros(6, 4)
    expected[:3] = torch.eye(3, 4)
    expected[5, 3], expected[3, 2] = 5, 3
    assert torch.equal(data.features, expected)
    assert data.labels.tolist() == [0, 1, 2, 1, 0, 2]
    assert data.masks["public"].test[0].nonzero().flatten().tolist() == [3, 5]
    assert data.facts["without features and class"].startswith("1 nodes")
    assert list(zip(data.src.tolist(), data.dst.tolist(), strict=True)) == [(0, 1), (1, 0), (2, 2), (3, 5), (5, 3)]


@pytest.mark.usefixtures("accept_any")
@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("test.index", b"9\n8\n", "do not continue"),
        ("test.index", b"3\n3\n", "do not continue"),
        ("test.index", b"three\n", "cannot be read"),
        ("test.index", b"", "it names no node"),
        ("test.index", b"9" * 30 + b"\n", "too large"),
        ("test.index", b"3\n", r"it has shape \[2, 4\], not \[1, 4\]"),
        ("tx", sp.csr_matrix(np.eye(2, 5, dtype=np.float32)), r"it has shape \[2, 5\], not \[2, 4\]"),
        ("ty", np.eye(2), r"it has shape \[2, 2\], not \[2, 3\]"),
        ("ally", np.array([0, 1, 2]), r"it has shape \[3\], not \[3, classes\]"),
        ("ally", np.eye(3, 0), r"it has shape \[3, 0\], not \[3, classes\]"),
        ("graph", {0: [77]}, "outside 0"),
        ("allx", np.eye(3), "holds a ndarray"),
        ("tx", b"cos\nsystem\n(S'true'\ntR.", "not allowed"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, part, value, words):
    """Content that passes no check raises DataBroken, also where no digest is known."""
    with pytest.raises(DataBroken, match=words):
        planetoid.cora(small(tmp_path, **{part: value}))
