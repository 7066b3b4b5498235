"""G²: gradient gating for deep multi-rate learning on graphs (Rusch et al., ICLR 2023)."""

from typing import Annotated

from pydantic import Field

from zoo.errors import BuildError
from zoo.layers.block import make_activation
from zoo.layers.gated import GatedBlock
from zoo.layers.network import Network
from zoo.models.ends import FeatureNorms, linear_end
from zoo.recipe.fields import Activation, Conv, Count, Depth, Probability

Exponent = Annotated[float, Field(ge=1, allow_inf_nan=False)]


def G2(  # noqa: N802
    in_width: int,
    out_width: int,
    feature_norms: FeatureNorms,
    *,
    conv: Conv = "gcn",  # pyright: ignore[reportArgumentType]
    depth: Depth = 13,
    width: Count = 128,
    p: Exponent = 2.0,
    own_gate: bool = True,
    activation: Activation = "relu",  # pyright: ignore[reportArgumentType]
    input_dropout: Probability = 0.0,
    output_dropout: Probability = 0.0,
) -> Network:
    """G²: X_l = (1−τ) X_{l−1} + τ relu(conv(X_{l−1})), τ_i = tanh(mean_j |y_i − y_j|^p), y = relu(gate_conv(X_{l−1})).

    All blocks share one conv and one gate_conv, between two linear maps. j runs over the in-neighbours of i without i
    itself. Depth and width are those of the authors' code for Cora-like graphs.

    conv: of both, built with two widths. p: the exponent, at least 1. own_gate: whether the gate has a convolution of
    its own; else gate_conv is conv. input_dropout, output_dropout: before the first and the last linear map.
    feature_norms act between conv and activation, one for each block.
    Raises: BuildError for a convolution given by name, which only the recipe builder can look up.
    Source: Rusch et al., ICLR 2023 (arXiv 2210.00513), and their code.
    """
    if isinstance(conv, str):
        raise BuildError(
            f"model.conv — got the name {conv!r} — expected a factory of convolutions, e.g. zoo.layers.gcn.GCNConv; "
            "names are looked up when a recipe is built"
        )
    shared = conv(width, width)
    gate = conv(width, width) if own_gate else None
    blocks = [
        GatedBlock(
            shared,
            gate_conv=gate,
            p=p,
            norms=[norm(width) for norm in feature_norms],
            activation=make_activation(activation),
        )
        for _ in range(depth)
    ]
    encoder = linear_end(in_width, width, dropout=input_dropout, activation=make_activation(activation))
    return Network(encoder, blocks, linear_end(width, out_width, dropout=output_dropout))
