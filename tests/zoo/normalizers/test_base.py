"""The normaliser that does nothing."""

import torch

from zoo.normalizers.base import NoNormalizer


def test_returns_its_input() -> None:
    """The very same tensor comes back, without a copy, and there is no state."""
    weight = torch.randn(2, 3)
    normalizer = NoNormalizer()
    assert normalizer(weight) is weight
    assert not normalizer.state_dict()
