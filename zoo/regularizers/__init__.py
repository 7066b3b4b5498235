"""Regularisers: what is done to a network while it is trained, and not when it is evaluated.

A new one is a subclass that overrides what it needs:

    from registry import regularizers
    from zoo.regularizers import Regularizer

    @regularizers.register("noise")
    class Noise(Regularizer):
        \"\"\"Gaussian noise on the input features.\"\"\"

        def __init__(self, *, sigma: float = 0.1) -> None:
            super().__init__()
            self.sigma = sigma

        def features(self, graph, x):
            return x + self.sigma * torch.randn(x.shape).to(x)
"""

from zoo.regularizers.base import Regularizer

__all__ = ["Regularizer"]
