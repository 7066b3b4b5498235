"""DAGNN: transformation and propagation apart, with adaptive neighbourhoods (Liu et al., KDD 2020)."""

from collections.abc import Callable, Sequence

from torch import nn

from zoo.layers.activation import make_activation
from zoo.layers.network import Network
from zoo.layers.readout import AdaptiveReadout
from zoo.layers.residual import NoSkip
from zoo.models.ends import perceptron
from zoo.models.steps import steps
from zoo.recipe.fields import Activation, Count, Depth, Probability


def DAGNN(  # noqa: N802
    in_width: int,
    out_width: int,
    feature_norms: Sequence[Callable[[int], nn.Module]],
    *,
    depth: Depth = 10,
    width: Count = 64,
    activation: Activation = "relu",  # pyright: ignore[reportArgumentType]
    dropout: Probability = 0.8,
) -> Network:
    """DAGNN: X_0 = MLP(X), X_l = Â X_{l−1}, logits Σ_{l=0}^{depth} sigmoid(X_l s + b) X_l, with s and b learned.

    A block is one propagation and has no weights; the MLP has one hidden layer of `width`. Defaults are the authors'
    for Cora.

    dropout: before both layers of the MLP. feature_norms act after each step.
    Source: Liu et al., KDD 2020 (arXiv 2007.09296), and their code, whose projection has a bias.
    """
    blocks = steps(depth, out_width, feature_norms, NoSkip)
    encoder = perceptron(in_width, width, out_width, dropout=dropout, activation=make_activation(activation))
    return Network(encoder, blocks, nn.Identity(), readout=AdaptiveReadout(out_width))
