"""The loss of a training step: the task's, and what regularisation adds."""

from typing import Any

import torch
from torch import nn

import zoo
from zoo.training.loss import training_loss


def test_penalties_are_added_and_trained_on(tmp_path):
    """Loss and gradients are those of both terms; a module without penalties has its task's loss."""
    built = zoo.build("smoke/res-gcn", {"normalizer": "none", "regularizer": {"name": "orthogonality", "weight": 0.1}})
    network, batch = built.network.double().train(), next(built.task.batches(0))
    task: Any = built.task
    task.features = task.features.double()
    loss = training_loss(network, built.task, batch)
    gram = [w.T @ w - torch.eye(w.shape[1], dtype=torch.float64) for w in network.block_matrices().values()]
    expected = built.task.loss(network, batch) + 0.1 * sum(g.square().sum() for g in gram)
    torch.testing.assert_close(loss, expected.to(loss.dtype), rtol=1e-6, atol=0)
    parameters = list(network.block_matrices().values())
    for mine, other in zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters), strict=True
    ):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-8)

    class Stub:
        def loss(self, network, batch):
            return torch.tensor(2.0)

    assert training_loss(nn.Identity(), Stub(), None) == 2  # pyright: ignore[reportArgumentType]


def test_penalties_are_computed_in_float32_under_autocast():
    """The distance of near-orthogonal matrices is lost in bfloat16: a penalty is that without autocast."""
    built = zoo.build("smoke/res-gcn", {"normalizer": "none", "regularizer": {"name": "orthogonality", "weight": 1.0}})
    network, batch = built.network.train(), next(built.task.batches(0))
    with torch.autocast("cpu", torch.bfloat16):
        loss, own = training_loss(network, built.task, batch), built.task.loss(network, batch)
    expected = network.penalty()
    assert expected is not None
    torch.testing.assert_close(loss - own, expected, rtol=1e-5, atol=1e-5)


def test_a_trained_penalty_falls(tmp_path):
    """With a heavy weight the matrices end nearer to orthogonal ones than they started."""
    changes = {"normalizer": "none", "training.duration": "20 epochs", "training.patience": None}
    penalty = {"regularizer": {"name": "orthogonality", "weight": 1.0}}
    run = zoo.train("smoke/res-gcn", {**changes, **penalty}, runs=tmp_path)
    assert run.metrics["loss"].iloc[-1] < 0.5 * run.metrics["loss"].iloc[0]
