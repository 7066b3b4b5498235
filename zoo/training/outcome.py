"""The progress of a network in training, its records, and its outcome."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict

import torch
from torch import Tensor, nn

from zoo.contracts import number
from zoo.layers.network import Network
from zoo.probes.base import Probe
from zoo.probes.diagnosis import Course, NonFinite
from zoo.probes.reading import Reading
from zoo.runs.record import Status
from zoo.system.private import foreach_copy_
from zoo.tasks.base import Part, Task

Row = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """The end of a training: test is the metric at the best validation, and nothing was chosen by it.

    course: its losses. final: the evidence, read after the last step; None where no probes were asked for it.
    cuda_graphs: what became of recording steps, see `CudaGraphs.summary`.
    """

    status: Status
    val: float
    test: float
    train: float
    best_epoch: int
    epochs: int
    steps: int
    seconds: float
    course: Course
    non_finite: NonFinite | None = None
    final: Reading | None = None
    cuda_graphs: str | None = None


class Measured(TypedDict):
    """A validation, as it stands in a line of metrics.jsonl; every number is of the step that it names."""

    epoch: int  # in which the step lies, counted from 1
    step: int  # how many were taken
    loss: float  # of that step, on the weights before it
    val: float  # on the weights after it
    best_val: float  # up to here
    lr: float  # that the step was taken with; of the first group, where an optimiser has several
    seconds: float  # of training, until this was known


class Watcher(Protocol):
    """Callbacks of a training: those of the run folder, a progress bar, a list in a notebook."""

    def measured(self, row: Measured) -> None:
        """Called after every validation."""
        ...

    def probed(self, row: Row) -> None:
        """Called after every measured step with step and epoch, counted from 1, and what the probes read in it."""
        ...


class Best:
    """The best validation so far, and the weights that gave it: None before the first."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.step = 0
        self.val = math.nan
        self.weights: dict[str, Tensor] | None = None

    def take(self, step: int, val: float) -> bool:
        """Note a validation if it is better, and return whether it is; one that is not a number never is."""
        better = not math.isnan(val) and (math.isnan(self.val) or self.task.better(val, self.val))
        if better:
            self.step, self.val = step, val
        return better

    @torch.no_grad()
    def copy_weights(self, network: nn.Module) -> None:
        """Copy the network's state, over that of the last time: new memory costs ten times as much."""
        state = network.state_dict()
        if self.weights is None or _layout(self.weights) != _layout(state):
            self.weights = copy.deepcopy(state)
        else:
            foreach_copy_(list(self.weights.values()), list(state.values()))

    def restore(self, network: nn.Module) -> bool:
        """Put the best weights back, and return whether there are any."""
        if self.weights is not None:
            network.load_state_dict(self.weights)
        return self.weights is not None

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` takes; the weights are those held, not a copy."""
        return {"step": self.step, "val": self.val, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set all to a copy of what `state_dict` returned."""
        self.step, self.val, self.weights = state["step"], state["val"], copy.deepcopy(state["weights"])


class Progress:
    """One network in training: its best validation, the course of its losses, and who watches it.

    evidence: probes that are read once more after its last step. outcome: how its training ended, once it did.
    """

    def __init__(
        self, network: Network, task: Task, watchers: Sequence[Watcher] = (), evidence: Sequence[Probe] = ()
    ) -> None:
        self.network, self.task, self.watchers, self.evidence = network, task, watchers, evidence
        self.best, self.course = Best(task), Course()
        self.outcome: Outcome | None = None

    def epoch(self, step: int) -> int:
        """Return the epoch in which a step lies, both counted from 1."""
        return math.ceil(step / self.task.steps_per_epoch)

    def validated(self, step: int, loss: float, val: float, lr: float, seconds: float) -> bool:
        """Record a validation for all who watch, and return whether it is the best so far."""
        better = self.best.take(step, val)
        epoch = self.epoch(step)
        self.course.take(epoch, loss, val, best=better)
        row = Measured(
            epoch=epoch, step=step, loss=loss, val=val, best_val=self.best.val, lr=lr, seconds=round(seconds, 3)
        )
        for watcher in self.watchers:
            watcher.measured(row)
        return better

    def scores(self, model: nn.Module, *parts: Part) -> list[float]:
        """The metric of some parts, from the network or a stand-in with its outputs."""
        score = self.task.scores(model)
        return [number("task", self.task, score(part), "its score") for part in parts]

    def probed(self, step: int, reading: Reading) -> None:
        """Record what was read in a step."""
        for watcher in self.watchers:
            watcher.probed({"step": step, "epoch": self.epoch(step), **reading.plain()})


def _layout(state: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The names, shapes, types and devices of a state's tensors; what else a state has is never equal to anything."""
    return [
        (name, value.shape, value.dtype, value.device) if isinstance(value, Tensor) else (name, object())
        for name, value in state.items()
    ]
