"""Checks and conversion of data sets and splits."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from zoo.datasets.base import GraphData, LinkData, LinkSplit, Masks, NodeData, Split
from zoo.datasets.link_splits import check_links
from zoo.datasets.prepare import prepare
from zoo.datasets.validity import as_tensors, check
from zoo.errors import BuildError, DataError

NAN, INF = float("nan"), float("inf")
ENDS = torch.tensor([0, 1, 2])


def nodes(**changes: Any) -> NodeData:
    """Four nodes, three edges."""
    return replace(NodeData("demo", ENDS, ENDS + 1, torch.ones(4, 2), torch.tensor([0, 1, 0, -1]), 2), **changes)


def graphs(**changes: Any) -> GraphData:
    """Two graphs of two nodes."""
    src, dst = torch.tensor([0, 2]), torch.tensor([1, 3])
    made = GraphData("demo", src, dst, torch.tensor([2, 2]), torch.ones(4, 2), torch.tensor([[0.5], [NAN]]), 1)
    return replace(made, **{"problem": "values", **changes})


def links(**changes: Any) -> LinkData:
    """A path of four nodes with a link to validate and one to test."""
    pair, other = torch.tensor([[0], [2]]), torch.tensor([[1], [3]])
    made = LinkSplit("own", torch.stack([ENDS, ENDS + 1]), pair, other, other, pair, torch.stack([ENDS, ENDS + 1]))
    return LinkData("demo", ENDS, ENDS + 1, torch.ones(4, 2), replace(made, **changes))


def test_sound_data_pass():
    """Data of each kind, with features of edges too, are taken as they are."""
    for data in (nodes(), nodes(edge_features=torch.ones(3, 2)), graphs(), links()):
        check(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            nodes(features=torch.tensor([[0, 1], [0, NAN], [INF, 0], [0, 0]])),
            r"node 1, column 1, is nan \(and of 1 more\)",
        ),
        (nodes(features=torch.ones(4, 2).double()), r"torch.float64 \[4, 2\] — expected .* — features.float\(\)"),
        (nodes(features=torch.ones(4, 2).half()), "torch.float16"),
        (nodes(features=torch.ones(0, 2), labels=torch.ones(0, dtype=torch.int64)), r"\[0, 2\]"),
        (nodes(classes=0), "it has 0 classes — expected 1 or more"),
        (
            nodes(edge_features=torch.tensor([[0.0], [-INF], [0]])),
            "edge 1, column 0, is -inf .* prepare.edge_features=drop",
        ),
        (nodes(edge_features=torch.ones(2, 2)), r"edge features are torch.float32 \[2, 2\] — expected .* \[3 edges"),
        (nodes(edge_features=torch.ones(3, 2).double()), "edge features are torch.float64"),
        (nodes(edge_features=torch.ones(3, 0)), r"edge features are torch.float32 \[3, 0\]"),
        (graphs(labels=torch.tensor([[0.0], [INF]])), "label 0 of graph 1 is inf: infinite — expected finite numbers"),
        (graphs(labels=torch.tensor([[0.0], [2]]), problem="binary"), "label 0 of graph 1 is 2: not 0 or 1"),
        (graphs(sizes=torch.tensor([2, 3])), "the graphs have 5 nodes together — expected 4"),
        (graphs(sizes=torch.tensor([2.0, 2])), "sizes are torch.float32"),
        (links(train=torch.tensor([0, 1])), r"links.train is torch.int64 \[2\] — expected int64 \[2, links\]"),
        (links(val_negative=torch.ones(2, 1)), "links.val_negative is torch.float32"),
    ],
)
def test_unsound_data_are_refused_with_the_place(data, words):
    """Each mistake is an error that names the data set, what is wrong and where, and what was expected."""
    with pytest.raises(DataError, match=words) as caught:
        check(data)
    assert str(caught.value).startswith("data set demo — ") and "expected" in str(caught.value)


@pytest.mark.parametrize("size", [8e37, 1e25, 1.0, 1e-25, 1e-40])
@pytest.mark.parametrize("features", ["row", "standardize"])
def test_scaling_holds_numbers_whose_squares_or_sums_float32_does_not(features, size):
    """Rows and columns of huge and of tiny numbers are scaled as in float64, and not to zeros, NaN or themselves."""
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)) * size
    wide = x.double()
    exact = (
        wide / wide.abs().sum(dim=1, keepdim=True)
        if features == "row"
        else (wide - wide.mean(0)) / wide.std(0, correction=0)
    )
    data = NodeData("demo", ENDS, ENDS, x, torch.zeros(50, dtype=torch.int64), 2)
    found = prepare(data, self_loops="keep", direction="keep", features=features).features
    torch.testing.assert_close(found, exact.float(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"val": torch.tensor([[0], [4]])}, DataError, "val links of demo name node 4 — expected 0 … 3"),
        ({"test_negative": torch.tensor([[-1], [0]])}, DataError, "test pairs without a link of demo name node -1"),
        ({"train": torch.zeros(2, 0).long()}, BuildError, "no train links in demo"),
        ({"val_negative": torch.zeros(2, 0).long()}, BuildError, "no val pairs without a link in demo"),
        ({"val_negative": torch.zeros(2, 3, 4).long()}, DataError, "val has pairs for 3 links of demo"),
    ],
)
def test_links_that_cannot_be_scored_are_refused(changes, error, words):
    """Nodes that are not there, parts without links or without others, and others of too many links are errors."""
    data = links(**changes)
    with pytest.raises(error, match=words):
        check_links(data, data.links)


RAW = {"self_loops": "keep", "direction": "keep", "features": "none"}


def data(**changes: Any) -> NodeData:
    """Three nodes in a ring, all of it NumPy's."""
    given: dict[str, Any] = {
        "name": "ring",
        "src": np.array([0, 1, 2], np.int32),
        "dst": np.array([1, 2, 0]),
        "features": np.arange(6.0).reshape(3, 2),
        "labels": np.array([0, 1, 1], np.uint8),
        "classes": 2,
        "masks": {"public": Masks(*(np.arange(3) == part for part in range(3)))},  # pyright: ignore[reportArgumentType]
    }
    return NodeData(**{**given, **changes})


