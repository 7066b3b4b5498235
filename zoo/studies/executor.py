"""The interface of what trains the runs of a study, several at a time."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from zoo.studies.job import Job, JobResult


class Executor(ABC):
    """Takes as many jobs at once as it has slots, and tells how each ended.

    `why` explains the number of slots. A job whose process dies ends as `died`, and the executor goes on.
    """

    slots: int
    why: str

    @abstractmethod
    def start(self, job: Job) -> None:
        """Begin a job; called only while fewer than `slots` are under way."""

    @abstractmethod
    def wait(self, seconds: float) -> Sequence[tuple[Job, JobResult]]:
        """The jobs that have ended since the last call; returns after `seconds` at the latest, maybe with none."""

    @abstractmethod
    def close(self) -> None:
        """Stop everything. Runs that are broken off keep the state that they saved last, maybe of this moment."""
