"""Triton's kernel against the kernel made of PyTorch's products; without a GPU Triton's interpreter runs it."""

import pytest
import torch

pytest.importorskip("triton", reason="needs triton, which PyTorch's builds for CUDA bring along")
from zoo.engine.affine import Affine, affine_block
from zoo.engine.kernel import Epilogue
from zoo.engine.kernel_choice import TorchKernel
from zoo.engine.structure import Structure
from zoo.engine.triton_kernel import TritonKernel
from zoo.graphs.graph import Graph


@pytest.fixture
def structure(triton_device):
    generator = torch.Generator().manual_seed(0)
    src = torch.randint(0, 30, (200,), generator=generator)
    dst = torch.randint(0, 18, (200,), generator=generator)
    return Structure.of(src, dst, 30, 20).to(torch.device(triton_device))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sums_in_both_directions(structure, triton_device, reverse, scaled, dtype):
    """Along the edges and against them, with scalings and without; a strided input is read as what it is."""
    sources, nodes = (20, 30) if reverse else (30, 20)
    made = {"dtype": dtype, "device": triton_device}
    x = torch.randn(6, sources, **made).t()
    before = torch.rand(sources, 1, **made) if scaled else None
    after = torch.rand(nodes, 1, **made) if scaled else None
    found = TritonKernel(structure).neighbour_sum(x, reverse, before, after)
    torch.testing.assert_close(found, TorchKernel(structure).neighbour_sum(x, reverse, before, after))


@pytest.mark.parametrize(("heads", "d"), [(1, 5), (3, 4), (2, 150)])
def test_weights_and_dots(structure, triton_device, heads, d):
    """Weighted sums in both directions and dot products over the edges, for several heads and more than one tile."""
    x, weights = torch.randn(30, heads, d, device=triton_device), torch.rand(200, heads, device=triton_device)
    y = torch.randn(20, heads, d, device=triton_device)
    ours, torch_ = TritonKernel(structure), TorchKernel(structure)
    torch.testing.assert_close(ours.weighted_sum(x, weights, False), torch_.weighted_sum(x, weights, False))
    torch.testing.assert_close(ours.weighted_sum(y, weights, True), torch_.weighted_sum(y, weights, True))
    torch.testing.assert_close(ours.edge_dot(x, y), torch_.edge_dot(x, y), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("rooted", [False, True])
def test_a_block_and_its_gradients(triton_device, slope, rooted):
    """One operator with Triton's loops gives what the steps one by one give, and so do its gradients."""
    generator = torch.Generator().manual_seed(1)
    src, dst = torch.randint(0, 25, (2, 120), generator=generator)
    made = {"dtype": torch.float64, "device": triton_device}
    x, weight, root = torch.randn(25, 6, **made), torch.randn(6, 6, **made), torch.randn(6, 6, **made)
    given = [x, weight, torch.randn(6, **made), *([root] if rooted else [])]
    found = []
    for kernel in (TritonKernel, TorchKernel):
        graph = Graph.from_edges(src, dst, 25, kernel="torch").to(triton_device)
        vars(graph)["backend"] = kernel(graph.structure)  # as if it had made it
        inputs = [tensor.clone().requires_grad_() for tensor in given]
        affine = Affine(inputs[1], "both", inputs[3] if rooted else None, inputs[2])
        y = affine_block(graph, inputs[0], affine, inputs[0], Epilogue(slope, 0.9, 0.5))
        found.append([y, *torch.autograd.grad(y.square().sum(), inputs)])
    for ours, expected in zip(*found, strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize(("nodes", "width", "shared"), [(70, 4, False), (9, 130, True)])
def test_members_are_each_what_it_is_alone(triton_device, nodes, width, shared):
    """Several networks in one launch, with a bias for each, or one that they share: as one after the other."""
    generator = torch.Generator().manual_seed(2)
    src, dst = torch.randint(0, nodes, (2, 2 * nodes), generator=generator)
    graph = Graph.from_edges(src, dst, nodes, kernel="torch").to(triton_device)
    vars(graph)["backend"] = TritonKernel(graph.structure)  # as if it had made it
    made = {"dtype": torch.float64, "device": triton_device}
    bias = torch.randn(width, **made) if shared else torch.randn(2, width, **made)
    given = torch.randn(2, nodes, width, **made), torch.randn(2, width, width, **made), bias
    inputs = [tensor.requires_grad_() for tensor in given]

    def run(x, weight, bias):
        return affine_block(graph, x, Affine(weight, "both", None, bias), x, Epilogue(0.0, 1.0, 1.0))

    together = torch.vmap(run, in_dims=(0, 0, None if shared else 0))(*inputs)
    alone = torch.stack([run(inputs[0][at], inputs[1][at], bias if shared else bias[at]) for at in range(2)])
    torch.testing.assert_close(together, alone)
    found = torch.autograd.grad(together.square().sum(), inputs)
    for ours, wanted in zip(found, torch.autograd.grad(alone.square().sum(), inputs), strict=True):
        torch.testing.assert_close(ours, wanted)
