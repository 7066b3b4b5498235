"""Training and evaluation, told to all modules."""

from typing import Any

import pytest
import torch
from torch import nn

from zoo.layers.modes import set_training


class Frozen(nn.BatchNorm1d):
    """Stays in evaluation, whatever it is told."""

    def train(self, mode: bool = True):
        """Tell the parts, and stay."""
        return super().train(False)


def test_all_modules_hear_it():
    """Modules at any depth, and places without a module, are as after `nn.Module.train`."""
    network = nn.Sequential(nn.Dropout(), nn.ModuleList([nn.Sequential(nn.Linear(1, 1), nn.Dropout())]))
    network[1].register_module("nothing", None)
    for mode in (False, True):
        set_training(network, mode)
        assert all(module.training is mode for module in network.modules())


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_modules_with_a_mind_of_their_own_keep_it():
    """A class that overrides `train`, and a scripted module, are called instead of written to."""
    traced: Any = torch.jit.trace(nn.Dropout().eval(), torch.ones(1))
    network = nn.Sequential(Frozen(2), traced, nn.Dropout())
    set_training(network, True)
    assert [module.training for module in network] == [False, True, True]
    set_training(network, False)
    assert [module.training for module in network] == [False, False, False]
