"""Dropout that knows of features which are zero nearly everywhere."""

from torch import Tensor, nn

from zoo.engine.sparse_input import dropout


class Dropout(nn.Dropout):
    """`nn.Dropout`; of a data set's features that are zero nearly everywhere it draws for the others alone.

    What it gives has the same distribution, and takes as many random numbers as there are features other than zero.
    """

    recordable = True

    @property
    def same_in_training(self) -> bool:
        """Whether nothing is dropped."""
        return self.p == 0

    def forward(self, input: Tensor) -> Tensor:
        """Drop each entry with probability p while training, and scale the others by 1/(1 - p)."""
        if self.p == 0:  # what PyTorch returns, too, after a while
            return input
        return dropout(input, self.p) if self.training and not self.inplace else super().forward(input)
