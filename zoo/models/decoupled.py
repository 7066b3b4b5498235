"""SGC: a graph convolution with everything between its propagations removed (Wu et al., ICML 2019)."""

from torch import Tensor, nn

from zoo.layers.block import make_activation
from zoo.layers.linear import zeros
from zoo.layers.network import Network
from zoo.layers.residual import AdaptiveReadout, InitialSkip, NoSkip
from zoo.models.ends import FeatureNorms, linear_end, perceptron, steps
from zoo.recipe.fields import Activation, Count, Depth, Probability, Share


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
    feature_norms: FeatureNorms,
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


def APPNP(  # noqa: N802
    in_width: int,
    out_width: int,
    feature_norms: FeatureNorms,
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


def DAGNN(  # noqa: N802
    in_width: int,
    out_width: int,
    feature_norms: FeatureNorms,
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
