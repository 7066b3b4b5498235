"""Affine blocks one after the other as one operator: what PyTorch does for each operator is done once for them all."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from zoo.engine.affine import Affine, affine_block, through_product
from zoo.engine.attention import Attention, attention_block
from zoo.engine.eligibility import can_fuse
from zoo.engine.epilogue import Epilogue
from zoo.engine.kernel import FusingKernel
from zoo.engine.products import add_times, times, weight_gradient
from zoo.graph_like import Norm


def fused_block(
    graph: Any,
    x: Tensor,
    operands: Affine | Attention,
    skip: Tensor | None = None,
    epilogue: Epilogue = Epilogue(),  # noqa: B008 - a constant
) -> Tensor:
    """share·act(z) + skip_share·skip, z being the convolution of these operands, as one operator where that can be.

    x: [sources, in], skip and the result: [nodes, out].
    """
    if isinstance(operands, Affine):
        return affine_block(graph, x, operands, skip, epilogue)
    return attention_block(graph, x, operands, skip, epilogue)


class Link(NamedTuple):
    """A block share·act(z) + skip_share·x, z = Â x W + x V + b; skips: whether x is added."""

    affine: Affine
    epilogue: Epilogue
    skips: bool


def affine_chain(graph: Any, x: Tensor, links: Sequence[Link]) -> Tensor | None:
    """What `affine_block` makes of x, one link after the other, to the bit; x: [nodes, in], on a whole graph.

    None where that is not one operator: where a single block is none (see there), or where blocks share a tensor, whose
    gradients would be summed in another order.
    """
    if graph.sources != graph.nodes or not can_fuse(graph, x, norm=links[0].affine.norm):
        return None
    tensors: list[Tensor | None] = []
    steps: list[_Step] = []
    width = x.shape[-1]
    for (weight, norm, root_weight, bias), epilogue, skips in links:
        before, after, _ = graph._scaling(norm, x.dtype)
        if weight.shape[0] != width or weight.shape[0] < weight.shape[1]:
            return None
        width = weight.shape[1]
        if skips and weight.shape[0] != width:
            return None
        tensors += weight, root_weight, bias
        steps.append(_Step(norm, before, after, epilogue, skips and epilogue.skip_share != 0))
    there = [tensor for tensor in tensors if tensor is not None]
    if len(set(map(id, there))) < len(there) or any(tensor.dtype != x.dtype for tensor in there):
        return None
    plan = _Plan(graph, graph._kernel, steps, torch.is_grad_enabled())
    return _Chain.apply(x, plan, *tensors)  # pyright: ignore[reportReturnType]


class _Step(NamedTuple):
    """A link but for its tensors, which autograd alone is to hold: scales of the propagation, and what follows it."""

    norm: Norm
    before: Tensor | None
    after: Tensor | None
    epilogue: Epilogue
    skips: bool


class _Plan(NamedTuple):
    graph: Any
    kernel: FusingKernel
    steps: list[_Step]
    keep: bool


class _Chain(Function):
    """`affine_chain`. tensors: weight, root weight and bias of each link. Of features it saves each x and mask."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, plan: _Plan, *tensors: Tensor | None) -> Tensor:
        """Compute the result."""
        kernel, nodes = plan.kernel, len(x)
        inputs: list[Tensor] = []
        masks: list[Tensor | None] = []
        for place, (_, before, after, epilogue, skips) in enumerate(plan.steps):
            weight, root_weight, bias = tensors[3 * place : 3 * place + 3]
            assert weight is not None
            shape = nodes, weight.shape[1]
            h = times(x, weight, out=kernel.scratch("h", shape, x.dtype))
            root = None if root_weight is None else times(x, root_weight, out=kernel.scratch("root", shape, x.dtype))
            inputs.append(x)
            x, mask = kernel.block_forward(h, before, after, root, bias, x if skips else None, epilogue, plan.keep)
            masks.append(mask)
        if plan.keep:
            ctx.save_for_backward(*inputs, *masks, *tensors)
            ctx.plan = plan
        return x

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        """Compute the gradients, by single blocks where they are to be differentiated themselves."""
        plan, many = ctx.plan, len(ctx.plan.steps)
        saved = ctx.saved_tensors
        inputs, masks, tensors = saved[:many], saved[many : 2 * many], saved[2 * many :]
        wanted = ctx.needs_input_grad
        if torch.is_grad_enabled():
            return _any_order(plan, inputs[0], tensors, dy, wanted)
        kernel = plan.kernel
        found: list[Tensor | None] = [None] * len(tensors)
        ours = False  # whether dy is a gradient of this chain's own making, which nobody else sees
        for place in reversed(range(many)):
            _, before, after, epilogue, skips = plan.steps[place]
            x, weight, root_weight = inputs[place], *tensors[3 * place : 3 * place + 2]
            wants_weight, wants_root, wants_bias = wanted[2 + 3 * place : 5 + 3 * place]
            dz, dbias, dh = kernel.block_backward(dy.contiguous(), masks[place], before, after, epilogue)
            found[3 * place] = weight_gradient(x, dh) if wants_weight else None
            found[3 * place + 1] = weight_gradient(x, dz) if wants_root else None
            found[3 * place + 2] = dbias if wants_bias else None
            if not (place or wanted[0]):
                return None, None, *found
            if skips and ours:
                dy.addmm_(dh, weight.t(), beta=epilogue.skip_share)
            else:
                dy = through_product(dh, weight, dy if skips else None, epilogue.skip_share, kernel)
                ours = True
            if root_weight is not None:
                add_times(dy, dz, root_weight.t())
        return dy, None, *found


def _any_order(plan: _Plan, x: Tensor, tensors: Sequence[Tensor | None], dy: Tensor, wanted: Sequence[bool]) -> Any:
    """The gradients as differentiable functions of x, the tensors and dy."""
    y = x
    for place, step in enumerate(plan.steps):
        weight, root_weight, bias = tensors[3 * place : 3 * place + 3]
        assert weight is not None
        affine = Affine(weight, step.norm, root_weight, bias)
        y = affine_block(plan.graph, y, affine, y if step.skips else None, step.epilogue)
    given = [x, None, *tensors]
    sought = [tensor for tensor, needed in zip(given, wanted, strict=True) if needed and tensor is not None]
    found = iter(torch.autograd.grad(y, sought, dy, create_graph=True))
    return tuple(
        next(found) if needed and tensor is not None else None for tensor, needed in zip(given, wanted, strict=True)
    )
