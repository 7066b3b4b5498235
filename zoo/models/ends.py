"""Parts of models: linear maps with dropout before and after the blocks, and blocks of propagation alone."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from torch import nn

from zoo.layers.block import Block, Dropout
from zoo.layers.linear import Linear, Propagation
from zoo.layers.residual import Residual

# Factories of feature normalisers, called with the width that they act on.
FeatureNorms = Sequence[Callable[[int], nn.Module]]


def linear_end(
    in_width: int, out_width: int, *, dropout: float, activation: nn.Module | None = None, bias: bool = True
) -> nn.Sequential:
    """Chain dropout → linear → activation, if there is one; from [nodes, in_width] to [nodes, out_width]."""
    parts: OrderedDict[str, nn.Module] = OrderedDict(dropout=Dropout(dropout))
    parts["linear"] = Linear(in_width, out_width, bias=bias)
    if activation is not None:
        parts["activation"] = activation
    return nn.Sequential(parts)


def perceptron(in_width: int, width: int, out_width: int, *, dropout: float, activation: nn.Module) -> nn.Sequential:
    """Chain dropout → linear → activation → dropout → linear, over [nodes, width], as parts `hidden` and `output`."""
    hidden = linear_end(in_width, width, dropout=dropout, activation=activation)
    return nn.Sequential(OrderedDict(hidden=hidden, output=linear_end(width, out_width, dropout=dropout)))


def steps(depth: int, width: int, feature_norms: FeatureNorms, residual: Callable[[], Residual]) -> list[Block]:
    """Return `depth` blocks of one propagation each, without weights, with a residual and then the norms."""

    def block() -> Block:
        norms = [norm(width) for norm in feature_norms]
        return Block(Propagation(width), residual=residual(), norms=norms, norm_position="post")

    return [block() for _ in range(depth)]
