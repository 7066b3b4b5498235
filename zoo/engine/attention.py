"""Attention over in-neighbours, with all that a block does after it, as one operator."""

# pyright: reportIncompatibleMethodOverride=false
# PyTorch declares other arguments for the methods of autograd's functions than it calls them with.

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from zoo.engine.affine import finished, through_product
from zoo.engine.eligibility import can_fuse
from zoo.engine.kernel import Epilogue, KernelGraph, shapes
from zoo.engine.sparse_input import product
from zoo.errors import BuildError


class Scores(ABC):
    """Scores of edges, from two tensors of parameters, of which the second may be None.

    slope: of the leaky ReLU.
    """

    def __init__(self, slope: float) -> None:
        self.slope = slope

    @abstractmethod
    def of(
        self, graph: KernelGraph, x: Tensor, weight: Tensor, values: Tensor, first: Tensor, second: Tensor | None
    ) -> Tensor:
        """The scores [edges, heads]; x: [sources, in], weight: [heads, in, d], values: [sources, heads, d]."""


class StaticScores(Scores):
    """LeakyReLU(a_s·v_j + a_t·v_i), v being the values; first, second: a_s and a_t, [heads, d] each."""

    def of(
        self, graph: KernelGraph, x: Tensor, weight: Tensor, values: Tensor, first: Tensor, second: Tensor | None
    ) -> Tensor:
        """The scores."""
        return functional.leaky_relu(self.sums(graph, x, weight, first, second), self.slope)

    def sums(self, graph: KernelGraph, x: Tensor, weight: Tensor, first: Tensor, second: Tensor | None) -> Tensor:
        """The argument of the leaky ReLU, [edges, heads]."""
        scores = node_scores(x, weight, first, second)
        return graph.edge_add(scores[:, 0], graph.at_destinations(scores)[:, 1])


class DynamicScores(Scores):
    """a·LeakyReLU(v_j + x_i W_t), v being the values; first: a, [heads, d]. second: W_t, [heads, in, d]; None: v_i."""

    def of(
        self, graph: KernelGraph, x: Tensor, weight: Tensor, values: Tensor, first: Tensor, second: Tensor | None
    ) -> Tensor:
        """The scores."""
        target = graph.at_destinations(values) if second is None else per_head(graph.at_destinations(x), second)
        return (functional.leaky_relu(graph.edge_add(values, target), self.slope) * first).sum(-1)


class Attention(NamedTuple):
    """z_i = Σ_j p_ij x_j W + b for each head, p the softmax of the scores over the in-neighbours j of i.

    weight: [heads, in, d]. dropout: the chance of a p_ij to be dropped; 0 in evaluation. mean: heads are averaged
    instead of standing side by side. bias: [out] or None, out being d for the mean, else heads·d.
    """

    scores: Scores
    weight: Tensor
    first: Tensor
    second: Tensor | None = None
    dropout: float = 0.0
    mean: bool = False
    bias: Tensor | None = None


def attention_block(
    graph: KernelGraph, x: Tensor, attention: Attention, skip: Tensor | None, epilogue: Epilogue
) -> Tensor:
    """share·act(z) + skip_share·skip; x: [sources, in], skip and the result: [nodes, out].

    One operator, which saves x and one mask, where the graph's kernel fuses it; else, and for what that does not cover
    (half precision, function transforms, samples, scores of other kinds, features that are zero nearly everywhere), the
    same step by step. Dropout draws the same numbers in both.
    """
    loops = _loops(graph, x, attention, skip)
    if loops is None:
        return finished(_merged(_step_by_step(graph, x, attention), attention), skip, epilogue)
    heads = len(attention.weight)
    _check(graph, x, attention, skip)
    scale, keep = 1.0, None
    if attention.dropout:
        scale = 1 / (1 - attention.dropout)
        keep = torch.empty(graph.edges, heads, dtype=torch.bool).bernoulli_(1 - attention.dropout)
        keep = keep.index_select(0, graph.structure.incoming.edges)
    record, parameters = torch.is_grad_enabled(), (attention.weight, attention.first, attention.second)
    if attention.mean and heads > 1:
        plan = AttentionPlan(graph, loops, attention.scores, False, Epilogue(), keep, scale, record)
        z: Any = _Attention.apply(plan, x, *parameters, None, None)
        return finished(_merged(z.view(len(z), heads, -1), attention), skip, epilogue)
    joined = skip is x and epilogue.skip_share != 0
    plan = AttentionPlan(graph, loops, attention.scores, joined, epilogue, keep, scale, record)
    skip = None if joined or epilogue.skip_share == 0 else skip
    y: Any = _Attention.apply(plan, x, *parameters, attention.bias, skip)
    return y


