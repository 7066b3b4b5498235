"""Which blocks have values that are not finite."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from zoo.probes.finite import Finite
from zoo.probes.tap import Tap


class Chain(nn.Module):
    """Four blocks; what the second one gets may be spoilt, or the gradient that it passes on; the first be detached."""

    def __init__(self, output: float = 1.0, gradient: float = 1.0, *, detached: bool = False) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(3, 3) for _ in range(4))
        self.output, self.gradient, self.detached = output, gradient, detached

    def forward(self, x):
        for index, block in enumerate(self.blocks):
            if index == 1:
                x = (x.detach() if self.detached else x) * self.output
            x = block(x)
            if index == 1:
                x = x.clone()
                x.register_hook(lambda gradient: gradient * self.gradient)
        return x


def read(network: nn.Module) -> dict[str, list[float]]:
    with Tap(network, [Finite(of="gradients"), Finite(of="representations")]) as tap:
        network(torch.ones(5, 3)).sum().backward()
    return {name: np.asarray(value).tolist() for name, value in tap.read().items()}


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_overflow_is_told_from_a_gradient_that_never_came(bad):
    """0 from the block where it begins on, in its direction; NaN where nothing was measured; 1 elsewhere."""
    assert read(Chain())["gradients.finite"] == [1, 1, 1, 1]
    assert read(Chain(gradient=bad))["gradients.finite"] == [0, 0, 1, 1]
    assert read(Chain(gradient=bad))["representations.finite"] == [1, 1, 1, 1]
    assert read(Chain(output=bad))["representations.finite"] == [1, 0, 0, 0]
    found = read(Chain(detached=True))["gradients.finite"]
    assert found[1:] == [1, 1, 1] and math.isnan(found[0])
