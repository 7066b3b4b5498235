"""ogb_backend: OGB's own encoders and evaluators, without the thread, the prints and the imports of its package."""

import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from zoo import ogb_backend
from zoo.errors import ZooError

ROOT = Path(__file__).parents[2]
ALONE = """
import os, sys, threading
outdated = sys.modules.get("outdated")
before = threading.enumerate()
from zoo import ogb_backend
import torch
assert ogb_backend.version() >= "1.3.6"
ogb_backend.atom_encoder(3)(torch.zeros(1, 9, dtype=torch.long))
for name in ("ogbn-arxiv", "ogbg-molhiv", "ogbl-ddi"):
    ogb_backend.evaluator(name)
assert threading.enumerate() == before
assert sys.modules.get("outdated") is outdated and "OUTDATED_IGNORE" not in os.environ
assert not {"dgl", "torch_geometric", "sklearn", "ogb.graphproppred"} & set(sys.modules)
"""


def test_silent_and_without_a_thread(tmp_path):
    """In a process of its own, standard input closed: no thread, no output, nothing heavy imported."""
    environment = {name: value for name, value in os.environ.items() if name != "OUTDATED_IGNORE"}
    environment |= {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ALONE],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_no_thread_stays_here():
    """Loading the evaluators in this process starts no thread either."""
    before = threading.enumerate()
    ogb_backend.evaluator("ogbg-molhiv")[2](torch.zeros(2, 1), torch.tensor([[0.0], [1.0]]))
    assert threading.enumerate() == before


def test_missing_package(monkeypatch):
    """Without ogb the error says how to get it."""
    ogb_backend._import_ogb.cache_clear()
    monkeypatch.delitem(sys.modules, "ogb", raising=False)
    monkeypatch.setattr(ogb_backend.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ZooError, match="pip install 'ogb>=1"):
        ogb_backend.version()
    ogb_backend._import_ogb.cache_clear()


def test_meta_is_ogbs_table():
    """The table's words of three sets, and a name that OGB does not have."""
    assert ogb_backend.meta("ogbg-molhiv")["split"] == "scaffold"
    assert ogb_backend.meta("ogbn-proteins")["num tasks"] == "112"
    assert ogb_backend.meta("ogbl-collab")["additional edge files"] == "edge_weight,edge_year"
    with pytest.raises(KeyError):
        ogb_backend.meta("ogbg-nothing")


@pytest.mark.parametrize(
    ("make", "categories", "columns"),
    [
        (ogb_backend.atom_encoder, ogb_backend.atom_categories, 9),
        (ogb_backend.bond_encoder, ogb_backend.bond_categories, 3),
    ],
)
def test_encoders_sum_a_vector_for_each_column(make, categories, columns):
    """The result is the sum of the rows that the columns name, differentiable; pickled, it comes back the same."""
    tops = categories()
    assert len(tops) == columns
    encoder = make(5)
    x = torch.stack([torch.randint(0, top, (7,)) for top in tops], dim=1)
    tables = list(encoder.parameters())
    assert [table.shape for table in tables] == [(top, 5) for top in tops]
    expected = torch.stack([table[x[:, k]] for k, table in enumerate(tables)]).sum(dim=0)
    assert torch.allclose(encoder(x), expected, atol=1e-6)
    encoder(x).sum().backward()
    assert all(table.grad is not None for table in tables)
    assert torch.equal(pickle.loads(pickle.dumps(encoder))(x), encoder(x))


def test_accuracy():
    """Of logits against classes: the share that is right; nodes without a label are left out."""
    metric, higher, score = ogb_backend.evaluator("ogbn-arxiv")
    assert (metric, higher) == ("accuracy", True)
    outputs = torch.randn(50, 40, dtype=torch.float64)
    labels = torch.randint(0, 40, (50,))
    labels[:25] = outputs[:25].argmax(dim=1)
    expected = float((outputs.argmax(dim=1) == labels).double().mean())
    assert score(outputs, labels) == pytest.approx(expected)
    assert score(outputs, torch.cat([labels[:25], torch.full((25,), -1)])) == 1
    assert score(outputs.bfloat16()[:25], outputs.bfloat16()[:25].argmax(dim=1)) == 1


