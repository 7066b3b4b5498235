"""What is differentiated in a training step."""

from torch import Tensor, nn

from zoo.layers.network import Network
from zoo.tasks.base import Batch, Task


def training_loss(network: nn.Module, task: Task, batch: Batch) -> Tensor:
    """The task's loss on a batch, plus the penalty of the network's blocks and regularisers where there is one."""
    loss = task.loss(network, batch)
    penalty = network.penalty() if isinstance(network, Network) else None
    return loss if penalty is None else loss + penalty