def per_head(x: Tensor, weight: Tensor) -> Tensor:
    """Each head's x W_h: [n, in] and [heads, in, d] to [n, heads, d], in one product."""
    return product(x, joined_heads(weight)).view(len(x), len(weight), -1)


def joined_heads(weight: Tensor) -> Tensor:
    """The heads' matrices [heads, in, d] side by side, [in, heads·d]."""
    return weight.transpose(0, 1).reshape(weight.shape[1], -1)


def node_scores(x: Tensor, weight: Tensor, source: Tensor, target: Tensor | None) -> Tensor:
    """a_s·(x W) and a_t·(x W) for each head: [n, 2, heads]."""
    assert target is not None, "static attention has two vectors"
    # a·(W x) as (W a)·x: two columns per head, in place of products the size of the features.
    vectors = torch.stack([source, target], dim=-1)
    columns = (weight @ vectors).permute(1, 2, 0).reshape(weight.shape[1], -1)
    return product(x, columns).view(len(x), 2, -1)


def _step_by_step(
    graph: KernelGraph, x: Tensor, attention: Attention, keep: Tensor | None = None, scale: float = 1.0
) -> Tensor:
    """Attention without the bias, [nodes, heads, d]; keep, bool [entries, heads], is drawn where it is None."""
    values = per_head(x, attention.weight)
    scores = attention.scores.of(graph, x, attention.weight, values, attention.first, attention.second)
    factors = None
    if keep is not None:
        factors = torch.empty_like(scores)
        factors[graph.structure.incoming.edges.long()] = keep.to(scores.dtype) * scale
    elif attention.dropout:
        factors = functional.dropout(torch.ones_like(scores), attention.dropout)
    return graph.softmax_sum(values, scores, factors)


def _merged(z: Tensor, attention: Attention) -> Tensor:
    """The heads of z as one, with the bias."""
    z = z.mean(1) if attention.mean else z.flatten(1)
    return z if attention.bias is None else z + attention.bias


def _loops(graph: KernelGraph, x: Tensor, attention: Attention, skip: Tensor | None) -> Callable[..., Any] | None:
    """The kernel's loops for attention of this kind; None where it is to be taken step by step."""
    others = (attention.weight, attention.first, attention.second, attention.bias, skip)
    if can_fuse(graph, x, *others, norm=None):
        return graph.backend.attention_loops(type(attention.scores))
    return None


def _check(graph: KernelGraph, x: Tensor, attention: Attention, skip: Tensor | None) -> None:
    """Raise BuildError if the parts do not fit: loops do not look."""
    _, weight, first, second, _, mean, bias = attention
    heads, _, d = weight.shape
    nodes, width = graph.nodes, d if mean else heads * d
    fits = (
        len(x) == graph.sources
        and first.shape == (heads, d)
        and (second is None or second.shape in (first.shape, weight.shape))
        and (bias is None or bias.shape == (width,))
        and (skip is None or skip.shape == (nodes, width))
    )
    if not fits:
        parts = {"features": x, "weight": weight, "first": first, "second": second, "bias": bias, "skip": skip}
        raise BuildError(
            f"attention — got {shapes(parts)} — expected features [{graph.sources}, in] for the graph's sources, a "
            f"skip [{nodes}, {width}] for its nodes, and parameters for {heads} heads of width {d}"
        )


