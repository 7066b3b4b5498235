"""A stack of equal blocks: the network of every depth study."""

from itertools import pairwise
from typing import Literal

from torch import nn

from zoo.errors import BuildError
from zoo.layers.block import Block, NormPosition, make_activation
from zoo.layers.network import Network
from zoo.layers.residual import NoSkip
from zoo.layers.residual import Residual as ResidualModule
from zoo.models.ends import FeatureNorms, linear_end
from zoo.recipe.fields import Activation, Conv, Count, Depth, Probability, Residual


def Stack(  # noqa: N802
    in_width: int,
    out_width: int,
    feature_norms: FeatureNorms,
    *,
    conv: Conv,
    residual: Residual,
    depth: Depth = 2,
    width: Count = 64,
    activation: Activation = "relu",  # pyright: ignore[reportArgumentType]
    dropout: Probability = 0.0,
    ends: Literal["linear", "head", "conv"] = "linear",
    last_conv: Conv | None = None,
    norm_position: NormPosition = "inner",
    share_weights: bool = False,
) -> Network:
    """Stack of `depth` equal blocks of one convolution, between two linear maps or on its own.

    ends: "linear" puts dropout → linear → activation before the blocks and dropout → linear after them, and all blocks
    map width to width. "head" leaves out the former: blocks read the embedding, as wide as they are, and that is X_0 of
    an initial residual; so are the models of molecules in OGB's examples (Hu et al., NeurIPS 2020). "conv" has no such
    ends (Kipf & Welling, ICLR 2017): the first block maps the features to `width`, the last one `width` to the classes
    by `last_conv` (default: `conv`), without activation, residual, or a norm after it. These two have no residual; X_0
    of an initial residual is then the first block's output.
    norm_position: "pre" before the convolution, "inner" after it, "post" after the residual.
    share_weights: unless ends are "conv", whether all blocks have one convolution between them, a recurrent network
    unrolled `depth` times; norms stay each block's own.

    conv, residual, activation: factories, called with two widths, with nothing, with nothing.
    Raises: BuildError for options that do not fit together.
    """

    def block(block_conv: Conv, inputs: int, outputs: int, *, skip: bool = True, final: bool = False) -> Block:
        norms = [] if final and norm_position != "pre" else feature_norms
        return Block(
            block_conv(inputs, outputs),
            residual=residual() if skip else NoSkip(),
            norms=[norm(inputs if norm_position == "pre" else outputs) for norm in norms],
            norm_position=norm_position,
            activation=None if final else make_activation(activation),
            dropout=dropout,
        )

    if ends != "conv":
        if last_conv is not None:
            raise BuildError("model.last_conv — has no place before a linear end — expected ends=conv, or no last_conv")
        if ends == "head" and in_width != width:
            raise BuildError(
                f"model.ends — head, but the features are {in_width} wide and the blocks {width} — expected equal "
                f"widths, as of an embedding — ends=linear, or model.width={in_width}"
            )
        encoder: nn.Module = nn.Identity()
        if ends == "linear":
            encoder = linear_end(in_width, width, dropout=dropout, activation=make_activation(activation))
        readout: ResidualModule = residual()
        shared = conv(width, width) if share_weights else None
        blocks = [block(conv if shared is None else lambda *_: shared, width, width) for _ in range(depth)]
        readout.build_readout(width, depth)
        head = linear_end(readout.readout_width(width, depth), out_width, dropout=dropout)
        return Network(encoder, blocks, head, readout=readout)

    if share_weights:
        raise BuildError("model.share_weights — blocks between no linear ends differ in width — expected ends=linear")
    if residual().collects:
        raise BuildError("model.residual — jumping needs a head to read all blocks — expected ends=linear")
    last = conv if last_conv is None else last_conv
    widths = [in_width, *[width] * (depth - 1), out_width]
    pairs = list(pairwise(widths))
    blocks = [block(conv, *pair, skip=place > 0) for place, pair in enumerate(pairs[:-1])]
    blocks.append(block(last, *pairs[-1], skip=False, final=True))
    return Network(nn.Identity(), blocks, nn.Identity(), encodes=False)
