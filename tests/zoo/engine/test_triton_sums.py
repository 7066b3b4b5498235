"""Triton's sums over rows against dense float64 products; without a GPU Triton's interpreter runs them."""

import pytest
import torch

pytest.importorskip("triton", reason="needs triton, which PyTorch's builds for CUDA bring along")
from zoo.engine.kernel import Scaling
from zoo.engine.structure import Rows
from zoo.engine.triton_sums import block_backward, block_forward, scaled_sum


def rows(device, count=24, columns=20, entries=90):
    """Compressed rows, some empty and one long, with repeated entries; and the same as a dense float64 matrix."""
    generator = torch.Generator().manual_seed(0)
    row = torch.randint(0, count - 5, (entries,), generator=generator)
    row[:30] = 3
    row, column = row.sort().values, torch.randint(0, columns, (entries,), generator=generator)
    dense = torch.zeros(count, columns, dtype=torch.float64).index_put_((row, column), torch.ones(()).double(), True)
    offsets = torch.cat([torch.zeros(1).long(), row.bincount(minlength=count).cumsum(0)])
    made = Rows(offsets.to(device), column.to(device), torch.arange(entries, device=device), columns)
    return made, dense.to(device)


@pytest.mark.parametrize("width", [1, 7, 64, 200])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scaled", [False, True])
def test_scaled_sum(triton_device, width, dtype, scaled):
    """What is scaled, summed and scaled again, by a dense product; empty rows give 0, and all of y is written."""
    sparse, dense = rows(triton_device)
    x = torch.randn(20, width, dtype=dtype, device=triton_device)
    before, after = (torch.rand(count, 1, dtype=dtype, device=triton_device) for count in (20, 24))
    y = torch.full((24, width), torch.nan, dtype=dtype, device=triton_device)
    scaled_sum(sparse, before if scaled else None, after if scaled else None, x, y)
    expected = after * (dense @ (before * x.double())) if scaled else dense @ x.double()
    torch.testing.assert_close(y, expected.to(dtype), atol=1e-4 if dtype == torch.float32 else 1e-12, rtol=1e-5)
    assert (y[-5:] == 0).all()


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("there", [(True, True, True), (False, False, False), (False, True, True)])
def test_block_there_and_back(triton_device, slope, there):
    """The block and what it says of ∂/∂z and ∂/∂bias, by the formulas written out; 0.9 stays 0.9 in float64."""
    sparse, dense = rows(triton_device)
    made = {"dtype": torch.float64, "device": triton_device}
    width, share, skip_share = 20, 0.9, 0.3
    before, after, h = torch.randn(20, 1, **made), torch.randn(24, 1, **made), torch.randn(20, width, **made)
    some = torch.randn(24, width, **made), torch.randn(width, **made), torch.randn(24, width, **made)
    root, bias, skip = (value if present else None for value, present in zip(some, there, strict=True))
    y, mask = torch.full((24, width), torch.nan, **made), torch.zeros(24, width, dtype=torch.bool, device=triton_device)
    numbers = torch.tensor([slope, share, skip_share], **made)
    block_forward(sparse, Scaling(before, after), h, (root, bias, skip), numbers, y, mask)
    z = after * (dense @ (before * h)) + (0 if root is None else root) + (0 if bias is None else bias)
    expected = share * torch.where(z > 0, z, slope * z) + (0 if skip is None else skip_share * skip)
    torch.testing.assert_close(y, expected, atol=1e-12, rtol=1e-12)
    assert torch.equal(mask, z > 0)

    dy, dz = torch.randn(24, width, **made), torch.full((24, width), torch.nan, **made)
    dbias = block_backward(dy, mask, numbers, dz)
    expected = share * torch.where(z > 0, dy, slope * dy)
    torch.testing.assert_close(dz, expected, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(dbias, expected.sum(0), atol=1e-12, rtol=1e-12)


def test_nothing_hides_a_nan(triton_device):
    """A NaN among the features comes out of the sum and of the ReLU; it is not taken for a negative number."""
    sparse, _ = rows(triton_device)
    h, y = torch.full((20, 4), torch.nan, device=triton_device), torch.zeros(24, 4, device=triton_device)
    numbers = torch.tensor([0.0, 1, 0], device=triton_device)
    block_forward(sparse, Scaling(None, None), h, (None, None, None), numbers, y, None)
    assert y[sparse.offsets.diff() > 0].isnan().all()


def test_nothing_to_sum(triton_device):
    """No rows, or rows without features, are no error: a launch of no programs would be one."""
    nothing = torch.zeros(1, dtype=torch.int32, device=triton_device)
    empty = torch.zeros(0, 4, device=triton_device)
    scaled_sum(Rows(nothing, nothing[:0], nothing[:0], 0), None, None, empty, empty)
    assert block_backward(empty, None, torch.ones(3, device=triton_device), empty).tolist() == [0, 0, 0, 0]
