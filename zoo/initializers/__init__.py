"""Initialisers: how the weight matrices of a network's blocks are drawn.

A new one is a subclass with one method:

    from registry import initializers
    from zoo.initializers import Initializer

    @initializers.register("mine")
    class Mine(Initializer):
        \"\"\"Orthogonal matrices.\"\"\"

        def fill(self, weight, graph, *, fan_in, propagation):
            torch.nn.init.orthogonal_(weight)
"""

from zoo.initializers.base import Initializer

__all__ = ["Initializer"]
