"""Blocks whose convolution is affine in what it propagates, each or several in a row as one operator."""

# pyright: reportIncompatibleMethodOverride=false
# PyTorch declares other arguments for the methods of autograd's functions than it calls them with.

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from zoo.engine.eligibility import can_fuse
from zoo.engine.kernel import Epilogue, FusingKernel, KernelGraph, Scaling
from zoo.engine.operators import NeighbourSum, members_first
from zoo.engine.sparse_input import product
from zoo.errors import BuildError
from zoo.graph_like import Norm
from zoo.system.private import is_transformed


class Affine(NamedTuple):
    """z = Â x W + x V + b, with Â by `norm`; root_weight is V, bias is b, None where there is none."""

    weight: Tensor
    norm: Norm
    root_weight: Tensor | None = None
    bias: Tensor | None = None


class Link(NamedTuple):
    """A block share·act(z) + skip_share·x, z = Â x W + x V + b; skips: whether x is added."""

    affine: Affine
    epilogue: Epilogue
    skips: bool


def affine_block(graph: KernelGraph, x: Tensor, affine: Affine, skip: Tensor | None, epilogue: Epilogue) -> Tensor:
    """share·act(z) + skip_share·skip; x: [sources, in], skip and the result: [nodes, out].

    One operator, which saves x and one mask, where the graph's kernel fuses; else, and for what that does not cover
    (half precision, a product that makes features wider, samples, features that are zero nearly everywhere), the same
    step by step. Under a `torch.vmap` it is one for all members, under other function transforms step by step.
    """
    if len(x) != graph.sources:
        raise BuildError(
            f"block — got features {list(x.shape)} for a graph of {graph.sources} nodes — expected one row for each"
        )
    weight, norm, root_weight, bias = affine
    widens = weight.shape[0] < weight.shape[1]
    if not widens and can_fuse(graph, x, weight, root_weight, bias, skip, norm=norm, members=True):
        joined = skip is x and epilogue.skip_share != 0
        skip = None if joined or epilogue.skip_share == 0 else skip
        steps = (_Step(norm, graph.scaling(norm, x.dtype), epilogue, joined),)
        operator: Any = _OfMembers if is_transformed() else _Blocks
        plan = _Plan(graph, graph.backend, steps, torch.is_grad_enabled())  # pyright: ignore[reportArgumentType]
        return operator.apply(x, skip, plan, weight, root_weight, bias)
    # In the order that moves fewer columns over the edges.
    z = graph.propagate(x, norm) @ weight if widens else graph.propagate(product(x, weight), norm)
    if root_weight is not None:
        z = z + product(graph.at_destinations(x), root_weight)
    return finished(z if bias is None else z + bias, skip, epilogue)


def affine_chain(graph: KernelGraph, x: Tensor, links: Sequence[Link]) -> Tensor | None:
    """The result of `affine_block` for one link after the other, to the bit; x: [nodes, in], on a whole graph.

    None where that is not one operator: where a single block is none (see there), or where blocks share a tensor, whose
    gradients would be summed in another order.
    """
    if graph.sources != graph.nodes or not can_fuse(graph, x, norm=links[0].affine.norm):
        return None
    tensors: list[Tensor | None] = []
    steps: list[_Step] = []
    width = x.shape[-1]
    for (weight, norm, root_weight, bias), epilogue, skips in links:
        if weight.shape[0] != width or weight.shape[0] < weight.shape[1]:
            return None
        width = weight.shape[1]
        if skips and weight.shape[0] != width:
            return None
        tensors += weight, root_weight, bias
        steps.append(_Step(norm, graph.scaling(norm, x.dtype), epilogue, skips and epilogue.skip_share != 0))
    there = [tensor for tensor in tensors if tensor is not None]
    if len(set(map(id, there))) < len(there) or any(tensor.dtype != x.dtype for tensor in there):
        return None
    plan = _Plan(graph, graph.backend, steps, torch.is_grad_enabled())  # pyright: ignore[reportArgumentType]
    return _Blocks.apply(x, None, plan, *tensors)  # pyright: ignore[reportReturnType]


