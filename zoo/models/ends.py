"""Parts of models: linear maps with dropout before and after the blocks, and blocks of propagation alone."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from torch import nn

from zoo.layers.block import Block, Dropout
from zoo.layers.linear import Linear, Propagation
from zoo.layers.residual import Residual


def linear_end(
    in_width: int, out_width: int, *, dropout: float, activation: nn.Module | None = None, bias: bool = True
) -> nn.Sequential:
    """Chain dropout → linear → activation, if there is one; from [nodes, in_width] to [nodes, out_width]."""
    parts: list[tuple[str, nn.Module]] = [
        ("dropout", Dropout(dropout)),
        ("linear", Linear(in_width, out_width, bias=bias)),
    ]
    if activation is not None:
        parts.append(("activation", activation))
    return nn.Sequential(OrderedDict(parts))


def perceptron(in_width: int, width: int, out_width: int, *, dropout: float, activation: nn.Module) -> nn.Sequential:
    """Chain dropout → linear → activation → dropout → linear, as parts `hidden` and `output`.

    From [nodes, in_width] over [nodes, width] to [nodes, out_width].
    """
    hidden = linear_end(in_width, width, dropout=dropout, activation=activation)
    return nn.Sequential(OrderedDict(hidden=hidden, output=linear_end(width, out_width, dropout=dropout)))


def steps(
    depth: int, width: int, feature_norms: Sequence[Callable[[int], nn.Module]], residual: Callable[[], Residual]
) -> list[Block]:
    """`depth` blocks of one propagation each, without weights, with a residual and then the norms; width to width."""
    return [
        Block(
            Propagation(width),
            residual=residual(),
            norms=[norm(width) for norm in feature_norms],
            norm_position="post",
        )
        for _ in range(depth)
    ]
