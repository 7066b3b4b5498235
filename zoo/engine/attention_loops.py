"""Attention by compiled loops: their arguments and their order; CPU only, no gradients."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from zoo.engine import numba_attention as compiled
from zoo.engine.attention import AttentionPlan, joined_heads, node_scores
from zoo.engine.numba_compile import array, numbers, over_rows, parts

# At the values [sources, heads·d], at the first and the second of the parameters, and at x W_t [nodes, heads·d]; the
# last only where the second is a matrix, and then in its place.
Gradients = tuple[Tensor, Tensor, Tensor | None, Tensor | None]


class AttentionLoops(ABC):
    """Attention of one block in one direction. Everything [entries, heads] is in the order of the incoming rows.

    Exponentials are taken of all logits at once between two loops: PyTorch's are several times as fast as one by one.
    x, weight, first, second: see `zoo.engine.attention.Scores`.
    """

    def __init__(self, plan: AttentionPlan, x: Tensor, weight: Tensor, first: Tensor, second: Tensor | None) -> None:
        self.plan, self.nodes, self.slope = plan, plan.graph.nodes, plan.scores.slope
        self.kernel: Any = plan.graph.backend  # a CompiledKernel, which imports this module
        self.x, self.weight, self.first, self.second = x, weight, first, second
        self.heads, _, self.d = weight.shape
        h = self.kernel.scratch("h", (len(x), self.heads * self.d), x.dtype)
        self.values = torch.mm(x, joined_heads(weight), out=h).view(len(x), self.heads, self.d)

    @abstractmethod
    def logits(self, out: Tensor) -> None:
        """Set `out` to the scores, from each row's and head's of which the largest has been subtracted."""

    @abstractmethod
    def backward(self, dz: Tensor) -> Gradients:
        """The gradients, from that at z, by one pass over the in-edges and one over the out-edges."""

    def forward(self, bias: Tensor | None, skip: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """share·act(z) + skip_share·skip; to record, where z > 0."""
        shape, dtype = torch.Size((self.nodes, self.heads * self.d)), self.x.dtype
        take, epilogue = self.kernel.buffers.take, self.plan.epilogue
        y = take(shape, dtype)
        mask = take(shape, torch.bool) if self.plan.record and epilogue.slope != 1 else None
        keep, in_place = array(self.plan.keep, torch.bool), array(None, torch.int32, dimensions=1)
        around = array(bias, dtype, dimensions=1), array(skip, dtype), numbers(dtype, *epilogue, self.plan.scale)
        operands = self.values, self._powers(), keep, in_place, *around, y, array(mask, torch.bool)
        self._over_rows(compiled.attention_forward, *operands)
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

    def _prepare(self, dz: Tensor) -> tuple[Any, ...]:
        """By heads dz, exp(logits), room for the gradients at the logits and at the values; keep, slope and scale."""
        dvalues = self.kernel.scratch("dh", (len(self.x), self.heads * self.d), dz.dtype).view_as(self.values)
        dropout = array(self.plan.keep, torch.bool), numbers(dz.dtype, self.slope, self.plan.scale)
        return dz.view(-1, self.heads, self.d), self._powers(), self._entries("dlogits"), dvalues, *dropout


class StaticLoops(AttentionLoops):
    """Of `StaticScores`."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.scores = node_scores(self.x, self.weight, self.first, self.second)

    def logits(self, out: Tensor) -> None:
        """The sum of two scores per edge, through the leaky ReLU."""
        self._over_rows(compiled.static_logits, self.scores, numbers(out.dtype, self.slope), out)

    def backward(self, dz: Tensor) -> Gradients:
        """The gradients."""
        dz, weights, dlogits, dvalues, *dropout = self._prepare(dz)
        dtargets = self.kernel.scratch("dtargets", (self.nodes, self.heads), dz.dtype)
        dsource, dtarget = self._parts(True), self._parts(True)
        operands = self.scores, self.values, dz, *dropout, weights, dlogits, dtargets
        self._over_rows(compiled.static_backward_rows, *operands)
        operands = weights, dlogits, dz, self.values, self.first, self.second, dtargets, dvalues, dsource, dtarget
        self._over_rows(compiled.static_backward_columns, self.kernel.entries, *operands, reverse=True)
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

    def backward(self, dz: Tensor) -> Gradients:
        """The gradients."""
        dz, weights, dlogits, dvalues, *dropout = self._prepare(dz)
        dtargets = self.kernel.scratch("dtargets", self.targets.shape, dz.dtype)
        dattention, ends = self._parts(False), (self.values, self.targets, self.first)
        operands = *ends, dz, *dropout, weights, dlogits, dtargets, dattention
        self._over_rows(compiled.dynamic_backward_rows, *operands)
        operands = self.kernel.entries, weights, dlogits, dz, *ends, dropout[1], dvalues
        self._over_rows(compiled.dynamic_backward_columns, *operands, reverse=True)
        if self.second is not None:
            return dvalues.flatten(1), dattention.sum(0), None, dtargets.flatten(1)
        dvalues[: self.nodes] += dtargets
        return dvalues.flatten(1), dattention.sum(0), None, None
