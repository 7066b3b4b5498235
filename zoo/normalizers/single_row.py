"""Batch normalisation that takes a single row, as a last batch may have."""

from torch import Tensor, nn
from torch.nn import functional as F


class RowBatchNorm(nn.BatchNorm1d):
    """PyTorch's, but for one row in training, which has no variance and is refused there.

    It is normalised by the running statistics, as in evaluation, and leaves them as they are.
    """

    recordable = True

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised rows; both are [rows, channels]."""
        if self.training and len(input) == 1:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(input)
