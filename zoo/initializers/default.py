"""The initialisation that layers come with."""

from torch import Tensor

from zoo.graph_like import GraphLike, Norm
from zoo.initializers.base import Initializer


class Default(Initializer):
    """Leaves the weights as their layers drew them: by Glorot's uniform distribution in the zoo's own."""

    def fill(self, weight: Tensor, graph: GraphLike, *, fan_in: int, propagation: Norm | None) -> None:
        """Do nothing, and draw nothing."""
