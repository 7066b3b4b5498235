"""The initialisation that layers come with."""

from typing import Any

from torch import Tensor

from zoo.initializers.base import Initializer


class Default(Initializer):
    """Leaves the weights as their layers drew them: by Glorot's uniform distribution in the zoo's own."""

    def fill(self, weight: Tensor, graph: Any, *, fan_in: int, propagation: str | None) -> None:
        """Do nothing, and draw nothing."""
