"""Data sets and splits as a plug-in may give them: NumPy's arrays, sparse features, nothing at all."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from zoo.datasets.base import GraphData, Masks, NodeData, Split
from zoo.datasets.given import as_tensors
from zoo.datasets.prepare import prepare
from zoo.errors import DataError

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
