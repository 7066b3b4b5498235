"""The compiled kernel against the kernel made of PyTorch's products."""

import pytest
import torch

from zoo.engine.kernel_choice import TorchKernel
from zoo.engine.numba_kernel import CompiledKernel
from zoo.engine.structure import Structure


@pytest.fixture
def structure():
    generator = torch.Generator().manual_seed(0)
    src = torch.randint(0, 30, (200,), generator=generator)
    dst = torch.randint(0, 18, (200,), generator=generator)
    return Structure.of(src, dst, 30, 20)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sums_in_both_directions(structure, reverse, scaled, dtype):
    """Along the edges and against them, with scalings and without; a strided input is read as what it is."""
    sources, nodes = (20, 30) if reverse else (30, 20)
    x = torch.randn(6, sources, dtype=dtype).t()
    before = torch.rand(sources, 1, dtype=dtype) if scaled else None
    after = torch.rand(nodes, 1, dtype=dtype) if scaled else None
    found = CompiledKernel(structure).neighbour_sum(x, reverse, before, after)
    torch.testing.assert_close(found, TorchKernel(structure).neighbour_sum(x, reverse, before, after))


def test_scales_are_those_of_the_call(structure):
    """Whatever a kernel keeps of the scales of its last call, the next one is scaled by its own."""
    kernel, other, x = CompiledKernel(structure), TorchKernel(structure), torch.randn(30, 4)
    for before, after in [(torch.rand(30, 1), None), (torch.rand(30, 1), torch.rand(20, 1)), (None, None)] * 2:
        found = kernel.neighbour_sum(x, False, before, after)
        torch.testing.assert_close(found, other.neighbour_sum(x, False, before, after))


def test_weights_and_dots(structure):
    """Weighted sums and dot products over the edges, for several heads."""
    x, weights = torch.randn(30, 2, 4), torch.rand(200, 2)
    compiled, torch_ = CompiledKernel(structure), TorchKernel(structure)
    torch.testing.assert_close(compiled.weighted_sum(x, weights, False), torch_.weighted_sum(x, weights, False))
    y = torch.randn(20, 2, 4)
    torch.testing.assert_close(compiled.edge_dot(x, y), torch_.edge_dot(x, y))


def test_scratch_is_the_same_memory(structure):
    """Products that nobody keeps lie in one place for all blocks."""
    kernel = CompiledKernel(structure)
    assert kernel.scratch("h", (4, 3), torch.float32) is kernel.scratch("h", (4, 3), torch.float32)
    assert kernel.scratch("h", (4, 3), torch.float32) is not kernel.scratch("dz", (4, 3), torch.float32)
