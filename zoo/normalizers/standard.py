"""The normalisations of features that PyTorch has, over the nodes of a graph.

They rescale features, not weights, and bound no Lipschitz constant: the scale divides by a statistic of the input that
may be small.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.errors import BuildError
from zoo.graph_like import GraphLike
from zoo.normalizers.base import FeatureNormalizer
from zoo.normalizers.per_graph import batched, node_mean
from zoo.recipe.fields import Count, Fraction, Positive


class LayerNorm(FeatureNormalizer):
    """(x_i − mean(x_i))/sqrt(var(x_i) + eps)·γ + β, for each node i over its channels.

    Options: affine: learn γ and β (both [width]); eps: added to the variance.
    Source: Ba, Kiros & Hinton 2016 (arXiv 1607.06450).
    """

    same_in_training = True
    per_node = True

    def __init__(self, width: int, *, affine: bool = True, eps: Positive = 1e-5) -> None:
        super().__init__(width)
        self.norm = nn.LayerNorm(width, eps=eps, elementwise_affine=affine)

    def forward(self, graph: GraphLike, x: Tensor) -> Tensor:
        """Return the normalised features; `x` and the result are [nodes, width]."""
        return self.norm(x)


class BatchNorm(FeatureNormalizer):
    """(x − mean)/sqrt(var + eps)·γ + β, for each channel over the nodes; running statistics in eval.

    Over the nodes of all graphs of a batch, as is usual.

    Options: affine: learn γ and β (both [width]); eps: added to the variance; momentum: the weight of the newest
    statistics in the running ones. One node alone, which has no variance, is normalised by the running statistics in
    training, too, and leaves them as they are.
    Source: Ioffe & Szegedy 2015 (arXiv 1502.03167).
    """

    recordable = True
    per_node = True

    def __init__(self, width: int, *, affine: bool = True, eps: Positive = 1e-5, momentum: Fraction = 0.1) -> None:
        super().__init__(width)
        self.norm = RowBatchNorm(width, eps=eps, momentum=momentum, affine=affine)

    def forward(self, graph: GraphLike, x: Tensor) -> Tensor:
        """Return the normalised features; `x` and the result are [nodes, width]."""
        return self.norm(x)


class GroupNorm(FeatureNormalizer):
    """Layer normalisation within each of `groups` equal groups of neighbouring channels of a node.

    Options: groups: has to divide the width (BuildError if not); affine: learn γ and β (both [width]); eps: added to
    the variance.
    Source: Wu & He 2018 (arXiv 1803.08494).
    """

    same_in_training = True
    per_node = True

    def __init__(self, width: int, *, groups: Count = 8, affine: bool = True, eps: Positive = 1e-5) -> None:
        super().__init__(width)
        if width % groups:
            near = max(divisor for divisor in range(1, min(groups, width) + 1) if width % divisor == 0)
            raise BuildError(
                f"normalizers.group — {groups} groups do not divide a width of {width} — "
                f"expected a divisor of {width} — the nearest below is groups: {near}"
            )
        self.norm = nn.GroupNorm(groups, width, eps=eps, affine=affine)

    def forward(self, graph: GraphLike, x: Tensor) -> Tensor:
        """Return the normalised features; `x` and the result are [nodes, width]."""
        norm = self.norm  # its own forward refuses a single node whose groups have one channel each
        return torch.group_norm(x, norm.num_groups, norm.weight, norm.bias, norm.eps)


class InstanceNorm(FeatureNormalizer):
    """(x − mean)/sqrt(var + eps)·γ + β, for each channel over the nodes of each graph, in training and eval alike.

    Batch normalisation of one graph, without running statistics; each graph of a batch has statistics of its own.

    Options: affine: learn γ and β (both [width]); eps: added to the variance.
    Source: Ulyanov, Vedaldi & Lempitsky 2016 (arXiv 1607.08022).
    """

    same_in_training = True

    def __init__(self, width: int, *, affine: bool = False, eps: Positive = 1e-5) -> None:
        super().__init__(width)
        self.norm = nn.BatchNorm1d(width, eps=eps, affine=affine, track_running_stats=False)

    def forward(self, graph: GraphLike, x: Tensor) -> Tensor:
        """Return the normalised features; `x` and the result are [nodes, width]."""
        if not batched(graph) and len(x) > 1:
            return self.norm(x)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        centred = wide - node_mean(graph, wide)
        y = centred * (node_mean(graph, centred.square()) + self.norm.eps).rsqrt()
        return (y if self.norm.weight is None else y * self.norm.weight + self.norm.bias).to(x.dtype)


class RowBatchNorm(nn.BatchNorm1d):
    """PyTorch's, but for one row in training, which has no variance and is refused there.

    It is normalised by the running statistics, as in evaluation, and leaves them as they are.
    """

    recordable = True

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised rows; both are [rows, channels]."""
        if self.training and len(input) == 1:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(input)
