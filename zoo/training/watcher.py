"""Who sees a training pass by."""

from typing import Any, Protocol

from zoo.training.state import State

Row = dict[str, Any]


class Watcher(Protocol):
    """Sees a run pass by: the run folder, a progress bar, a list in a notebook."""

    def measured(self, row: Row) -> None:
        """Called after every validation with epoch, step, loss, val, best_val, lr and seconds."""
        ...

    def probed(self, row: Row) -> None:
        """Called after every measured step with step, epoch and what the probes read."""
        ...


class Saver(Protocol):
    """Keeps the state that a training can go on from."""

    def save(self, state: State) -> None:
        """Called when a state is due (see `zoo.training.saving`), and before a training is left for a signal."""
        ...
