"""EGNN: deep graph networks of constrained Dirichlet energy (Zhou et al., NeurIPS 2021)."""

from torch import nn

from zoo.errors import BuildError
from zoo.layers.initial import EGNNConv, InitialBlock, SReLU
from zoo.layers.network import Network
from zoo.models.ends import FeatureNorms, linear_end
from zoo.recipe.fields import Count, Depth, NonNegative, Positive, Probability, Share


def EGNN(  # noqa: N802
    in_width: int,
    out_width: int,
    feature_norms: FeatureNorms,
    *,
    depth: Depth = 64,
    width: Count = 64,
    c_min: Share = 0.2,
    c_max: Positive = 1.0,
    beta: Share = 0.1,
    shift: float = -10.0,
    penalty: NonNegative = 20.0,
    dropout: Probability = 0.6,
    output_dropout: Probability = 0.6,
) -> Network:
    """EGNN: X_l = SReLU(((1−c_min) Â X_{l−1} + (c_min−β) X_{l−1} + β X_0) W_l), between two linear maps.

    W_1 starts at √c_max·I and all others at I; each adds penalty·‖W_l − W_l at the start‖_F to the training loss, by
    `penalty()` of its convolution. SReLU is max(x, b), b trainable for each channel. X_0 is the first linear map's
    output after its relu. Defaults are the authors' for Cora (c_min 0.15 from 32 blocks on), who do not train the
    last b.

    c_min, c_max: the bounds of the energy's change from block to block. beta: the share of X_0, at most c_min. shift:
    where each b starts. output_dropout: before the last linear map. feature_norms act before each block's SReLU.
    Raises: BuildError if beta exceeds c_min.
    Source: Zhou et al., NeurIPS 2021 (arXiv 2107.02392); the penalty's form is that of the authors' code.
    """
    if beta > c_min:
        raise BuildError(
            f"model.beta — {beta:g} exceeds c_min, and the share c_min − beta of a block's input would be negative — "
            f"expected 0 to {c_min:g} — beta={c_min:g}, or a larger c_min"
        )
    blocks = [
        InitialBlock(
            EGNNConv(width, c_min=c_min, c_max=c_max if place == 0 else 1.0, beta=beta, penalty_weight=penalty),
            norms=[norm(width) for norm in feature_norms],
            activation=SReLU(width, shift=shift),
            dropout=dropout,
        )
        for place in range(depth)
    ]
    encoder = linear_end(in_width, width, dropout=dropout, activation=nn.ReLU())
    return Network(encoder, blocks, linear_end(width, out_width, dropout=output_dropout))
