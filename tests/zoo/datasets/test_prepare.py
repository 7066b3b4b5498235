import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.datasets.base import NodeData
from zoo.datasets.prepare import Direction, check, prepare
from zoo.dgl_backend import dgl
from zoo.errors import DataError

NODES = 8
PAIRS = st.lists(st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)), max_size=40)


def graph(pairs=((0, 1), (0, 1), (1, 0), (2, 2), (3, 2))) -> NodeData:
    """A small graph with a repeated edge, a reversed one and a loop."""
    src, dst = (torch.tensor([pair[end] for pair in pairs], dtype=torch.int64) for end in (0, 1))
    features = torch.from_numpy(np.random.default_rng(0).normal(2.0, 3.0, (NODES, 5)).astype(np.float32))
    features[:, 4] = 0.1
    return NodeData("demo", src, dst, features, torch.arange(NODES) % 3, 3, facts={"source": "made up"})


def edges(data: NodeData) -> list[tuple[int, int]]:
    """Edges as pairs."""
    return list(zip(data.src.tolist(), data.dst.tolist(), strict=True))


@given(PAIRS)
def test_both_with_loops_is_dgls_simple_bidirected_graph(pairs):
    """With direction both, self_loops add gives the edges of dgl.add_self_loop(remove_self_loop(to_bidirected(g)))."""
    data = graph(pairs)
    ours = prepare(data, self_loops="add", direction="both", features="none")
    made = dgl.to_bidirected(dgl.graph((data.src, data.dst), num_nodes=NODES))
    src, dst = dgl.add_self_loop(dgl.remove_self_loop(made)).edges()
    assert sorted(edges(ours)) == sorted(zip(src.tolist(), dst.tolist(), strict=True))


@given(PAIRS)
def test_preparing_twice_changes_nothing_more(pairs):
    """The preparation of a recipe's defaults is idempotent."""
    once = prepare(graph(pairs), self_loops="add", direction="both", features="row")
    twice = prepare(once, self_loops="add", direction="both", features="row")
    assert sorted(edges(once)) == sorted(edges(twice))
    torch.testing.assert_close(once.features, twice.features)


def test_directions():
    """Option keep leaves repetitions and order, reverse turns every edge, both has each edge and its reverse once."""
    expected: dict[Direction, list[tuple[int, int]]] = {
        "keep": [(0, 1), (0, 1), (1, 0), (2, 2), (3, 2)],
        "reverse": [(1, 0), (1, 0), (0, 1), (2, 2), (2, 3)],
        "both": [(0, 1), (1, 0), (2, 2), (2, 3), (3, 2)],
    }
    for direction, pairs in expected.items():
        assert edges(prepare(graph(), self_loops="keep", direction=direction, features="none")) == pairs


def test_self_loops():
    """Option remove leaves no loop; add leaves one loop at each node, even where there was one already."""
    without = [(0, 1), (0, 1), (1, 0), (3, 2)]
    assert edges(prepare(graph(), self_loops="remove", direction="keep", features="none")) == without
    loops = [(node, node) for node in range(NODES)]
    assert edges(prepare(graph(), self_loops="add", direction="keep", features="none")) == without + loops


def test_the_facts_record_every_change():
    """Settings and counts before and after are in the facts, beside what was there."""
    facts = prepare(graph(), self_loops="add", direction="both", features="row").facts
    assert facts["source"] == "made up"
    assert facts["prepared"] == {
        "direction": "both",
        "self_loops": "add",
        "features": "row",
        "edges before": 5,
        "edges after": 4 + NODES,
        "repeated edges before": 1,
        "loops before": 1,
        "loops after": NODES,
    }


@pytest.mark.parametrize("features", ["none", "row", "standardize"])
def test_the_input_stays_as_it_was(features):
    """No tensor and no fact of the data given is changed."""
    data, copy = graph(), graph()
    prepare(data, self_loops="add", direction="both", features=features)
    for name in ("src", "dst", "features", "labels"):
        assert torch.equal(getattr(data, name), getattr(copy, name))
    assert data.facts == copy.facts


def test_rows_sum_to_one_in_magnitude():
    """Rows are divided by their L1 norm as in numpy's float64; a row of zeros stays zero."""
    data = replace(graph(), features=graph().features.index_fill(0, torch.tensor([3]), 0))
    x = data.features.double().numpy()
    total = np.abs(x).sum(axis=1, keepdims=True)
    expected = np.divide(x, total, out=np.zeros_like(x), where=total > 0)
    found = prepare(data, self_loops="keep", direction="keep", features="row").features
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    assert found[3].tolist() == [0] * 5


def test_columns_have_mean_zero_and_deviation_one():
    """Columns are standardised as in numpy's float64; a constant column, even one without exact mean, becomes zero."""
    data = graph()
    x = data.features.double().numpy()
    found = prepare(data, self_loops="keep", direction="keep", features="standardize").features
    expected = (x[:, :4] - x[:, :4].mean(axis=0)) / x[:, :4].std(axis=0)
    np.testing.assert_allclose(found[:, :4].numpy(), expected, rtol=1e-5, atol=1e-6)
    assert found[:, 4].tolist() == [0] * NODES


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda d: {
                "features": d.features.index_put((torch.tensor([5]), torch.tensor([1])), torch.tensor(math.nan))
            },
            "node 5",
        ),
        (
            lambda d: {
                "features": d.features.index_put((torch.tensor([6]), torch.tensor([0])), torch.tensor(-math.inf))
            },
            "node 6",
        ),
        (lambda d: {"features": d.features.long()}, "floats"),
        (lambda d: {"features": d.features[:, :0]}, "floats"),
        (lambda d: {"features": d.features[:, 0]}, "floats"),
        (lambda d: {"labels": d.labels + 1}, "node 2 has label 3"),
        (lambda d: {"labels": d.labels - 2}, "node 0 has label -2"),
        (lambda d: {"labels": d.labels[:-1]}, "int64"),
        (lambda d: {"labels": d.labels.float()}, "int64"),
        (lambda d: {"src": d.src + NODES}, f"src of edge 0 is node {NODES}"),
        (lambda d: {"dst": d.dst - 1}, "dst of edge 2 is node -1"),
        (lambda d: {"dst": d.dst[:-1]}, "dst is"),
        (lambda d: {"src": d.src.int()}, "src is torch.int32"),
    ],
)
def test_unusable_data_is_refused(change, words):
    """NaN, infinity, labels and edge ends out of range, wrong shapes and types raise DataError that names the place."""
    data = graph()
    with pytest.raises(DataError, match=words) as caught:
        prepare(replace(data, **change(data)), self_loops="keep", direction="keep", features="none")
    assert str(caught.value).startswith("data set demo — ")
    assert "expected" in str(caught.value)


def test_nodes_without_label_and_graphs_without_edges_are_fine():
    """Label −1 and an empty edge list pass the check."""
    data = graph(())
    check(replace(data, labels=torch.full((NODES,), -1)))
    assert len(prepare(data, self_loops="add", direction="both", features="none").src) == NODES