def test_numpys_arrays_become_what_the_class_promises():
    """Numbers and masks are NumPy's, as tensors of the types that are documented, in memory of their own."""
    given = data()
    made: Any = prepare(given, **RAW)  # pyright: ignore[reportArgumentType]
    assert [made.src.tolist(), made.dst.tolist(), made.labels.tolist()] == [[0, 1, 2], [1, 2, 0], [0, 1, 1]]
    assert {made.src.dtype, made.dst.dtype, made.labels.dtype} == {torch.int64}
    assert made.features.dtype == torch.float32 and made.features.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert made.masks["public"].val.tolist() == [[False, True, False]]
    given.features[0, 0] = 7  # pyright: ignore[reportIndexIssue]
    assert float(made.features[0, 0]) == 0


def test_tensors_and_numpy_may_be_mixed_and_read_backwards():
    """A tensor stays the object that it is; an array with negative strides is read in its order."""
    features = torch.ones(3, 2)
    made = as_tensors(data(features=features, src=np.array([2, 1, 0])[::-1]))
    assert made.features is features and made.src.tolist() == [0, 1, 2]


def test_labels_of_binary_problems_become_floats():
    """Zeros and ones as integers are the floats that binary labels are."""
    made = as_tensors(data(labels=np.array([[0, 1], [1, 1], [0, 0]]), problem="binary"))
    assert made.labels.dtype == torch.float32
    prepare(made, **RAW)  # pyright: ignore[reportArgumentType]


def test_many_graphs_and_splits_are_read_alike():
    """Sizes of graphs and the numbers of a split are integers, whoever made them."""
    graphs = GraphData(
        name="two",
        src=np.array([0]),  # pyright: ignore[reportArgumentType]
        dst=np.array([1]),  # pyright: ignore[reportArgumentType]
        sizes=np.array([2, 1]),  # pyright: ignore[reportArgumentType]
        features=np.ones((3, 1)),  # pyright: ignore[reportArgumentType]
        labels=np.array([0, 1]),  # pyright: ignore[reportArgumentType]
        classes=2,
        edge_features=np.ones((1, 1)),  # pyright: ignore[reportArgumentType]
    )
    made = as_tensors(graphs)
    assert made.sizes.dtype == torch.int64
    assert made.edge_features is not None and made.edge_features.dtype == torch.float32
    split = as_tensors(Split("mine", *(np.array([part]) for part in range(3))))  # pyright: ignore[reportArgumentType]
    assert split.test.tolist() == [2]


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"features": None}, r"data set ring — features is None — expected a tensor.* categories=\(nodes,\)"),
        ({"features": torch.eye(3).to_sparse()}, r"features is a sparse tensor \[3, 3\] — .* to_dense\(\)"),
        ({"features": np.full((3, 2), 1e39)}, r"the feature of node 0, column 0, is inf"),
        ({"labels": np.array(["a", "b", "c"])}, r"labels is an array of <U1 — expected numbers"),
        ({"src": [0, 1, 2]}, r"src is a list — expected a tensor"),
        ({"masks": {"public": (1, 2, 3)}}, r"masks are no splits by name — expected a mapping to Masks"),
        (
            {"problem": "class"},
            r"its problem is 'class' — .* — did you mean 'classes'",
        ),
        ({"masks": [1]}, r"masks are no splits by name"),
        ({"masks": {"public": Masks(*[np.ones(2, bool)] * 3)}}, r"masks of ring are torch.bool \[1, 2\] — .*\[1, 3\]"),  # pyright: ignore
        ({"masks": {"public": Masks(*[np.ones(3, int)] * 3)}}, r"torch.int64 \[1, 3\] — .* mask\.bool\(\)"),  # pyright: ignore
    ],
)
def test_what_cannot_be_read_is_refused_in_words(changes: dict[str, Any], said: str):
    """The place, what is there, what was expected, and a way out where there is one."""
    with pytest.raises(DataError, match=said):
        prepare(data(**changes), **RAW)  # pyright: ignore[reportArgumentType]


def test_scipys_sparse_features_are_refused_with_the_way_out():
    """A sparse matrix of SciPy's is to be made dense first."""
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(DataError, match=r"toarray\(\)"):
        as_tensors(replace(data(), features=sparse.eye(3).tocsr()))
