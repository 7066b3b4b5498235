"""RevGNN: a stack of group-reversible blocks, whose memory for features does not grow with depth."""

from collections import OrderedDict
from typing import Annotated

from pydantic import Field

from zoo.errors import BuildError
from zoo.layers.block import make_activation
from zoo.layers.network import Network
from zoo.layers.reversible import ReversibleBlock, ReversibleHead
from zoo.models.ends import FeatureNorms, linear_end
from zoo.recipe.fields import Activation, Conv, Count, Depth, Probability

Groups = Annotated[int, Field(ge=2)]


def RevGNN(  # noqa: N802
    in_width: int,
    out_width: int,
    feature_norms: FeatureNorms,
    *,
    conv: Conv = "gcn",  # pyright: ignore[reportArgumentType]
    depth: Depth = 2,
    width: Count = 64,
    groups: Groups = 2,
    activation: Activation = "relu",  # pyright: ignore[reportArgumentType]
    dropout: Probability = 0.0,
    reversible: bool = True,
) -> Network:
    """Stack of `depth` group-reversible blocks (Li et al., ICML 2021), between two linear maps.

    dropout → linear → blocks → activation → dropout → linear. A block splits its channels into `groups` and adds
    f_i(X'_{i−1}), f_i: norms → activation → dropout → conv, to each; see `zoo.layers.reversible.ReversibleBlock` for
    the equations. Each f_i has weights of its own, width/groups wide, and so are the feature normalisers.

    Other than in the authors' code each block draws a dropout mask of its own, and no norm stands before the head.

    reversible: False keeps the activations, as other models do: the same network, faster, with memory that grows with
    depth, and with gradients of gradients. conv, activation: factories, called with two widths, with nothing.
    Raises: BuildError if the groups do not divide the width.
    """
    share = _share(width, groups)

    def block() -> ReversibleBlock:
        return ReversibleBlock(
            [conv(share, share) for _ in range(groups)],
            norms=[[norm(share) for norm in feature_norms] for _ in range(groups)],
            activation=make_activation(activation),
            dropout=dropout,
            reversible=reversible,
        )

    encoder = linear_end(in_width, width, dropout=dropout)
    blocks = [block() for _ in range(depth)]
    head = linear_end(width, out_width, dropout=dropout)
    parts = OrderedDict(activation=make_activation(activation), **dict(head.named_children()))
    return Network(encoder, blocks, ReversibleHead(parts))


def _share(width: int, groups: int) -> int:
    """The width of a group."""
    if width % groups == 0:
        return width // groups
    divisors = [count for count in range(2, width + 1) if width % count == 0]
    nearest = f"groups: {min(divisors, key=lambda count: abs(count - groups))}" if divisors else "width: 2, groups: 2"
    raise BuildError(
        f"model.groups — {groups} groups do not divide the width {width} — expected a divisor of it, 2 or more — "
        f"nearest: {nearest}"
    )
