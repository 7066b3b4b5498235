"""Attention by compiled loops: what they are handed, and in which order they run; CPU only, no gradients."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from zoo.engine import numba_attention as compiled
from zoo.engine.attention import joined_heads, node_scores
from zoo.engine.kernel import Epilogue, KernelGraph
from zoo.engine.numba_compile import array, numbers, over_rows, parts


class AttentionLoops(ABC):
    """Attention of one block in one direction. Everything [entries, heads] is in the order of the incoming rows.

    Exponentials are taken of all logits at once between two loops: PyTorch's are several times as fast as one by one.
    Arguments: see `zoo.engine.attention.Scores`.
    """

    def __init__(
        self, graph: KernelGraph, x: Tensor, weight: Tensor, first: Tensor, second: Tensor | None, slope: float
    ) -> None:
        self.nodes, self.slope = graph.nodes, slope
        self.kernel: Any = graph.backend  # a CompiledKernel, which imports this module
        self.x, self.weight, self.first, self.second = x, weight, first, second
        self.heads, _, self.d = weight.shape
        h = self.kernel.scratch("h", (len(x), self.heads * self.d), x.dtype)
        self.values = torch.mm(x, joined_heads(weight), out=h).view(len(x), self.heads, self.d)

    @abstractmethod
    def logits(self, out: Tensor) -> None:
        """Set `out` to the scores, from each row's and head's of which the largest has been subtracted."""

    @abstractmethod
    def backward(
        self, dz: Tensor, keep: Tensor | None, scale: float
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """∂/∂ the values [sources, heads·d], the first and the second of the parameters, and of x W_t [nodes, heads·d].

        The latter only where the second is a matrix, and then in its place.
        """

    def forward(
        self,
        bias: Tensor | None,
        skip: Tensor | None,
        epilogue: Epilogue,
        keep: Tensor | None,
        scale: float,
        record: bool,
    ) -> tuple[Tensor, Tensor | None]:
        """share·act(z) + skip_share·skip; to `record`, where z > 0."""
        shape, dtype = torch.Size((self.nodes, self.heads * self.d)), self.x.dtype
        take = self.kernel.buffers.take
        y = take(shape, dtype)
        mask = take(shape, torch.bool) if record and epilogue.slope != 1 else None
        self._over_rows(
            compiled.attention_forward,
            self.values,
            self._powers(),
            array(keep, torch.bool),
            array(None, torch.int32, dimensions=1),
            array(bias, dtype, dimensions=1),
            array(skip, dtype),
            numbers(dtype, *epilogue, scale),
            y,
            array(mask, torch.bool),
        )
        return y, mask

    def _powers(self) -> Tensor:
        """exp(logits), [entries, heads].

        Both passes find the largest of each row and divide by the sum: the logarithm of the softmax's divisor, kept
        in one number together with the largest, would be rounded away where scores are large.
        """
        powers = self._entries("weights")
        self.logits(powers)
        return powers.exp_()

    def _entries(self, name: str) -> Tensor:
        return self.kernel.scratch(name, (self.kernel.structure.edges, self.heads), self.x.dtype)

    def _over_rows(self, loop: Any, *arguments: Any, reverse: bool = False) -> None:
        """Run a loop over the rows of the destinations, or, `reverse`, of the sources."""
        rows = self.kernel.structure.rows(reverse)
        arrays = (array(part, part.dtype) if isinstance(part, Tensor) else part for part in arguments)
        offsets, columns, _ = rows.arrays
        over_rows(loop, offsets, self.heads * self.d, offsets, columns, *arrays)

    def _parts(self, reverse: bool) -> Tensor:
        """A gradient [heads, d] for each share of the rows."""
        shares = parts(self.kernel.structure.rows(reverse).count, self.heads * self.d)
        return self.x.new_empty(shares, self.heads, self.d)

    def _prepare(self, dz: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """By heads dz, exp(logits), and room for the gradients at the logits and at the values."""
        dvalues = self.kernel.scratch("dh", (len(self.x), self.heads * self.d), dz.dtype)
        by_head = dz.view(-1, self.heads, self.d)
        return by_head, self._powers(), self._entries("dlogits"), dvalues.view_as(self.values)


class StaticLoops(AttentionLoops):
    """Of `StaticScores`."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.scores = node_scores(self.x, self.weight, self.first, self.second)

    def logits(self, out: Tensor) -> None:
        """The sum of two scores per edge, through the leaky ReLU."""
        slope = numbers(out.dtype, self.slope)
        self._over_rows(compiled.static_logits, self.scores, slope, out)

    def backward(
        self, dz: Tensor, keep: Tensor | None, scale: float
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """One pass over the in-edges, one over the out-edges."""
        dz, weights, dlogits, dvalues = self._prepare(dz)
        dtargets = self.kernel.scratch("dtargets", (self.nodes, self.heads), dz.dtype)
        dsource, dtarget = self._parts(True), self._parts(True)
        self._over_rows(
            compiled.static_backward_rows,
            self.scores,
            self.values,
            dz,
            array(keep, torch.bool),
            numbers(dz.dtype, self.slope, scale),
            weights,
            dlogits,
            dtargets,
        )
        self._over_rows(
            compiled.static_backward_columns,
            self.kernel.entries,
            weights,
            dlogits,
            dz,
            self.values,
            self.first,
            self.second,
            dtargets,
            dvalues,
            dsource,
            dtarget,
            reverse=True,
        )
        return dvalues.flatten(1), dsource.sum(0), dtarget.sum(0), None


class DynamicLoops(AttentionLoops):
    """Of `DynamicScores`."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.targets = self.values[: self.nodes]
        if self.second is not None:
            out = self.kernel.scratch("targets", (self.nodes, self.heads * self.d), self.x.dtype)
            torch.mm(self.x[: self.nodes], joined_heads(self.second), out=out)
            self.targets = out.view(self.nodes, self.heads, self.d)

    def logits(self, out: Tensor) -> None:
        """One dot product per edge and head."""
        slope = numbers(out.dtype, self.slope)
        self._over_rows(compiled.dynamic_logits, self.values, self.targets, self.first, slope, out)

    def backward(
        self, dz: Tensor, keep: Tensor | None, scale: float
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """One pass over the in-edges, one over the out-edges."""
        dz, weights, dlogits, dvalues = self._prepare(dz)
        dtargets = self.kernel.scratch("dtargets", self.targets.shape, dz.dtype)
        dattention = self._parts(False)
        slope_and_scale = numbers(dz.dtype, self.slope, scale)
        self._over_rows(
            compiled.dynamic_backward_rows,
            self.values,
            self.targets,
            self.first,
            dz,
            array(keep, torch.bool),
            slope_and_scale,
            weights,
            dlogits,
            dtargets,
            dattention,
        )
        self._over_rows(
            compiled.dynamic_backward_columns,
            self.kernel.entries,
            weights,
            dlogits,
            dz,
            self.values,
            self.targets,
            self.first,
            slope_and_scale,
            dvalues,
            reverse=True,
        )
        if self.second is not None:
            return dvalues.flatten(1), dattention.sum(0), None, dtargets.flatten(1)
        dvalues[: self.nodes] += dtargets
        return dvalues.flatten(1), dattention.sum(0), None, None
