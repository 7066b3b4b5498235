import pytest
import torch

from zoo.normalizers.single_row import RowBatchNorm


@pytest.mark.parametrize("affine", [True, False])
def test_one_row_is_normalised_by_what_was_seen(affine):
    """A single row is normalised in training as in eval, moves no running statistic, and has a gradient."""
    norm = RowBatchNorm(8, affine=affine)
    norm(3 * torch.randn(20, 8) + 1)
    before = [buffer.clone() for buffer in norm.buffers()]
    row = torch.randn(1, 8, requires_grad=True)
    found = norm(row)
    found.square().sum().backward()
    assert all(map(torch.equal, before, norm.buffers()))
    assert norm.running_mean is not None and norm.running_var is not None
    torch.testing.assert_close(found, (row - norm.running_mean) / (norm.running_var + norm.eps).sqrt())
    assert torch.equal(found, norm.eval()(row))
    assert row.grad is not None and row.grad.isfinite().all()


def test_several_rows_are_as_in_pytorch():
    """Of two rows and more, values and running statistics are those of PyTorch's class, to the last bit."""
    ours, theirs = RowBatchNorm(8), torch.nn.BatchNorm1d(8)
    for rows in (2, 7):
        x = torch.randn(rows, 8)
        assert torch.equal(ours(x), theirs(x))
    assert all(map(torch.equal, ours.buffers(), theirs.buffers()))
