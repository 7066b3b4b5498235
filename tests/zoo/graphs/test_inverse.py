"""Blocks that are had back from their outputs: values, gradients, what is kept, and what is refused."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from zoo.engine.affine import Affine, affine_block
from zoo.engine.epilogue import Epilogue
from zoo.errors import BuildError, TrainingError
from zoo.graphs import Graph
from zoo.graphs.inverse import inverse, reversible_block

NODES, WIDTH, DEPTH = 9, 6, 8
SRC = [0, 0, 1, 1, 1, 2, 3, 3, 4, 5, 5, 2, 4, 0]
DST = [1, 1, 2, 2, 2, 2, 3, 0, 0, 0, 4, 6, 6, 0]


@pytest.fixture(params=["compiled", "torch"])
def graph(request: pytest.FixtureRequest) -> Graph:
    """A directed graph with isolated nodes, multi-edges and loops, on either kernel."""
    return Graph.from_edges(torch.tensor(SRC), torch.tensor(DST), NODES, kernel=request.param)


def tensors(
    norm: Any = "both", root: bool = False, c: float = 0.4, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, list[Affine]]:
    """Features, and affine maps whose matrices have Frobenius norm c together."""
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    def matrix() -> Tensor:
        weight = draw(WIDTH, WIDTH)
        return (weight * (c / (1 + root) / weight.norm())).requires_grad_()

    x = draw(NODES, WIDTH).requires_grad_()
    return x, [
        Affine(matrix(), norm, matrix() if root else None, (0.1 * draw(WIDTH)).requires_grad_()) for _ in range(DEPTH)
    ]


def chain(graph: Graph, x: Tensor, layers: list[Affine], slope: float, reversible: bool) -> Tensor:
    for affine in layers:
        x = (
            reversible_block(graph, x, affine, slope)
            if reversible
            else affine_block(graph, x, affine, x, Epilogue(slope, 1.0, 1.0))
        )
    return x


def leaves(x: Tensor, layers: list[Affine]) -> list[Tensor]:
    return [x, *(part for a in layers for part in (a.weight, a.root_weight, a.bias) if part is not None)]


@pytest.mark.parametrize(
    ("norm", "root", "slope"), [("both", False, 0.0), ("both", False, 0.2), ("right", True, 0.0), ("right", False, 1.0)]
)
def test_a_chain_has_the_values_and_gradients_of_one_that_keeps_everything(
    graph: Graph, norm: Any, root: bool, slope: float
):
    """In float64, to 1e-10; the second pass through a retained graph gives the same."""
    x, layers = tensors(norm, root)
    y, other = (chain(graph, x, layers, slope, reversible) for reversible in (True, False))
    assert torch.equal(y, other)
    incoming = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y).sin()
    expected = torch.autograd.grad(other, leaves(x, layers), incoming)
    for _ in range(2):
        found = torch.autograd.grad(y, leaves(x, layers), incoming, retain_graph=True)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_the_inverse_solves_the_equation(graph: Graph):
    """What comes back, put in, gives y, to rounding, for a contraction by 0.9 too."""
    for c in (0.1, 0.9):
        y, (affine, *_) = tensors(c=c)
        x = inverse(graph, y.detach(), affine, 0.0)
        with torch.no_grad():
            again = affine_block(graph, x, affine, x, Epilogue(0.0, 1.0, 1.0))
        torch.testing.assert_close(again, y.detach(), rtol=0, atol=1e-13)


def test_single_precision_is_as_near_to_float64_as_a_chain_that_keeps_everything(graph: Graph):
    """The error of the input's gradient, against float64, is at most ten times that of the other."""
    x, layers = tensors()
    (exact,) = torch.autograd.grad(chain(graph, x, layers, 1.0, False).square().sum(), x)
    x, layers = tensors(dtype=torch.float32)
    errors = [
        float((torch.autograd.grad(chain(graph, x, layers, 1.0, way).square().sum(), x)[0].double() - exact).norm())
        for way in (True, False)
    ]
    assert errors[0] <= 10 * errors[1] + 1e-7 * float(exact.norm())


def test_only_the_last_output_is_kept():
    """After the forward pass the storages of all outputs in between are gone, and no node saves a feature."""
    graph = Graph.from_edges(torch.tensor(SRC), torch.tensor(DST), NODES, kernel="torch")
    x, layers = tensors()
    saved: list[tuple[int, ...]] = []
    storages: list[StorageWeakRef] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(tuple(t.shape)) or t, lambda t: t):
        y = x * 2
        for affine in layers:
            y = reversible_block(graph, y, affine, 0.0)
            storages.append(StorageWeakRef(y.untyped_storage()))
    assert [storage.expired() for storage in storages] == [True] * (DEPTH - 1) + [False]
    assert NODES not in {shape[0] for shape in saved if shape}
    y.sum().backward()


def test_what_needs_no_gradient_gets_none(graph: Graph):
    """A frozen matrix, and an input that is data."""
    x, layers = tensors()
    frozen = layers[0]._replace(weight=layers[0].weight.detach())
    reversible_block(graph, x.detach(), frozen, 0.0).sum().backward()
    assert frozen.bias is not None and frozen.bias.grad is not None and x.grad is None and frozen.weight.grad is None


def test_nan_passes_through(graph: Graph):
    """A network that has diverged is for the trainer to report: the iteration ends, and gradients are NaN."""
    x, layers = tensors()
    y = chain(graph, x * float("nan"), layers, 0.0, True)
    (gradient,) = torch.autograd.grad(y.sum(), layers[0].weight)
    assert gradient.isnan().any()


def test_what_has_no_way_back_is_refused(graph: Graph):
    """Weights that do not contract, gradients of gradients, half precision."""
    x, layers = tensors(c=40.0)
    with pytest.raises(TrainingError, match="does not contract"):
        chain(graph, x, layers[:3], 1.0, True).sum().backward()
    x, layers = tensors()
    with pytest.raises(BuildError, match="gradients of gradients"):
        torch.autograd.grad(chain(graph, x, layers, 0.0, True).sum(), x, create_graph=True)
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(BuildError, match="half precision"):
        reversible_block(graph, x, layers[0], 0.0)


def test_without_gradients_it_is_the_plain_operator(graph: Graph):
    """Nothing is kept, and nothing is to be taken back."""
    x, layers = tensors()
    with torch.no_grad():
        y = reversible_block(graph, x, layers[0], 0.0)
        assert y.grad_fn is None
        assert torch.equal(y, affine_block(graph, x, layers[0], x, Epilogue(0.0, 1.0, 1.0)))
