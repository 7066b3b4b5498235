"""Interface of kernels: sparse products over one graph in both directions, without gradients."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from zoo.engine.buffers import Buffers, Scratch
from zoo.engine.structure import Structure
from zoo.errors import BuildError
from zoo.graph_like import GraphLike, Norm

Added = tuple[Tensor | None, Tensor | None, Tensor | None]  # root, bias and skip of a block
KernelName = Literal["auto", "compiled", "triton", "dgl", "torch"]


class Epilogue(NamedTuple):
    """share·act(z) + skip_share·skip, with act(z) = z where z > 0, else slope·z: 0 is ReLU, 1 the identity."""

    slope: float = 1.0
    share: float = 1.0
    skip_share: float = 0.0


class Scaling(NamedTuple):
    """Columns [n, 1] to multiply with before and after a sum over in-neighbours; None is 1.

    loops: factors of a node's own features to add, as a sample's factor ρ counted its loops too often; None is 0.
    """

    before: Tensor | None
    after: Tensor | None
    loops: Tensor | None = None

    @classmethod
    def by_degrees(cls, norm: Norm, incoming: Tensor, outgoing: Tensor, dtype: torch.dtype) -> "Scaling":
        """The weights of `Graph.propagate`; incoming: in-degrees [nodes], outgoing: out-degrees [sources]."""
        inwards, outwards = (degrees.clamp(min=1).to(dtype)[:, None] for degrees in (incoming, outgoing))
        before, after = {
            "both": (outwards.rsqrt(), inwards.rsqrt()),
            "right": (None, inwards.reciprocal()),
            "left": (outwards.reciprocal(), None),
            "sum": (None, None),
        }[norm]
        return cls(before, after)

    def of_sample(self, rho: Tensor, loops: Tensor) -> "Scaling":
        """The scaling with every edge counted ρ times, but a node's loops once each; see `SamplingWeights`.

        rho, loops: [nodes], rho in the scaling's precision. The loops of a node v add ρ·ℓ·w·x_v to the sum, with
        w = before·after, and (1−ρ)·ℓ·w·x_v corrects.
        """
        rho = rho[:, None]
        before = torch.ones_like(rho) if self.before is None else self.before[: len(rho)]
        after = torch.ones_like(rho) if self.after is None else self.after
        return Scaling(self.before, after * rho, loops[:, None] * (1 - rho) * before * after)


class Kernel(ABC):
    """Sparse products over one graph, on one device, for float32 and float64; without gradients.

    With `reverse`, features flow against the edges: sources and destinations change places.
    """

    name: ClassVar[str]

    def __init__(self, structure: Structure) -> None:
        self.structure = structure

    @abstractmethod
    def neighbour_sum(self, x: Tensor, reverse: bool, before: Tensor | None, after: Tensor | None) -> Tensor:
        """Scaled sums, after ∘ A (before ∘ x): x is [sources, d], the result [destinations, d].

        before: [sources, 1], after: [destinations, 1]; None is 1.
        """

    def weighted_sum(self, x: Tensor, weights: Tensor, reverse: bool) -> Tensor:
        """The same with a weight per edge and head; x: [sources, heads, d], weights: [edges, heads]."""
        return self.structure.rows(reverse).weighted_sum(x, weights)

    def edge_dot(self, left: Tensor, right: Tensor) -> Tensor:
        """Per edge and head left[src]·right[dst]: [edges, heads]; both are [nodes, heads, d]."""
        return self.structure.incoming.edge_dot(right, left)

    def attention_loops(self, scores: type) -> Any:
        """The loops of attention by scores of this kind as one operator (see `zoo.engine.attention`); None, none."""
        return None


class FusingKernel(Kernel):
    """A kernel that also runs what a block does around a propagation, of one network or of several at once.

    Features are [nodes, width] and a bias is [width]; of several networks both have one more, leading, dimension.
    scratch: memory that its calls, and those of `zoo.engine.affine`, use at once and keep nothing in. buffers: memory
    for results; None where PyTorch's allocator does as well.
    """

    buffers: Buffers | None = None

    def __init__(self, structure: Structure) -> None:
        super().__init__(structure)
        self.scratch = Scratch(structure.src.device)

    def shape_of(self, h: Tensor, added: Added) -> torch.Size:
        """The shape of what `block_forward` returns. Raises: BuildError if these do not fit it: loops do not look."""
        rows, (root, bias, skip) = self.structure.incoming, added
        shape = torch.Size((*h.shape[:-2], rows.count, h.shape[-1]))
        if (
            h.shape[-2] != rows.width
            or (root is not None and root.shape != shape)
            or (bias is not None and bias.shape != (*shape[:-2], shape[-1]))
            or (skip is not None and skip.shape != shape)
        ):
            parts = {"features": h, "root": root, "bias": bias, "skip": skip}
            raise BuildError(
                f"block — got {shapes(parts)} — expected features [{rows.width}, width] for the graph's sources, root "
                f"and skip [{rows.count}, width] for its nodes, and a bias [width]"
            )
        return shape

    @abstractmethod
    def block_forward(
        self, h: Tensor, scaling: Scaling, added: Added, epilogue: Epilogue, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """share·act(z) + skip_share·skip; to `keep`, where z > 0; z = after ∘ A (before ∘ h) + root + bias."""

    @abstractmethod
    def block_backward(
        self, dy: Tensor, mask: Tensor | None, scaling: Scaling, epilogue: Epilogue
    ) -> tuple[Tensor, Tensor, Tensor]:
        """∂/∂z, ∂/∂bias and ∂/∂h of `block_forward`; the first and the last are overwritten by the next call."""

    @abstractmethod
    def epilogue_backward(self, dy: Tensor, mask: Tensor | None, epilogue: Epilogue) -> tuple[Tensor, Tensor]:
        """∂/∂z and ∂/∂bias of share·act(z); the former is overwritten by the next call."""


class KernelGraph(GraphLike, Protocol):
    """A graph as the operators of this package see it."""

    @property
    def structure(self) -> Structure:
        """The index arrays."""
        ...

    @property
    def backend(self) -> Kernel:
        """The kernel over them."""
        ...

    @property
    def population(self) -> object | None:
        """Of a sample, what it was drawn from."""
        ...

    def scaling(self, norm: Norm, dtype: torch.dtype) -> Scaling:
        """The weights of a propagation."""
        ...

    def softmax_sum(self, values: Tensor, scores: Tensor, factors: Tensor | None = None) -> Tensor:
        """Attention by scores."""
        ...


def shapes(parts: dict[str, Tensor | None]) -> str:
    """The shapes of tensors by name, for a message."""
    return ", ".join(f"{name} {list(part.shape)}" for name, part in parts.items() if part is not None)
