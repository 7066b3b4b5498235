"""Which probes are due at which step."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from zoo.probes.base import Probe
from zoo.probes.tap import Tap


@dataclass(frozen=True)
class Scheduled:
    """Probes with their schedule in steps, counted from 1: the first step from `start` on, then every `every`."""

    probes: tuple[Probe, ...]
    every: int
    start: int = 1
    stop: int | None = None
    precision: torch.dtype = torch.float32

    def due(self, step: int, total: int) -> bool:
        """Whether the probes are due: at `start`, at each multiple of `every` from there on, and at the last step."""
        if step < self.start or (self.stop is not None and step > self.stop):
            return False
        return step == self.start or step % self.every == 0 or step == total


class Plan:
    """The probes of a run. `total`: the last step there can be."""

    def __init__(self, network: nn.Module, scheduled: Sequence[Scheduled], total: int) -> None:
        self._network = network
        self.scheduled = tuple(scheduled)
        self.total = total

    def tap(self, step: int) -> Tap:
        """The tap for a step; one without probes where none is due."""
        due = [item for item in self.scheduled if item.due(step, self.total)]
        probes = [probe for item in due for probe in item.probes]
        wide = any(item.precision == torch.float64 for item in due)
        return Tap(self._network, probes, precision=torch.float64 if wide else torch.float32)
