"""The initialisation that layers come with."""

import torch

from zoo.initializers.base import Default


def test_it_changes_and_draws_nothing(graph):
    """Weights and random state stay as they are."""
    weight, state = torch.ones(3, 3), torch.get_rng_state()
    Default().fill(weight, graph, fan_in=3, propagation="both")
    assert torch.equal(weight, torch.ones(3, 3))
    assert torch.equal(torch.get_rng_state(), state)
    assert Default().chosen() is None