class AttentionPlan(NamedTuple):
    """All of a block but its tensors.

    loops: see `Kernel.attention_loops`. skip_is_x: skip is x itself, of a whole graph. keep: of a dropout, bool
    [entries, heads] in the order of the incoming rows, or None, and scale, the factor of what is kept. record: for a
    backward pass.
    """

    graph: KernelGraph
    loops: Callable[..., Any]
    scores: Scores
    skip_is_x: bool
    epilogue: Epilogue
    keep: Tensor | None
    scale: float
    record: bool


class _Attention(Function):
    """`attention_block` by a kernel's loops, its heads side by side; parameters: weight, first, second, bias, skip.

    Values, scores and weights are made once more in the backward pass, in memory that all blocks share.
    """

    @staticmethod
    def forward(ctx: Any, plan: AttentionPlan, x: Tensor, *parameters: Tensor | None) -> Tensor:
        *parts, bias, skip = parameters
        y, mask = plan.loops(plan, x, *parts).forward(bias, x if plan.skip_is_x else skip)
        if plan.record:
            ctx.save_for_backward(x, *parts, bias, mask)
            ctx.plan = plan
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        """Compute the gradients, by differentiable operators where they are to be differentiated themselves."""
        gradients = _any_order(ctx, dy) if torch.is_grad_enabled() else _first_order(ctx, dy.contiguous())
        return None, *gradients, dy * ctx.plan.epilogue.skip_share if ctx.needs_input_grad[6] else None


def _first_order(ctx: Any, dy: Tensor) -> list[Tensor | None]:
    """∂/∂x, ∂/∂weight, ∂/∂first, ∂/∂second, ∂/∂bias by the kernel's loops."""
    x, weight, first, second, _, mask = ctx.saved_tensors
    plan: AttentionPlan = ctx.plan
    kernel: Any = plan.graph.backend  # one that fuses, as it has loops
    dz, dbias = kernel.epilogue_backward(dy, mask, plan.epilogue)
    dvalues, dfirst, dsecond, dtargets = plan.loops(plan, x, weight, first, second).backward(dz)
    joined, dx = joined_heads(weight), None
    if ctx.needs_input_grad[1]:
        through = dy if plan.skip_is_x else None
        dx = through_product(dvalues, joined, through, plan.epilogue.skip_share, kernel)
    dweight = _by_head(x.t() @ dvalues, weight)
    if dtargets is not None:  # of a second matrix, at the destinations
        here = x[: plan.graph.nodes]
        dsecond = _by_head(here.t() @ dtargets, weight)
        if dx is not None:
            dx[: plan.graph.nodes].addmm_(dtargets, joined_heads(second).t())
    return [dx, dweight, dfirst, dsecond, dbias if ctx.needs_input_grad[5] else None]


def _any_order(ctx: Any, dy: Tensor) -> list[Tensor | None]:
    """The same by operators that are differentiable."""
    x, weight, first, second, bias, *_ = ctx.saved_tensors
    plan: AttentionPlan = ctx.plan
    # Names of their own in the graph of the gradients: one may have been made of another.
    parts = [None if part is None else part.view_as(part) for part in (x, weight, first, second, bias)]
    attention = Attention(plan.scores, *parts[1:4], bias=parts[4])  # pyright: ignore[reportArgumentType]
    z = _merged(_step_by_step(plan.graph, parts[0], attention, plan.keep, plan.scale), attention)  # pyright: ignore
    y = finished(z, None, plan.epilogue)
    asked_for = ctx.needs_input_grad[1:6]
    wanted = [part for part, asked in zip(parts, asked_for, strict=True) if asked]
    found = iter(torch.autograd.grad(y, wanted, dy, create_graph=True) if wanted else ())  # pyright: ignore
    gradients: list[Tensor | None] = [next(found) if asked else None for asked in asked_for]
    if gradients[0] is not None and plan.skip_is_x:
        gradients[0] = gradients[0] + plan.epilogue.skip_share * dy
    return gradients


def _by_head(dweight: Tensor, weight: Tensor) -> Tensor:
    """[in, heads·d] as [heads, in, d]."""
    return dweight.view(weight.shape[1], len(weight), -1).transpose(0, 1)
