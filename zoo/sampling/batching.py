"""Which examples are in which batch of an epoch, and which of them are this process's."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.engine.kernel import KernelName
from zoo.system.seeds import permutation


@dataclass(frozen=True)
class TaskSetting:
    """What a task is built in: the run's seed, the kernel of its graphs, and this process among those that train.

    rank, processes: each of several processes computes its share of every batch.
    """

    seed: int = 0
    kernel: KernelName = "auto"
    rank: int = 0
    processes: int = 1


@dataclass(frozen=True)
class Share:
    """A process's share of a batch.

    examples: int64, places among the training examples. weight: what the mean loss over them is multiplied with so that
    the mean over processes is the mean over the batch; 1 where there is one process. number: of the batch in the epoch.
    """

    examples: Tensor
    weight: float
    number: int


@dataclass(frozen=True)
class Batching:
    """Deals `count` examples into batches, in an order that the seed and the epoch alone decide.

    size: of a batch, over all processes; None takes all examples in one. Every example is in one batch of each epoch,
    and in the share of one process.
    """

    count: int
    size: int | None
    seed: int
    rank: int = 0
    processes: int = 1

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return 1 if self.size is None else math.ceil(self.count / self.size)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Share]:
        """The shares of an epoch, from batch `start` on."""
        size = self.count if self.size is None else self.size
        order = torch.arange(self.count) if self.size is None else permutation(self.count, self.seed, epoch)
        for number in range(start, self.steps):
            batch = order[number * size : (number + 1) * size]
            mine = batch[self.rank :: self.processes]
            yield Share(mine, len(mine) * self.processes / len(batch), number)
