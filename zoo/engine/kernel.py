"""What a kernel has to offer: three sparse products, without gradients, for both directions of one graph."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from zoo.engine.buffers import Buffers
from zoo.engine.epilogue import Epilogue
from zoo.engine.rows import Rows
from zoo.engine.scratch import Scratch
from zoo.errors import BuildError

KernelName = Literal["auto", "compiled", "triton", "dgl", "torch"]


@dataclass(frozen=True)
class Structure:
    """A graph as index arrays on one device.

    incoming: one row per destination, its columns are sources. outgoing: one row per source, its columns are
    destinations. src, dst: [edges], the two ends of each edge id.
    """

    incoming: Rows
    outgoing: Rows
    src: Tensor
    dst: Tensor

    @classmethod
    def of(cls, src: Tensor, dst: Tensor, sources: int, nodes: int) -> "Structure":
        """The arrays of the edges src[i] → dst[i], integers below `sources` and `nodes`."""
        incoming, outgoing = Rows.of(dst, src, nodes, sources), Rows.of(src, dst, sources, nodes)
        return cls(incoming, outgoing, *(ends.to(incoming.columns.dtype) for ends in (src, dst)))

    @property
    def edges(self) -> int:
        """Number of edges."""
        return len(self.src)

    def rows(self, reverse: bool) -> Rows:
        """The rows that a product along the edges (or, `reverse`, against them) is made of."""
        return self.outgoing if reverse else self.incoming

    def edge_subgraph(self, keep: Tensor) -> "Structure":
        """The arrays of the edges where keep, bool [edges], is True; they keep their order."""
        places = keep.cumsum(0, dtype=self.src.dtype).sub_(1)
        edges = keep.nonzero().squeeze(1)
        src, dst = (end.index_select(0, edges) for end in (self.src, self.dst))
        return Structure(self.incoming.edge_subgraph(keep, places), self.outgoing.edge_subgraph(keep, places), src, dst)

    def to(self, device: torch.device) -> "Structure":
        """The same arrays on another device."""
        return Structure(self.incoming.to(device), self.outgoing.to(device), self.src.to(device), self.dst.to(device))


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

    @abstractmethod
    def weighted_sum(self, x: Tensor, weights: Tensor, reverse: bool) -> Tensor:
        """The same with a weight per edge and head; x: [sources, heads, d], weights: [edges, heads]."""

    @abstractmethod
    def edge_dot(self, left: Tensor, right: Tensor) -> Tensor:
        """Per edge and head left[src]·right[dst]: [edges, heads]; both are [nodes, heads, d]."""

    def attention_loops(self, scores: type) -> Any:
        """What runs attention by scores of this kind as one operator (see `zoo.engine.attention`); None, nothing."""
        return None


class FusingKernel(Kernel):
    """A kernel that also runs what a block does around a propagation, of one network or of several at once.

    Features are [nodes, width] and a bias is [width]; of several networks both have one more, leading, dimension.
    scratch: memory that its calls, and those of `zoo.engine.affine`, use at once and keep nothing in. buffers: memory
    for results; None where PyTorch's allocator does as well.
    """

    scratch: Scratch
    buffers: Buffers | None

    def shape_of(self, h: Tensor, root: Tensor | None, bias: Tensor | None, skip: Tensor | None) -> torch.Size:
        """The shape of what `block_forward` returns. Raises: BuildError if these do not fit it: loops do not look."""
        rows = self.structure.incoming
        shape = torch.Size((*h.shape[:-2], rows.count, h.shape[-1]))
        if (
            h.shape[-2] != rows.width
            or (root is not None and root.shape != shape)
            or (bias is not None and bias.shape != (*shape[:-2], shape[-1]))
            or (skip is not None and skip.shape != shape)
        ):
            parts = {"features": h, "root": root, "bias": bias, "skip": skip}
            found = ", ".join(f"{name} {list(part.shape)}" for name, part in parts.items() if part is not None)
            raise BuildError(
                f"block — got {found} — expected features [{rows.width}, width] for the graph's sources, root and skip "
                f"[{rows.count}, width] for its nodes, and a bias [width]"
            )
        return shape

    @abstractmethod
    def block_forward(
        self,
        h: Tensor,
        before: Tensor | None,
        after: Tensor | None,
        root: Tensor | None,
        bias: Tensor | None,
        skip: Tensor | None,
        epilogue: Epilogue,
        keep: bool,
    ) -> tuple[Tensor, Tensor | None]:
        """share·act(z) + skip_share·skip; to `keep`, where z > 0; z = after ∘ A (before ∘ h) + root + bias."""

    @abstractmethod
    def block_backward(
        self, dy: Tensor, mask: Tensor | None, before: Tensor | None, after: Tensor | None, epilogue: Epilogue
    ) -> tuple[Tensor, Tensor, Tensor]:
        """∂/∂z, ∂/∂bias and ∂/∂h of `block_forward`; the first and the last are overwritten by the next call."""

    @abstractmethod
    def epilogue_backward(self, dy: Tensor, mask: Tensor | None, epilogue: Epilogue) -> tuple[Tensor, Tensor]:
        """∂/∂z and ∂/∂bias of share·act(z); the former is overwritten by the next call."""
