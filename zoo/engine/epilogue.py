"""What a block does with what its convolution propagated."""

from typing import NamedTuple


class Epilogue(NamedTuple):
    """share·act(z) + skip_share·skip, with act(z) = z where z > 0, else slope·z: 0 is ReLU, 1 the identity."""

    slope: float = 1.0
    share: float = 1.0
    skip_share: float = 0.0
