"""Decoders: from the rows of two nodes to the score of a link between them."""

from abc import ABC, abstractmethod
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from zoo.layers.linear import Linear, glorot
from zoo.recipe.fields import Count, Few, Probability


class Decoder(nn.Module, ABC):
    """Maps the rows of two nodes to a logit: that of a link from the left one to the right one.

    Built as `Decoder(width, *, options)`, `width` that of the rows.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    @abstractmethod
    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """left, right: [pairs, width]; the result is [pairs]."""


class Dot(Decoder):
    """⟨x, y⟩, the same in both directions, without parameters.

    Source: Kipf & Welling, "Variational Graph Auto-Encoders", 2016, eq. 2.
    """

    same_in_training = True

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the dot products."""
        return (left * right).sum(dim=1)


class Bilinear(Decoder):
    """xᵀ W y, which tells the directions of a link apart.

    W [width, width]: drawn from Glorot's uniform distribution (Nickel et al., "A Three-Way Model for Collective
    Learning on Multi-Relational Data", ICML 2011, for one relation).
    """

    same_in_training = True

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.weight = glorot(width, width)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the bilinear forms."""
        return (left @ self.weight * right).sum(dim=1)


class HadamardMLP(Decoder):
    """MLP(x ⊙ y), the same in both directions: the predictor of the Open Graph Benchmark's own examples.

    layers: linear maps; between them ReLU and dropout, which is its probability. hidden: width between them; unset,
    that of the rows. One layer is a weighted dot product.
    Source: Hu et al., "Open Graph Benchmark", NeurIPS 2020, appendix; code of the authors' link prediction examples.
    """

    recordable = True

    def __init__(self, width: int, *, layers: Few = 2, hidden: Count | None = None, dropout: Probability = 0.0) -> None:
        super().__init__(width)
        between = width if hidden is None else hidden
        widths = [width, *[between] * (layers - 1), 1]
        self.layers = nn.ModuleList(Linear(*pair) for pair in pairwise(widths))
        self.dropout = dropout

    @property
    def same_in_training(self) -> bool:
        """True if nothing is dropped."""
        return self.dropout == 0

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the logits."""
        x = left * right
        for place, layer in enumerate(self.layers):
            if place:
                x = F.dropout(x.relu(), self.dropout, self.training)
            x = layer(x)
        return x.squeeze(1)
