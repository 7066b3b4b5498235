"""SGC: a graph convolution with everything between its propagations removed (Wu et al., ICML 2019)."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from zoo.layers.linear import zeros
from zoo.layers.network import Network
from zoo.layers.residual import NoSkip
from zoo.models.ends import linear_end
from zoo.models.steps import steps
from zoo.recipe.fields import Depth, Probability


class Bias(nn.Module):
    """x + b, with b [width] zero at the start."""

    same_in_training = True

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bias = zeros(width)

    def forward(self, x: Tensor) -> Tensor:
        """Return x + b; x and the result are [nodes, width]."""
        return x + self.bias


def SGC(  # noqa: N802
    in_width: int,
    out_width: int,
    feature_norms: Sequence[Callable[[int], nn.Module]],
    *,
    depth: Depth = 2,
    dropout: Probability = 0.0,
) -> Network:
    """SGC: logits Â^K X Θ + b with K = `depth`, a linear classifier of propagated features.

    A block is one propagation and has no weights. Computed as Â^K (X Θ) + b, which is the same number at fewer columns,
    and lets probes see the gradient of every step.

    dropout: of the features. feature_norms act after each step; with one that is not linear, the order counts.
    Source: Wu et al., ICML 2019 (arXiv 1902.07153).
    """
    blocks = steps(depth, out_width, feature_norms, NoSkip)
    return Network(linear_end(in_width, out_width, dropout=dropout, bias=False), blocks, Bias(out_width))