def finished(z: Tensor, skip: Tensor | None, epilogue: Epilogue) -> Tensor:
    """share·act(z) + skip_share·skip, step by step."""
    slope, share, skip_share = epilogue
    y = z
    if slope != 1:
        y = torch.relu(z) if slope == 0 else torch.nn.functional.leaky_relu(z, slope)
    if share != 1:
        y = y * share
    if skip is None or skip_share == 0:
        return y
    if skip.shape != y.shape:
        raise BuildError(
            f"residual — got a skip {list(skip.shape)} beside an update {list(y.shape)} — expected equal shapes — a "
            "convolution that keeps the width, or no skip"
        )
    return skip + y if skip_share == 1 else torch.add(y, skip.to(y.dtype), alpha=skip_share)


class _Step(NamedTuple):
    """A block but for its tensors: scales of the propagation, and what follows it. skips: its skip is its input."""

    norm: Norm
    scaling: Scaling
    epilogue: Epilogue
    skips: bool


class _Plan(NamedTuple):
    """All of some blocks but their tensors, which autograd alone is to hold. keep: for a backward pass."""

    graph: KernelGraph
    kernel: FusingKernel
    steps: Sequence[_Step]
    keep: bool


class _Blocks(Function):
    """Blocks by a kernel that fuses, of one network, or of several, whose tensors have one more, leading, dimension.

    tensors: weight, root weight and bias of each. skip: of a single block whose skip is not its input. Of features it
    saves each block's input and mask; its products go into memory that all blocks share.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, skip: Tensor | None, plan: _Plan, *tensors: Tensor | None) -> Tensor:
        graph, kernel, steps, keep = plan
        *members, sources, _ = x.shape
        inputs: list[Tensor] = []
        masks: list[Tensor | None] = []
        for place, (_, scaling, epilogue, skips) in enumerate(steps):
            weight, root_weight, bias = tensors[3 * place : 3 * place + 3]
            assert weight is not None
            width = weight.shape[-1]
            h = _times(x, weight, out=kernel.scratch("h", (*members, sources, width), x.dtype))
            root = None
            if root_weight is not None:
                into = kernel.scratch("root", (*members, graph.nodes, width), x.dtype)
                root = _times(x[..., : graph.nodes, :], root_weight, out=into)
            inputs.append(x)
            x, mask = kernel.block_forward(h, scaling, (root, bias, x if skips else skip), epilogue, keep)
            masks.append(mask)
        if keep:
            ctx.save_for_backward(*inputs, *masks, *tensors)
            ctx.plan = plan
        return x

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        """Compute the gradients, by differentiable operators where they are to be differentiated themselves."""
        plan, wanted, saved = ctx.plan, ctx.needs_input_grad, ctx.saved_tensors  # checkpoints let them be read once
        graph, kernel, steps, _ = plan
        many = len(steps)
        inputs, masks, tensors = saved[:many], saved[many : 2 * many], saved[2 * many :]
        if torch.is_grad_enabled():
            once_more = _block_gradients if many == 1 else _chain_gradients
            return once_more(plan, inputs[0], masks[0], tensors, dy, wanted)
        dskip = dy * steps[0].epilogue.skip_share if wanted[1] else None
        found: list[Tensor | None] = [None] * len(tensors)
        ours = False  # whether dy is a gradient of this operator's own making, which nobody else sees
        for place in reversed(range(many)):
            _, scaling, epilogue, skips = steps[place]
            x, weight, root_weight = inputs[place], *tensors[3 * place : 3 * place + 2]
            wants_weight, wants_root, wants_bias = wanted[3 + 3 * place : 6 + 3 * place]
            dz, dbias, dh = kernel.block_backward(dy.contiguous(), masks[place], scaling, epilogue)
            found[3 * place] = _weight_gradient(x, dh) if wants_weight else None
            found[3 * place + 1] = _weight_gradient(x[..., : graph.nodes, :], dz) if wants_root else None
            found[3 * place + 2] = dbias if wants_bias else None
            if not (place or wanted[0]):
                return None, dskip, None, *found
            if skips and ours:
                _add_times(dy, dh, weight.mT, share=epilogue.skip_share)
            else:
                dy = through_product(dh, weight, dy if skips else None, epilogue.skip_share, kernel)
                ours = True
            if root_weight is not None:
                _add_times(dy[..., : graph.nodes, :], dz, root_weight.mT)
        return dy, dskip, None, *found


class _OfMembers(Function):
    """`_Blocks` for one block under a `torch.vmap`: one operator for all members, whose features are stacked."""

    @staticmethod
    def forward(*inputs: Any) -> Tensor:
        """Never called: `vmap` is."""
        raise NotImplementedError

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        """Nothing is kept here."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, *inputs: Any) -> tuple[Tensor, int]:
        """The operator on stacks [members, …] of all tensors; what members share is taken as each one's."""
        y: Any = _Blocks.apply(*members_first(info.batch_size, in_dims, inputs))
        return y, 0


