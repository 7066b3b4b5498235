"""How a training ended."""

from dataclasses import dataclass
from typing import Literal

from zoo.probes.diagnosis import Course, NonFinite
from zoo.probes.reading import Reading

Status = Literal["finished", "stopped early", "non-finite"]


@dataclass(frozen=True)
class Outcome:
    """How a training ended: test is the metric at the best validation, and nothing was chosen by it.

    course: its losses. final: the evidence, read after the last step; None where no probes were asked for it.
    cuda_graphs: what became of recording steps, see `CudaGraphs.said`.
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