@pytest.mark.parametrize(
    ("name", "metric", "tasks", "oracle"),
    [
        ("ogbn-proteins", "rocauc", 112, roc_auc_score),
        ("ogbg-molhiv", "rocauc", 1, roc_auc_score),
        ("ogbg-moltox21", "rocauc", 12, roc_auc_score),
        ("ogbg-molpcba", "average-precision", 128, average_precision_score),
    ],
)
def test_binary_labels(name, metric, tasks, oracle):
    """The mean over labels of scikit-learn's number, unknown ones left out, logits as they are."""
    found, higher, score = ogb_backend.evaluator(name)
    assert (found, higher) == (metric, True)
    outputs = torch.randn(60, tasks)
    labels = torch.randint(0, 2, (60, tasks)).float()
    labels[torch.rand(60, tasks) < 0.2] = float("nan")
    each = []
    for truth, values in zip(labels.numpy().T, outputs.numpy().T, strict=True):
        known = ~np.isnan(truth)
        each.append(oracle(truth[known], values[known]))
    assert score(outputs, labels) == pytest.approx(np.mean(each))


def test_regression_is_root_mean_square():
    """Root mean square error, of which less is better."""
    metric, higher, score = ogb_backend.evaluator("ogbg-molesol")
    assert (metric, higher) == ("rmse", False)
    outputs, labels = torch.randn(30, 1), torch.randn(30, 1)
    assert score(outputs, labels) == pytest.approx(float(((outputs - labels) ** 2).mean().sqrt()), rel=1e-6)


@pytest.mark.parametrize(("name", "k"), [("ogbl-ddi", 20), ("ogbl-collab", 50), ("ogbl-ppa", 100)])
def test_hits(name, k):
    """The share of links that score above the k-th best of the pairs that are none."""
    metric, higher, score = ogb_backend.evaluator(name)
    assert (metric, higher) == (f"hits@{k}", True)
    positive, negative = torch.randn(200) + 1, torch.randn(300)
    bar = sorted(negative.tolist(), reverse=True)[k - 1]
    assert score(positive, negative) == pytest.approx(sum(value > bar for value in positive.tolist()) / 200)


def test_mrr():
    """The mean of one over the rank among a link's own others, ties half way; OGB's own code fails on arrays."""
    metric, higher, score = ogb_backend.evaluator("ogbl-citation2")
    assert (metric, higher) == ("mrr", True)
    positive, negative = torch.tensor([1.0, 0.0, 2.0]), torch.tensor([[0.0, 2.0], [3.0, 3.0], [2.0, 1.0]])
    assert score(positive, negative) == pytest.approx((1 / 2 + 1 / 3 + 1 / 1.5) / 3)


def test_undefined_scores():
    """NaN where an output is not finite, nothing is there, or binary labels are all of one kind; never an error."""
    nothing = float("nan")
    arxiv, hiv, esol, ddi, citation = (
        ogb_backend.evaluator(name)[2]
        for name in ("ogbn-arxiv", "ogbg-molhiv", "ogbg-molesol", "ogbl-ddi", "ogbl-citation2")
    )
    one = torch.ones(4, 1)
    for value in (
        arxiv(torch.full((2, 40), nothing), torch.zeros(2, dtype=torch.long)),
        arxiv(torch.zeros(0, 40), torch.zeros(0, dtype=torch.long)),
        hiv(one, one),
        hiv(one, torch.full((4, 1), nothing)),
        hiv(torch.full((4, 1), torch.inf), torch.tensor([[0.0], [1.0], [0.0], [1.0]])),
        esol(one[:0], one[:0]),
        ddi(torch.tensor([nothing]), torch.ones(30)),
        ddi(torch.ones(0), torch.ones(30)),
        citation(torch.ones(2), torch.full((2, 3), torch.inf)),
    ):
        assert np.isnan(value)


def test_wrong_shapes_are_no_number():
    """What OGB refuses for its shape stays an error, and is not taken for an undefined score."""
    with pytest.raises(RuntimeError, match="Number of tasks"):
        ogb_backend.evaluator("ogbg-molhiv")[2](torch.zeros(4, 2), torch.zeros(4, 2))


def test_scores_can_be_pickled():
    """A data set that carries its official score can go to another process."""
    score = ogb_backend.evaluator("ogbl-ddi")[2]
    assert pickle.loads(pickle.dumps(score))(torch.ones(3), torch.zeros(30)) == 1
