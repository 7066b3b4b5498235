"""A convolution that is affine in what it propagates, with all that a block does after it, as one operator."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from zoo.engine.eligibility import can_fuse
from zoo.engine.epilogue import Epilogue
from zoo.engine.kernel import FusingKernel
from zoo.engine.operators import NeighbourSum
from zoo.engine.products import add_times, times, weight_gradient
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


def affine_block(graph: Any, x: Tensor, affine: Affine, skip: Tensor | None, epilogue: Epilogue) -> Tensor:
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
        before, after, _ = graph._scaling(norm, x.dtype)
        joined = skip is x and epilogue.skip_share != 0
        skip = None if joined or epilogue.skip_share == 0 else skip
        plan = _Plan(graph._kernel, graph.nodes, before, after, epilogue, joined, torch.is_grad_enabled())
        operator: Any = _OfMembers if is_transformed() else _AffineBlock
        return operator.apply(x, weight, root_weight, bias, skip, plan)
    z = _propagated(graph, x, affine)
    if root_weight is not None:
        z = z + product(graph.at_destinations(x), root_weight)
    return finished(z if bias is None else z + bias, skip, epilogue)


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


def _propagated(graph: Any, x: Tensor, affine: Affine) -> Tensor:
    """Â x W, in whichever order moves fewer columns over the edges."""
    widens = affine.weight.shape[0] < affine.weight.shape[1]
    if widens:
        return graph.propagate(x, affine.norm) @ affine.weight
    return graph.propagate(product(x, affine.weight), affine.norm)


class _Plan(NamedTuple):
    """All of a block but its tensors, in one: PyTorch looks at each argument of an operator several times.

    nodes: destinations. before, after: scales of the propagation. skip_is_x: the skip is x itself, of a whole graph.
    keep: for a backward pass.
    """

    kernel: FusingKernel
    nodes: int
    before: Tensor | None
    after: Tensor | None
    epilogue: Epilogue
    skip_is_x: bool
    keep: bool


class _AffineBlock(Function):
    """`affine_block` by a kernel that fuses, of one network, or of several (`zoo.engine.products`).

    Of features it saves x and the mask, and its products go into memory that all blocks share.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        root_weight: Tensor | None,
        bias: Tensor | None,
        skip: Tensor | None,
        plan: _Plan,
    ) -> Tensor:
        """Compute the result."""
        kernel, nodes, before, after, epilogue, skip_is_x, keep = plan
        *members, sources, _ = x.shape
        width = weight.shape[-1]
        h = times(x, weight, out=kernel.scratch("h", (*members, sources, width), x.dtype))
        root = None
        if root_weight is not None:
            into = kernel.scratch("root", (*members, nodes, width), x.dtype)
            root = times(x[..., :nodes, :], root_weight, out=into)
        through = x if skip_is_x else skip
        y, mask = kernel.block_forward(h, before, after, root, bias, through, epilogue, keep)
        if keep:
            ctx.save_for_backward(x, weight, root_weight, mask)
            ctx.plan = plan
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        """Compute the gradients, by differentiable operators where they are to be differentiated themselves."""
        x, weight, root_weight, mask = ctx.saved_tensors  # checkpointing lets them be read once
        wanted, plan = ctx.needs_input_grad, ctx.plan
        once = not torch.is_grad_enabled()
        dz, dbias, dh = (_first_order if once else _any_order)(plan, dy, mask)
        dx = _input_gradient(plan, weight, root_weight, dy, dz, dh, once) if wanted[0] else None
        dweight = weight_gradient(x, dh) if wanted[1] else None
        droot = weight_gradient(x[..., : plan.nodes, :], dz) if wanted[2] else None
        dskip = dy * plan.epilogue.skip_share if wanted[4] else None
        return dx, dweight, droot, dbias if wanted[3] else None, dskip, None


def _first_order(plan: _Plan, dy: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """∂/∂z, ∂/∂bias, ∂/∂h by the kernel, in memory that the next block uses again."""
    return plan.kernel.block_backward(dy.contiguous(), mask, plan.before, plan.after, plan.epilogue)


def _any_order(plan: _Plan, dy: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """The same by operators that are differentiable."""
    slope, share, _ = plan.epilogue
    dz = dy * share if mask is None else torch.where(mask, dy * share, dy * (share * slope))
    backwards = plan.kernel, plan.after, plan.before, True
    if dz.dim() == 2:
        dh: Any = NeighbourSum.apply(dz, *backwards)
    else:
        dh = torch.vmap(lambda one: NeighbourSum.apply(one, *backwards))(dz)
    return dz, dz.sum(-2), dh


def through_product(
    dh: Tensor, weight: Tensor, dy: Tensor | None, skip_share: float, kernel: FusingKernel | None
) -> Tensor:
    """∂/∂x = dh Wᵀ, + skip_share·dy where x is the skip, too; differentiable, or in memory of a kernel's."""
    out = None
    if kernel is not None:
        shape = torch.Size((*dh.shape[:-1], weight.shape[-2]))
        taken = kernel.buffers
        out = dh.new_empty(shape) if taken is None else taken.take(shape, dh.dtype, "gradients")
    return times(dh, weight.mT, out=out, add=dy, share=skip_share)


def _input_gradient(
    plan: _Plan, weight: Tensor, root_weight: Tensor | None, dy: Tensor, dz: Tensor, dh: Tensor, once: bool
) -> Tensor:
    """∂/∂x = dh Wᵀ + skip_share·dy, where skip is x, + dz Vᵀ, at the destinations."""
    kernel, nodes = plan.kernel if once else None, plan.nodes
    dx = through_product(dh, weight, dy if plan.skip_is_x else None, plan.epilogue.skip_share, kernel)
    if root_weight is None:
        return dx
    if once:  # dx is nobody's yet
        add_times(dx[..., :nodes, :], dz, root_weight.mT)
        return dx
    here = times(dz, root_weight.mT, add=dx[..., :nodes, :])
    return here if dx.shape[-2] == nodes else torch.cat([here, dx[..., nodes:, :]], dim=-2)


class _OfMembers(Function):
    """`_AffineBlock` under a `torch.vmap`: one operator for all members, whose features are stacked."""

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
        *tensors, plan = inputs
        stacks = [
            None
            if tensor is None
            else (tensor.expand(info.batch_size, *tensor.shape) if place is None else tensor.movedim(place, 0))
            for tensor, place in zip(tensors, in_dims, strict=False)
        ]
        y: Any = _AffineBlock.apply(*stacks, plan)
        return y, 0
