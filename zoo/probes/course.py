"""A training by its losses and validations, as far as the verdict on it needs them."""

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Course:
    """What was largest, what was last, and what was there at the best validation.

    peak_loss, peak_epoch: the largest recorded training loss. best_loss: that at the best validation. last_val: the
    metric of the last validation.
    """

    peak_loss: float = -math.inf
    peak_epoch: int = 0
    best_loss: float = math.nan
    last_val: float = math.nan

    def take(self, epoch: int, loss: float, val: float, *, best: bool) -> None:
        """Note a validation. best: whether none was better."""
        if loss > self.peak_loss:
            self.peak_loss, self.peak_epoch = loss, epoch
        if best:
            self.best_loss = loss
        self.last_val = val

    def state_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)
