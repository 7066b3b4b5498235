"""What modules declare: read off their own classes, and never guessed."""

from typing import Any

import pytest
import torch
from torch import nn

import zoo
from zoo.layers.gcn import GCNConv
from zoo.normalizers import WeightNormalizer
from zoo.training.declared import undeclared, unrecordable

SMALL = {"model.depth": 2, "probes": "none"}


def network(overrides=None):
    return zoo.build("smoke/res-gcn", {**SMALL, **(overrides or {})}).network


@pytest.mark.parametrize(
    ("overrides", "who"),
    [
        ({}, None),
        ({"normalizer": ["frobenius", "pair"]}, None),
        ({"normalizer": "spectral"}, None),
        ({"normalizer": ["layer", "group", "instance"]}, None),
        ({"model.name": "res-gat"}, None),
        ({"model.name": "jknet", "model.residual": {"name": "jumping", "merge": "lstm"}}, None),
        ({"model": {"name": "gcnii", "depth": 2, "dropout": 0.0}}, None),
        ({"model": {"name": "rev-gnn", "depth": 2}}, None),
        ({"regularizer": "orthogonality"}, None),
        ({"model.dropout": 0.5}, "Dropout"),
        ({"model": {"name": "gcnii", "depth": 2}}, "Dropout"),
        ({"model": {"name": "res-gat", "depth": 2, "conv": {"name": "gat", "attention_dropout": 0.1}}}, "GATConv"),
        ({"model": {"name": "res-gin", "depth": 2, "conv": {"name": "gin", "batch_norm": True}}}, "RowBatchNorm"),
        ({"normalizer": "batch"}, "BatchNorm"),
        ({"normalizer": {"name": "spectral", "method": "power"}}, "Spectral"),
        ({"regularizer": "drop-edge"}, "DropEdge"),
        ({"model": {"name": "stack", "depth": 2, "conv": "dgl.nn.GraphConv", "residual": "add"}}, "DGLConv"),
    ],
)
def test_who_computes_something_else_in_training(overrides, who):
    """The zoo's modules are the same in training, but for those that draw or keep statistics, and DGL's do not say."""
    found = undeclared(network(overrides), "same_in_training")
    assert found is None if who is None else found is not None and who in found


@pytest.mark.parametrize(
    ("overrides", "who"),
    [
        ({"model.dropout": 0.5, "normalizer": ["batch", {"name": "spectral", "method": "power"}]}, None),
        ({"regularizer": "drop-edge"}, "DropEdge (regularizers.0)"),
        ({"regularizer": "skip-node"}, "does not declare that it is recordable"),
        ({"model": {"name": "rev-gnn", "depth": 2}}, "ReversibleBlock"),
        ({"model": {"name": "stack", "depth": 2, "conv": "dgl.nn.GraphConv", "residual": "add"}}, "DGLConv"),
        ({"task": {"name": "nodes", "sampler": {"name": "cluster", "parts": 2}}}, "not all steps are of the same"),
    ],
)
def test_which_steps_a_gpu_may_repeat(overrides, who):
    """Dropout and statistics can be recorded; what the host makes anew in each step, or does not declare, cannot."""
    built = zoo.build("smoke/res-gcn", {**SMALL, **overrides})
    found = unrecordable(built.network, built.task, built.optimizer)
    assert found is None if who is None else found is not None and who in found


def test_an_optimizer_of_somebody_else_is_not_recorded():
    """A step may hold Python of its own, such as a count: PyTorch's optimisers are known, others are not."""

    class Mine(torch.optim.Adam):
        pass

    built = zoo.build("smoke/res-gcn", SMALL)
    reason = unrecordable(built.network, built.task, Mine(built.network.parameters()))
    assert reason is not None and "Mine" in reason


def test_a_subclass_has_to_say_it_anew():
    """Who overrides what the zoo promised for does not inherit the promise; who makes it is believed."""

    class Noisy(GCNConv):
        def forward(self, graph, x):
            return super().forward(graph, x) + torch.randn(())

    class Careful(GCNConv):
        same_in_training = True

    class Optional(GCNConv):
        level = 0.0

        @property
        def same_in_training(self):
            return self.level == 0

    assert undeclared(GCNConv(2, 2), "same_in_training") is None
    assert undeclared(Noisy(2, 2), "same_in_training") == "Noisy (the network)"
    assert undeclared(Careful(2, 2), "same_in_training") is None
    conv = Optional(2, 2)
    assert undeclared(conv, "same_in_training") is None
    conv.level = 0.1
    assert undeclared(conv, "same_in_training") is not None


def test_a_plug_in_normaliser_is_asked():
    """Weight normalisers act within the forward pass, and are modules like any other."""

    class Mine(WeightNormalizer):
        def normalize(self, weight):
            return weight

    class Declared(Mine):
        same_in_training = True

    assert undeclared(nn.ModuleList([Mine()]), "same_in_training") == "Mine (0)"
    assert undeclared(nn.ModuleList([Declared()]), "same_in_training") is None


@pytest.mark.parametrize(
    ("module", "same", "recordable"),
    [
        (nn.Dropout(0.0), True, True),
        (nn.Dropout(0.1), False, True),
        (nn.BatchNorm1d(2), False, True),
        (nn.BatchNorm1d(2, track_running_stats=False), True, True),
        (nn.RReLU(), False, False),
        (nn.AlphaDropout(0.0), False, False),
        (nn.LSTM(2, 2, num_layers=2, dropout=0.5), False, True),
        (nn.Embedding(2, 2, max_norm=1.0), False, False),
        (nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), False, False),
    ],
)
def test_of_pytorchs_modules_a_few_are_known(module, same, recordable):
    """By their options; others, and those whose class somebody changed, are not."""
    assert (undeclared(module, "same_in_training") is None) is same
    assert (undeclared(module, "recordable") is None) is recordable


def test_who_is_hooked_into_or_patched_is_not_believed():
    """Hooks of one module or of all, and a forward of one object's own, may change what training computes."""
    made: Any = network()
    before = made.blocks[0].conv.register_forward_pre_hook(lambda *_: None)
    assert undeclared(made, "same_in_training") == "GCNConv (blocks.0.conv)"
    before.remove()
    everywhere = nn.modules.module.register_module_forward_hook(lambda *_: None)
    assert undeclared(made, "same_in_training") == "a hook on every module there is"
    everywhere.remove()
    assert undeclared(made, "same_in_training") is None
    made.head.forward = lambda x: x
    assert undeclared(made, "recordable") == "Sequential (head)"
