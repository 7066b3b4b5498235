"""What takes part in a comparison: something that trains epoch by epoch."""

from abc import ABC, abstractmethod
from typing import ClassVar


class Contestant(ABC):
    """Trains one epoch when asked. losses, vals: training loss and validation accuracy of the epochs so far.

    checked: whether it learns something, so that its curve can be held against that of the others.
    """

    checked: ClassVar[bool] = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.losses: list[float] = []
        self.vals: list[float] = []

    @abstractmethod
    def epoch(self) -> float:
        """Train one epoch, validation included; the seconds that it took."""

    def rest(self) -> None:  # noqa: B027 - most keep nothing
        """Give back memory that is kept between epochs to be used again."""

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Let go of what it holds."""
