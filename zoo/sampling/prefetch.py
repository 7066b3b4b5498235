"""Making samples in worker processes, with the same outcome as without."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from zoo.system.private import end_workers

T = TypeVar("T")


class _Made(Dataset[Any]):
    def __init__(self, make: Callable[[Any], Any], items: Sequence[Any]) -> None:
        self.make, self.items = make, items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.make(self.items[index])


def made(make: Callable[[Any], T], items: Sequence[Any], workers: int) -> Iterator[T]:
    """make(item) of each item, in order; ahead of time in so many processes, which end with the iterator.

    make: has to seed itself by what the item says, as it may run anywhere; what it returns is best made of NumPy
    arrays, which cross over by value and use up neither file descriptors nor shared memory. Draws no random numbers.

    The first item is made here, so that a look at it alone starts no process.
    """
    if not workers:
        yield from map(make, items)
        return
    for item in items[:1]:
        yield make(item)
    if len(items) > 1:
        own = torch.Generator()  # a loader draws a seed for its workers, by default from the generator of all others
        rest = _Made(make, items[1:])
        batches: Any = iter(DataLoader(rest, batch_size=None, num_workers=workers, collate_fn=_itself, generator=own))
        try:
            yield from batches
        finally:
            end_workers(batches)  # else it waits for the collector of garbage when a worker has failed


def _itself(made: Any) -> Any:
    return made
