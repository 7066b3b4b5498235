"""What the tests of convolutions share: awkward graphs, and a comparison of two implementations."""

import importlib
import warnings
from collections.abc import Callable, Sequence
from types import ModuleType

import pytest
import torch
from torch import Tensor

from zoo.graphs import Graph, KernelName

NODES = 9
# Isolated nodes (7, 8), a pure source (5), a pure sink (6), loops, a double and a triple edge.
SRC = [0, 0, 1, 1, 1, 2, 3, 3, 4, 5, 5, 2, 4, 0]
DST = [1, 1, 2, 2, 2, 2, 3, 0, 0, 0, 4, 6, 6, 0]

Compare = Callable[[Tensor, Tensor, Sequence[tuple[Tensor, Tensor]]], None]


@pytest.fixture(params=["dgl", "torch"])
def kernel(request: pytest.FixtureRequest) -> KernelName:
    """Each kernel in turn."""
    return request.param


@pytest.fixture
def graph(kernel: KernelName) -> Graph:
    """A directed graph with isolated nodes, multi-edges and loops."""
    return Graph.from_edges(torch.tensor(SRC), torch.tensor(DST), NODES, kernel=kernel)


@pytest.fixture
def undirected(kernel: KernelName) -> Graph:
    """The same with each edge both ways."""
    return Graph.from_edges(torch.tensor(SRC + DST), torch.tensor(DST + SRC), NODES, kernel=kernel)


@pytest.fixture
def edge_index() -> Callable[[Graph], Tensor]:
    """A graph's edges as PyG writes them."""
    return lambda graph: torch.stack(graph.dgl.edges(order="eid"))


@pytest.fixture
def features() -> Callable[..., Tensor]:
    """Makes float64 node features of a width."""
    return lambda width: torch.randn(
        NODES, width, dtype=torch.float64, generator=torch.Generator().manual_seed(width)
    ).requires_grad_()


@pytest.fixture
def compare() -> Compare:
    """Asserts that two results agree to 1e-10, and so do the gradients of the paired inputs.

    The gradient of a pair's second tensor may be transposed against the first's: it is reshaped to fit.
    """

    def check(ours: Tensor, theirs: Tensor, pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
        incoming = torch.randn(*theirs.shape, dtype=theirs.dtype, generator=torch.Generator().manual_seed(7))
        got = torch.autograd.grad(ours, [mine for mine, _ in pairs], incoming)
        wanted = torch.autograd.grad(theirs, [other for _, other in pairs], incoming)
        for mine, other in zip(got, wanted, strict=True):
            torch.testing.assert_close(mine.flatten(), as_ours(other, mine.shape).flatten(), rtol=0, atol=1e-10)
            assert mine.abs().sum() > 0

    return check


@pytest.fixture
def compare_as_is() -> Compare:
    """The same for weights that both have as [in, out], square ones too: no gradient is reshaped."""

    def check(ours: Tensor, theirs: Tensor, pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
        incoming = torch.randn(*theirs.shape, dtype=theirs.dtype, generator=torch.Generator().manual_seed(7))
        got = torch.autograd.grad(ours, [mine for mine, _ in pairs], incoming)
        wanted = torch.autograd.grad(theirs, [other for _, other in pairs], incoming)
        for mine, other in zip(got, wanted, strict=True):
            torch.testing.assert_close(mine, other, rtol=0, atol=1e-10)
            assert mine.abs().sum() > 0

    return check


def as_ours(theirs: Tensor, shape: Sequence[int]) -> Tensor:
    """Weights [out, in] of `torch.nn.Linear` as [in, out] or [heads, in, out per head]; not for square ones."""
    if theirs.dim() == 2 and len(shape) == 2 and tuple(theirs.shape) == tuple(shape[::-1]):
        return theirs.t()
    if theirs.dim() == 2 and len(shape) == 3:
        return theirs.view(shape[0], shape[2], shape[1]).transpose(1, 2)
    return theirs.reshape(tuple(shape))


@pytest.fixture
def copy_into() -> Callable[[Tensor, Tensor], None]:
    """Copies a parameter of another library into one of ours."""

    def copy(ours: Tensor, theirs: Tensor) -> None:
        with torch.no_grad():
            ours.copy_(as_ours(theirs, ours.shape))

    return copy


@pytest.fixture(scope="session")
def pyg() -> ModuleType:
    """PyG's layers; what its import warns of concerns PyG alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("torch_geometric.nn")
