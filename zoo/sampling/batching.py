"""Batches of an epoch, the share of them that this process computes, and worker processes that make them."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from zoo.engine.kernel import KernelName
from zoo.system.private import end_workers
from zoo.system.seeds import permutation

Item = TypeVar("Item")
Made = TypeVar("Made")


@dataclass(frozen=True)
class TaskSetting:
    """The surroundings of a task: the run's seed, the kernel of its graphs, and this process among those that train.

    rank, processes: each of several processes computes its share of every batch.
    """

    seed: int = 0
    kernel: KernelName = "auto"
    rank: int = 0
    processes: int = 1

    def batching(self, count: int, size: int | None) -> "Batching":
        """Return how `count` examples are dealt to this process in batches of `size`; None takes all in one."""
        return Batching(count, size, self.seed, self.rank, self.processes)


@dataclass(frozen=True)
class Share:
    """A process's share of a batch.

    examples: int64, places among the training examples. weight: factor of the mean loss over them, with which the mean
    over processes is the mean over the batch; 1 where there is one process. number: of the batch in the epoch.
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
        """Yield the shares of an epoch, from batch `start` on."""
        size = self.count if self.size is None else self.size
        order = torch.arange(self.count) if self.size is None else permutation(self.count, self.seed, epoch)
        for number in range(start, self.steps):
            batch = order[number * size : (number + 1) * size]
            mine = batch[self.rank :: self.processes]
            yield Share(mine, len(mine) * self.processes / len(batch), number)


def made(make: Callable[[Item], Made], items: Sequence[Item], workers: int) -> Iterator[Made]:
    """Yield make(item) of each item, in order; made ahead in so many processes, which end with the iterator.

    make: has to seed itself by what the item says, as it may run anywhere; what it returns is best made of NumPy
    arrays, which cross over by value and use up neither file descriptors nor shared memory. Draws no random numbers.
    The first item is made here, so that a look at it alone starts no process.
    """
    if not workers:
        yield from map(make, items)
        return
    from torch.utils.data import DataLoader  # needed by few

    for item in items[:1]:
        yield make(item)
    if len(items) > 1:
        own = torch.Generator()  # a loader draws a seed for its workers, by default from the generator of all others
        loader: Any = DataLoader  # an item is no list of examples, as its types have it
        batches = iter(loader(items[1:], batch_size=None, num_workers=workers, collate_fn=make, generator=own))
        try:
            yield from batches
        finally:
            end_workers(batches)  # else it waits for the collector of garbage when a worker has failed
