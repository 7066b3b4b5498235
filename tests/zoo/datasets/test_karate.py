import pytest
import torch

from zoo.datasets.karate import karate
from zoo.datasets.store import Store
from zoo.dgl_backend import dgl


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")
def test_equals_dgls_own_karate_club(tmp_path):
    """Edges and classes are those of DGL's data set; the features are the identity; no file is needed."""
    ours = karate(Store(folders=[], cache=tmp_path, offline=True))
    theirs = dgl.data.KarateClubDataset()[0]
    src, dst = theirs.edges()
    assert len(ours.src) == theirs.num_edges() == 156
    assert set(zip(ours.src.tolist(), ours.dst.tolist(), strict=True)) == set(
        zip(src.tolist(), dst.tolist(), strict=True)
    )
    assert torch.equal(ours.labels, theirs.ndata["label"].long())
    assert torch.equal(ours.features, torch.eye(34))
    assert list(tmp_path.iterdir()) == []
