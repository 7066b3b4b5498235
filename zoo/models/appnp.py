"""APPNP: predict, then propagate (Gasteiger et al., ICLR 2019)."""

from collections.abc import Callable, Sequence

from torch import nn

from zoo.layers.activation import make_activation
from zoo.layers.network import Network
from zoo.layers.residual import InitialSkip
from zoo.models.ends import perceptron
from zoo.models.steps import steps
from zoo.recipe.fields import Activation, Count, Depth, Probability, Share


def APPNP(  # noqa: N802
    in_width: int,
    out_width: int,
    feature_norms: Sequence[Callable[[int], nn.Module]],
    *,
    depth: Depth = 10,
    width: Count = 64,
    alpha: Share = 0.1,
    activation: Activation = "relu",  # pyright: ignore[reportArgumentType]
    dropout: Probability = 0.5,
) -> Network:
    """APPNP: X_0 = MLP(X), then `depth` steps of personalised PageRank, X_l = (1−α) Â X_{l−1} + α X_0.

    The last X_l are the logits. A block is one step and has no weights; the MLP has one hidden layer of `width`. The
    authors' dropout of entries of Â is left out.

    alpha: α, the teleport probability. dropout: before both layers of the MLP. feature_norms act after each step.
    Source: Gasteiger et al., ICLR 2019 (arXiv 1810.05997).
    """
    blocks = steps(depth, out_width, feature_norms, lambda: InitialSkip(alpha=alpha))
    encoder = perceptron(in_width, width, out_width, dropout=dropout, activation=make_activation(activation))
    return Network(encoder, blocks, nn.Identity())