def _block_gradients(
    plan: _Plan, x: Tensor, mask: Tensor | None, tensors: Sequence[Any], dy: Tensor, wanted: Sequence[bool]
) -> Any:
    """The gradients of a single block, each by operators that are differentiable."""
    kernel, nodes = plan.kernel, plan.graph.nodes
    _, (before, after, _), (slope, share, skip_share), skips = plan.steps[0]
    weight, root_weight, _ = tensors
    dz = dy * share if mask is None else torch.where(mask, dy * share, dy * (share * slope))
    if dz.dim() == 2:
        dh: Any = NeighbourSum.apply(dz, kernel, after, before, True)
    else:
        dh = torch.vmap(lambda one: NeighbourSum.apply(one, kernel, after, before, True))(dz)
    dx = None
    if wanted[0]:
        dx = through_product(dh, weight, dy if skips else None, skip_share, None)
        if root_weight is not None:
            here = _times(dz, root_weight.mT, add=dx[..., :nodes, :])
            dx = here if dx.shape[-2] == nodes else torch.cat([here, dx[..., nodes:, :]], dim=-2)
    dskip = dy * skip_share if wanted[1] else None
    dweight = _weight_gradient(x, dh) if wanted[3] else None
    droot = _weight_gradient(x[..., :nodes, :], dz) if wanted[4] else None
    return dx, dskip, None, dweight, droot, dz.sum(-2) if wanted[5] else None


def _chain_gradients(
    plan: _Plan, x: Tensor, mask: Tensor | None, tensors: Sequence[Any], dy: Tensor, wanted: Sequence[bool]
) -> Any:
    """The gradients of a chain as differentiable functions of x, the tensors and dy: those of its single blocks."""
    y = x
    for place, step in enumerate(plan.steps):
        weight, root_weight, bias = tensors[3 * place : 3 * place + 3]
        affine = Affine(weight, step.norm, root_weight, bias)
        y = affine_block(plan.graph, y, affine, y if step.skips else None, step.epilogue)
    given = [x, None, None, *tensors]
    sought = [tensor if needed else None for tensor, needed in zip(given, wanted, strict=True)]
    found = iter(torch.autograd.grad(y, [one for one in sought if one is not None], dy, create_graph=True))
    return tuple(None if one is None else next(found) for one in sought)


def through_product(
    dh: Tensor, weight: Tensor, dy: Tensor | None, skip_share: float, kernel: FusingKernel | None
) -> Tensor:
    """∂/∂x = dh Wᵀ, + skip_share·dy where x is the skip, too; differentiable, or in memory of a kernel's."""
    out = None
    if kernel is not None:
        shape = torch.Size((*dh.shape[:-1], weight.shape[-2]))
        buffers = kernel.buffers
        out = dh.new_empty(shape) if buffers is None else buffers.take(shape, dh.dtype, "gradients")
    return _times(dh, weight.mT, out=out, add=dy, share=skip_share)


def _times(
    x: Tensor, weight: Tensor, *, out: Tensor | None = None, add: Tensor | None = None, share: float = 1
) -> Tensor:
    """Return x W + share·add, member by member; with `out` in its memory, and then without gradients."""
    if add is None:
        return torch.mm(x, weight, out=out) if x.dim() == 2 else torch.bmm(x, weight, out=out)
    run = torch.addmm if x.dim() == 2 else torch.baddbmm
    return run(add, x, weight, beta=share, out=out)


def _add_times(to: Tensor, x: Tensor, weight: Tensor, *, share: float = 1) -> None:
    """Set `to` to share·to + x W, member by member."""
    if x.dim() == 2:
        to.addmm_(x, weight, beta=share)
    else:
        to.baddbmm_(x, weight, beta=share)


def _weight_gradient(x: Tensor, dy: Tensor) -> Tensor:
    """∂/∂W of x W, from ∂/∂(x W): xᵀ dy."""
    return torch.mm(x.t(), dy) if x.dim() == 2 else torch.bmm(x.mT, dy)
