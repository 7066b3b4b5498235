"""Residual connections of a block, and readouts of all blocks for the head."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from zoo.engine.affine import finished
from zoo.engine.kernel import Epilogue
from zoo.errors import BuildError
from zoo.layers.linear import Linear
from zoo.recipe.fields import Count, Share


class Residual(nn.Module, ABC):
    """Joins a block's update with what went before it.

    `collects` says that `readout` wants the output of every block, else it gets the last one only; `reads_first`, that
    it wants X_0, the encoder's output, before them.
    """

    collects: ClassVar[bool] = False
    reads_first: ClassVar[bool] = False

    @abstractmethod
    def forward(self, x: Tensor, update: Tensor, first: Tensor | None) -> Tensor:
        """Return the block's output; x: its input, update: f(x), first: X_0."""

    def build_readout(self, width: int, blocks: int) -> None:
        """Make the parameters that a readout of so many blocks needs; called once, on the network's readout alone."""

    def readout(self, outputs: Sequence[Tensor]) -> Tensor:
        """Return what the head reads, [nodes, readout_width]. The default is the last block's output."""
        return outputs[-1]

    def readout_width(self, width: int, blocks: int) -> int:
        """Return the width of the readout of so many blocks of that width."""
        return width


class LinearSkip(Residual):
    """A residual connection share·f(x) + skip_share·skip, which a block can run as one with its convolution.

    chainable_shares: `shares`, if it skips the block's input or nothing, so that several blocks can be run as one.
    """

    chainable_shares: ClassVar[Callable[..., tuple[float, float, Tensor | None]] | None] = None

    @abstractmethod
    def shares(self, x: Tensor, first: Tensor | None) -> tuple[float, float, Tensor | None]:
        """Return share, skip_share and skip; the latter None where there is none. Arguments as of `forward`."""

    def forward(self, x: Tensor, update: Tensor, first: Tensor | None) -> Tensor:
        """Return share·f(x) + skip_share·skip."""
        share, skip_share, skip = self.shares(x, first)
        return finished(update, skip, Epilogue(share=share, skip_share=skip_share))

    fusable_forward = forward


class NoSkip(LinearSkip):
    """No residual connection: X_{l+1} = f(X_l)."""

    same_in_training = True

    def shares(self, x: Tensor, first: Tensor | None) -> tuple[float, float, Tensor | None]:
        """Return all of f(x)."""
        return 1.0, 0.0, None

    chainable_shares = shares


class AddSkip(LinearSkip):
    """Residual connection X_{l+1} = X_l + f(X_l) (He et al., CVPR 2016, eq. 1)."""

    same_in_training = True

    def shares(self, x: Tensor, first: Tensor | None) -> tuple[float, float, Tensor | None]:
        """Return all of f(x) and of x."""
        return 1.0, 1.0, x

    chainable_shares = shares


class InitialSkip(LinearSkip):
    """Initial residual X_{l+1} = (1−α) f(X_l) + α X_0 (Chen et al., ICML 2020, eq. 5, without its identity mapping).

    alpha: the share of X_0.
    """

    same_in_training = True

    def __init__(self, *, alpha: Share = 0.1) -> None:
        super().__init__()
        self.alpha = alpha

    def shares(self, x: Tensor, first: Tensor | None) -> tuple[float, float, Tensor | None]:
        """Return 1−α of f(x), α of X_0."""
        assert first is not None, "the network hands X_0 to every block with a residual"
        return 1 - self.alpha, self.alpha, first


class JumpingKnowledge(Residual):
    """Jumping knowledge: blocks have no skip, and the head reads all of them (Xu et al., ICML 2018, §5.1).

    merge: "concat" (the head's input is blocks × width wide), elementwise "max" or "mean" over the blocks, or "lstm":
    a bidirectional LSTM runs over the blocks of each node, a linear map scores its states s_l, and the readout is
    Σ_l softmax(s)_l X_l.
    lstm_width: of the LSTM in each direction; None is the blocks' width. The paper does not state its own.

    Raises: BuildError for an lstm_width without merge lstm.
    """

    same_in_training = True
    collects = True

    def __init__(
        self, *, merge: Literal["concat", "max", "mean", "lstm"] = "concat", lstm_width: Count | None = None
    ) -> None:
        super().__init__()
        if lstm_width is not None and merge != "lstm":
            raise BuildError(
                f"model.residual.lstm_width — merge {merge!r} has no LSTM — expected no lstm_width, or merge=lstm"
            )
        self.merge: Literal["concat", "max", "mean", "lstm"] = merge
        self.lstm_width = lstm_width
        self.lstm: nn.LSTM | None = None
        self.score: Linear | None = None

    def forward(self, x: Tensor, update: Tensor, first: Tensor | None) -> Tensor:
        """Return f(x)."""
        return update

    def build_readout(self, width: int, blocks: int) -> None:
        """Make the LSTM, where there is one."""
        if self.merge == "lstm":
            hidden = width if self.lstm_width is None else self.lstm_width
            self.lstm = nn.LSTM(width, hidden, bidirectional=True)
            self.score = Linear(2 * hidden, 1)

    def readout(self, outputs: Sequence[Tensor]) -> Tensor:
        """Merge the outputs of all blocks."""
        if self.merge == "concat":
            return torch.cat(list(outputs), dim=1)
        stacked = torch.stack(list(outputs))
        if self.merge == "lstm":
            assert self.lstm is not None and self.score is not None, "the model calls build_readout"
            states, _ = self.lstm(stacked)  # the blocks are the LSTM's time
            scores = self.score(states.flatten(0, 1)).view(*stacked.shape[:2], 1)
            return (scores.softmax(dim=0) * stacked).sum(dim=0)
        return stacked.amax(0) if self.merge == "max" else stacked.mean(0)

    def readout_width(self, width: int, blocks: int) -> int:
        """Return blocks × width for concat, else width."""
        return width * blocks if self.merge == "concat" else width


class AdaptiveReadout(Residual):
    """Σ_l sigmoid(X_l s + b) X_l over l = 0 … L, X_0 the encoder's output (Liu et al., KDD 2020: adaptive adjustment).

    Each node weighs the sizes of neighbourhood by itself; s is [width, 1]. Blocks have no skip.
    """

    same_in_training = True
    collects = True
    reads_first = True

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = Linear(width, 1)

    def forward(self, x: Tensor, update: Tensor, first: Tensor | None) -> Tensor:
        """Return the update."""
        return update

    def readout(self, outputs: Sequence[Tensor]) -> Tensor:
        """Weigh X_0 and the outputs of all blocks, [nodes, width] each, and add them up."""
        stacked = torch.stack(list(outputs))
        return (torch.sigmoid(self.gate(stacked.flatten(0, 1))).view(*stacked.shape[:2], 1) * stacked).sum(dim=0)
