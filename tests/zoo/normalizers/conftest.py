"""What the tests of weight normalisers share: a training loop that strains a bound."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from zoo.normalizers import WeightNormalizer


@pytest.fixture(autouse=True)
def seed() -> None:
    """Every test draws the same random numbers, alone or in company."""
    torch.manual_seed(0)


@pytest.fixture
def adam_steps() -> Callable[[WeightNormalizer], Tensor]:
    """Train 4 matrices of 64×64 under a normaliser and return the weights that a forward pass would use.

    100 Adam steps at 0.005, in the normaliser's mode, towards targets far outside the ball. A full-rank target makes
    the large singular values crowd, which is the hard case for an estimated spectral norm.
    """

    def train(normalizer: WeightNormalizer) -> Tensor:
        generator = torch.Generator().manual_seed(1)
        weight = torch.nn.Parameter(torch.randn(4, 64, 64, generator=generator) / 8)
        target = torch.randn(4, 64, 64, generator=generator) / 8
        x = torch.randn(4, 128, 64, generator=generator)
        project = normalizer.mode == "project"
        normalizer.warm_up(weight)
        if project:
            weight.data.copy_(normalizer(weight.detach()))
        optimizer = torch.optim.Adam([weight], lr=0.005)
        for _ in range(100):
            optimizer.zero_grad()
            used = weight if project else normalizer(weight)
            (x @ (used - target)).square().mean().backward()
            optimizer.step()
            if project:
                weight.data.copy_(normalizer(weight.detach()))
        return weight.detach() if project else normalizer(weight).detach()

    return train
