"""GCNII: initial residual and identity mapping (Chen et al., ICML 2020)."""

from zoo.layers.block import make_activation
from zoo.layers.initial import GCNIIConv, InitialBlock
from zoo.layers.network import Network
from zoo.models.ends import FeatureNorms, linear_end
from zoo.recipe.fields import Activation, Count, Depth, Positive, Probability, Share


def GCNII(  # noqa: N802
    in_width: int,
    out_width: int,
    feature_norms: FeatureNorms,
    *,
    depth: Depth = 64,
    width: Count = 64,
    alpha: Share = 0.1,
    theta: Positive = 0.5,
    variant: bool = False,
    activation: Activation = "relu",  # pyright: ignore[reportArgumentType]
    dropout: Probability = 0.6,
) -> Network:
    """GCNII: X_l = relu(((1−α) Â X_{l−1} + α X_0)((1−β_l)I + β_l W_l)), β_l = log(θ/l + 1), between two linear maps.

    X_0 is the first linear map's output after its activation. Blocks have no bias. Defaults are the authors' for Cora.

    alpha: α, the share of X_0. theta: the paper's λ, how far W_l counts. variant: GCNII*, in which X_0 has matrices of
    its own. feature_norms act before each block's activation.
    Source: Chen et al., ICML 2020 (arXiv 2007.02133), eq. 5; GCNII* is theirs, too.
    """
    blocks = [
        InitialBlock(
            GCNIIConv(width, block, alpha=alpha, theta=theta, variant=variant),
            norms=[norm(width) for norm in feature_norms],
            activation=make_activation(activation),
            dropout=dropout,
        )
        for block in range(1, depth + 1)
    ]
    encoder = linear_end(in_width, width, dropout=dropout, activation=make_activation(activation))
    return Network(encoder, blocks, linear_end(width, out_width, dropout=dropout))
