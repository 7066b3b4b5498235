"""The two interfaces of a normaliser, one for weight matrices and one for node features; and no normalisation."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from types import EllipsisType
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from zoo.engine.rescaling import Rescaling
from zoo.graph_like import GraphLike
from zoo.recipe.fields import Mode, Scale

Site = Literal["weight", "features"]
Rows = slice | EllipsisType


class WeightNormalizer(nn.Module, ABC):
    """Maps the weight matrices of a network's blocks to normalised ones.

    One instance serves all matrices of one shape, stacked along leading axes, so that hundreds of blocks cost a handful
    of calls. `mode` says where it acts: `reparametrize` computes normalize(W) in every forward pass, and gradients flow
    through it; `project` writes normalize(W) back into W after each optimiser step, and gradients do not see it.

    A class that sets `same_in_training` says that it computes in training what it does in evaluation, see
    `zoo.training.declared`; so does a feature normaliser.
    """

    site: ClassVar[Site] = "weight"

    def __init__(self, *, mode: Mode = "reparametrize") -> None:
        super().__init__()
        self.mode: Mode = mode

    @abstractmethod
    def normalize(self, weight: Tensor) -> Tensor:
        """Return the normalised weights; `weight` and the result are [..., d_in, d_out]."""

    def warm_up(self, weight: Tensor) -> None:
        """Make buffers or parameters; called once with the initial weights, before the first use."""

    def forward(self, weight: Tensor) -> Tensor:
        """Return `normalize(weight)`, as a module's call."""
        return self.normalize(weight)


class NoNormalizer(WeightNormalizer):
    """The weights as they are: W. Nothing is bounded, and it costs nothing."""

    same_in_training = True

    def __init__(self) -> None:
        super().__init__()

    def normalize(self, weight: Tensor) -> Tensor:
        """Return `weight` itself, not a copy."""
        return weight


class BoundedNormalizer(WeightNormalizer, ABC):
    """A weight normaliser with a bound c.

    `c` is a buffer, so it is saved with the network, and may be one number or one per matrix ([matrices, 1, 1]).
    With `c="auto"` it starts at 1 and `auto` is True: the zoo then calibrates it at initialisation. With the factory of
    a controller (`c: adaptive` in a recipe) the same holds, and the controller moves c while the network is trained.

    A class whose `normalize` multiplies each matrix by a factor of its norm can say so by `rescaling` and by
    `rescales = normalize`: many matrices are then rescaled a few at a time, and no copy of them lasts. A subclass with
    another `normalize` is run by that, unless it says so anew.
    """

    c: Tensor
    rescales: ClassVar[Callable[[Any, Tensor], Tensor] | None] = None

    def __init__(self, *, c: Scale = 1.0, mode: Mode = "reparametrize") -> None:
        super().__init__(mode=mode)
        self.auto = c == "auto" or callable(c)
        self.register_buffer("c", torch.tensor(float(c) if isinstance(c, int | float) else 1.0))

    def rescaling(self, rows: Rows = ...) -> Rescaling | None:
        """Return how `normalize` rescales these rows of the stacked matrices; None where it does other things."""
        return None


class FeatureNormalizer(nn.Module, ABC):
    """Maps node features to normalised ones; one instance per block, built with the width it acts on.

    A class that sets `per_node` says that in evaluation each row of the result is made of the same row of the input and
    of nothing else, so that rows may be computed apart.
    A class that sets `reads_input` is called as `norm(graph, x, before)`, with `before` the input of its block, [nodes,
    width of the input]; the others as `norm(graph, x)`.
    """

    site: ClassVar[Site] = "features"
    reads_input: ClassVar[bool] = False
    per_node: ClassVar[bool] = False

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    @abstractmethod
    def forward(self, graph: GraphLike, x: Tensor) -> Tensor:
        """Return the normalised features; `x` and the result are [nodes, width]."""
