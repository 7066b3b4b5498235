"""Who sees a training pass by."""

from typing import Any, Protocol, TypedDict

from zoo.training.saving import State

Row = dict[str, Any]


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
    """Sees a run pass by: the run folder, a progress bar, a list in a notebook."""

    def measured(self, row: Measured) -> None:
        """Called after every validation."""
        ...

    def probed(self, row: Row) -> None:
        """Called after every measured step with step and epoch, counted from 1, and what the probes read in it."""
        ...


class Saver(Protocol):
    """Keeps the state that a training can go on from."""

    def save(self, state: State) -> None:
        """Called when a state is due (see `zoo.training.saving`), and before a training is left for a signal."""
        ...
