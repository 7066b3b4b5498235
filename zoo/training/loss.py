"""What is differentiated in a training step."""

import torch
from torch import Tensor, nn

from zoo.contracts import scalar
from zoo.layers.network import Network
from zoo.tasks.base import Batch, Task


def training_loss(network: nn.Module, task: Task, batch: Batch) -> Tensor:
    """The task's loss on a batch, plus the penalty of the network's blocks and regularisers where there is one."""
    loss = scalar("task", task, task.loss(network, batch), "its loss")
    with torch.autocast(loss.device.type, enabled=False):  # the distance of products that are nearly equal
        penalty = network.penalty() if isinstance(network, Network) else None
    return loss if penalty is None else loss + penalty


class TrainingLoss(nn.Module):
    """`training_loss` of a network and a task, as a module: what is made parallel as a whole."""

    def __init__(self, network: nn.Module, task: Task) -> None:
        super().__init__()
        self.network = network
        self.task = task

    def forward(self, batch: Batch) -> Tensor:
        """The loss of a batch, a scalar."""
        return training_loss(self.network, self.task, batch)
