import numpy as np
import pytest
import torch

from zoo.datasets import heterophilous
from zoo.datasets.files import source_files
from zoo.datasets.store import SourceFile, Store
from zoo.dgl_backend import dgl
from zoo.errors import DataBroken


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")
def test_equals_dgls_own_loader(store, scratch):
    """Minesweeper's features, labels, masks and edges are those that DGL reads from the same file."""
    ours = heterophilous.minesweeper(store)
    raw = scratch("dgl/minesweeper_61c0a166") / "dgl"
    theirs = dgl.data.MinesweeperDataset(raw_dir=str(raw), verbose=False)[0]
    assert torch.equal(ours.features, theirs.ndata["feat"])
    assert torch.equal(ours.labels, theirs.ndata["label"])
    for part in ("train", "val", "test"):
        assert torch.equal(getattr(ours.masks["public"], part), theirs.ndata[f"{part}_mask"].bool().T)
    src, dst = theirs.edges()
    assert len(src) == len(ours.src)
    keys = [torch.sort(a * ours.nodes + b).values for a, b in ((ours.src, ours.dst), (src, dst))]
    assert torch.equal(*keys)


@pytest.mark.parametrize("name", ["roman_empire", "amazon_ratings", "questions"])
@pytest.mark.parametrize("pairs", [[[0, 1], [2, 1]], [[0, 1], [1, 0], [2, 1], [2, 1]]])
def test_the_others_read_the_same_format(tmp_path, monkeypatch, name, pairs):
    """A made-up file of the published format: each edge in both directions, once, whatever the file repeats."""
    (file,) = source_files(name.replace("_", "-"))
    monkeypatch.setattr(heterophilous, "source_files", lambda _: [SourceFile(file.path)])
    (tmp_path / file.path).parent.mkdir(parents=True)
    masks = {f"{part}_masks": np.eye(3, dtype=bool)[[row, row]] for row, part in enumerate(("train", "val", "test"))}
    np.savez(
        tmp_path / file.path,
        node_features=np.ones((3, 2)),
        node_labels=np.array([0, 1, 0]),
        edges=np.array(pairs),
        **masks,  # pyright: ignore[reportArgumentType]
    )
    data = getattr(heterophilous, name)(Store(folders=[tmp_path], cache=tmp_path / "cache", offline=True))
    assert (data.src.tolist(), data.dst.tolist()) == ([0, 1, 1, 2], [1, 0, 2, 1])
    assert data.features.dtype == torch.float32
    assert data.metric == ("rocauc" if name == "questions" else "accuracy")
    assert data.masks["public"].val.tolist() == [[False, True, False]] * 2


@pytest.mark.parametrize("edges", [np.zeros((2, 3), int), np.zeros(4, int)])
def test_edges_of_another_shape_are_refused(tmp_path, monkeypatch, edges):
    """An edge array that is not [edges, 2] raises DataBroken."""
    (file,) = source_files("questions")
    monkeypatch.setattr(heterophilous, "source_files", lambda _: [SourceFile(file.path)])
    (tmp_path / file.path).parent.mkdir(parents=True)
    np.savez(tmp_path / file.path, node_features=np.ones((3, 2)), node_labels=np.zeros(3, int), edges=edges)
    with pytest.raises(DataBroken, match="'edges' has shape"):
        heterophilous.questions(Store(folders=[tmp_path], cache=tmp_path / "cache", offline=True))
