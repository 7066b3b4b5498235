"""A convolution that is affine in what it propagates, with all that a block does after it, as one operator."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from zoo.graphs.buffers import Buffers
from zoo.graphs.epilogue import Epilogue
from zoo.graphs.kernel import FusingKernel, Norm
from zoo.graphs.operators import NeighbourSum
from zoo.graphs.sparse_input import product, takes_loops


class Affine(NamedTuple):
    """z = Â x W + x V + b, with Â by `norm`; root_weight is V, bias is b, None where there is none."""

    weight: Tensor
    norm: Norm
    root_weight: Tensor | None = None
    bias: Tensor | None = None


def affine_block(graph: Any, x: Tensor, affine: Affine, skip: Tensor | None, epilogue: Epilogue) -> Tensor:
    """share·act(z) + skip_share·skip; x: [sources, in], skip and the result: [nodes, out].

    One operator, which saves x and one mask, where the graph's kernel fuses; else, and for what that does not cover
    (half precision, function transforms, a product that makes features wider, samples, features that are zero nearly
    everywhere), the same step by step.
    """
    if _fusable(graph, x, affine, skip):
        before, after, loops = graph._scaling(affine.norm, x.dtype)
        if loops is None:
            joined = skip is x and epilogue.skip_share != 0
            skip = None if joined or epilogue.skip_share == 0 else skip
            plan = _Plan(graph._kernel, graph.nodes, before, after, epilogue, joined, torch.is_grad_enabled())
            return _AffineBlock.apply(x, affine.weight, affine.root_weight, affine.bias, skip, plan)
    z = _propagated(graph, x, affine)
    if affine.root_weight is not None:
        z = z + product(graph.at_destinations(x), affine.root_weight)
    return finished(z if affine.bias is None else z + affine.bias, skip, epilogue)


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
    return skip + y if skip_share == 1 else torch.add(y, skip.to(y.dtype), alpha=skip_share)


def _propagated(graph: Any, x: Tensor, affine: Affine) -> Tensor:
    """Â x W, in whichever order moves fewer columns over the edges."""
    widens = affine.weight.shape[0] < affine.weight.shape[1]
    if widens:
        return graph.propagate(x, affine.norm) @ affine.weight
    return graph.propagate(product(x, affine.weight), affine.norm)


def _fusable(graph: Any, x: Tensor, affine: Affine, skip: Tensor | None) -> bool:
    return (
        isinstance(graph._kernel, FusingKernel)
        and affine.weight.shape[0] >= affine.weight.shape[1]
        and takes_loops(x, affine.weight, affine.root_weight, affine.bias, skip)
    )


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
    """`affine_block` by a kernel that fuses.

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
        width = weight.shape[1]
        h = torch.mm(x, weight, out=kernel.scratch("h", (len(x), width), x.dtype))
        root = None
        if root_weight is not None:
            root = torch.mm(x[:nodes], root_weight, out=kernel.scratch("root", (nodes, width), x.dtype))
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
        dweight = torch.mm(x.t(), dh) if wanted[1] else None
        droot = x[: plan.nodes].t() @ dz if wanted[2] else None
        dskip = dy * plan.epilogue.skip_share if wanted[4] else None
        return dx, dweight, droot, dbias if wanted[3] else None, dskip, None


def _first_order(plan: _Plan, dy: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """∂/∂z, ∂/∂bias, ∂/∂h by the kernel, in memory that the next block uses again."""
    return plan.kernel.block_backward(dy.contiguous(), mask, plan.before, plan.after, plan.epilogue)


def _any_order(plan: _Plan, dy: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """The same by operators that are differentiable."""
    slope, share, _ = plan.epilogue
    dz = dy * share if mask is None else torch.where(mask, dy * share, dy * (share * slope))
    dh: Any = NeighbourSum.apply(dz, plan.kernel, plan.after, plan.before, True)
    return dz, dz.sum(0), dh


def through_product(
    dh: Tensor, weight: Tensor, dy: Tensor | None, skip_share: float, buffers: Buffers | None
) -> Tensor:
    """∂/∂x = dh Wᵀ, + skip_share·dy where x is the skip, too; in memory of the buffers, if there are any."""
    shape = torch.Size((len(dh), len(weight)))
    out = None if buffers is None else buffers.take(shape, dh.dtype, "gradients")
    if dy is None:
        return torch.mm(dh, weight.t(), out=out)
    return torch.addmm(dy, dh, weight.t(), beta=skip_share, out=out)


def _input_gradient(
    plan: _Plan, weight: Tensor, root_weight: Tensor | None, dy: Tensor, dz: Tensor, dh: Tensor, once: bool
) -> Tensor:
    """∂/∂x = dh Wᵀ + skip_share·dy, where skip is x, + dz Vᵀ, at the destinations."""
    buffers = plan.kernel.buffers if once else None
    dx = through_product(dh, weight, dy if plan.skip_is_x else None, plan.epilogue.skip_share, buffers)
    if root_weight is None:
        return dx
    if once:  # dx is nobody's yet
        dx[: plan.nodes].addmm_(dz, root_weight.t())
        return dx
    root = dz @ root_weight.t()
    return dx + root if len(dx) == plan.nodes else torch.cat([dx[: plan.nodes] + root, dx[plan.nodes :]])
