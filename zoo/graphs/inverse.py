"""X' = X + f(X) without keeping X: where f contracts, X is had back from X' by fixed-point iteration."""

import math
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd import Function

from zoo.engine.affine import Affine, affine_block
from zoo.engine.epilogue import Epilogue
from zoo.errors import BuildError, TrainingError
from zoo.graphs.kept import Kept
from zoo.system.private import is_transformed

WAY_OUT = "training.memory=checkpoint keeps every √L-th input"

# The last change of X, against X', in units of the precision's rounding error.
_TOLERANCE = 8.0
# The change shrinks by the contraction's factor each time: 0.9 takes 130 of them to the tolerance in float32.
_ITERATIONS = 400


def reversible_block(graph: Any, x: Tensor, affine: Affine, slope: float) -> Tensor:
    """Return x + act(z), as `affine_block` gives it; x and the result are [nodes, width], on a whole graph.

    Neither x nor z is kept: the backward pass starts from the output, which the operator after this one hands back.
    Of a chain only the first input and the last output are kept.

    ‖Â‖₂ ≤ 1 for norm "both"; for "right" no row is longer after Â than the longest was before. So f contracts by the
    sum of the spectral norms of W and V, and x ← x' − f(x) converges at that rate from anywhere; in networks that
    train, two to five times as fast. What is left is rounding: x comes back to about 1e-7 a block in float32, and
    its gradients are those of `affine_block` up to what rounding makes of them there as well (docs/memory.md).

    Source: Behrmann, Grathwohl, Chen, Duvenaud & Jacobsen, "Invertible residual networks", ICML 2019, algorithm 1; they
    use it to sample, not to save memory.
    Raises: BuildError for a sampled graph, half precision, or gradients of gradients; TrainingError where f does not
    contract.
    """
    if not torch.is_grad_enabled() or is_transformed():
        return affine_block(graph, x, affine, x, Epilogue(slope, 1.0, 1.0))
    if graph.sources != graph.nodes:
        raise BuildError(
            f"training.memory — reversible, but a sampled graph of {graph.sources} sources and {graph.nodes} nodes has "
            f"no way back — expected a whole graph — {WAY_OUT}"
        )
    if torch.is_autocast_enabled(x.device.type):
        raise BuildError(
            f"training.memory — reversible, but X does not come back from half precision — expected float32 — {WAY_OUT}"
        )
    return cast(Tensor, _Reversible.apply(graph, affine.norm, slope, Kept.of(x), x, *_tensors(affine)))


def inverse(graph: Any, y: Tensor, affine: Affine, slope: float) -> Tensor:
    """Return the x whose `reversible_block` is y, without gradient; where y is not finite, neither is x.

    Raises: TrainingError where the iteration does not lead there.
    """
    with torch.no_grad():
        limit = _TOLERANCE * torch.finfo(y.dtype).eps * float(torch.linalg.vector_norm(y))
        before = affine_block(graph, y, affine, y, Epilogue(slope, -1.0, 1.0))
        for _ in range(_ITERATIONS):
            x = affine_block(graph, before, affine, y, Epilogue(slope, -1.0, 1.0))
            change = float(torch.linalg.vector_norm(before.sub_(x)))
            if change <= limit or not math.isfinite(limit):
                return x
            if not math.isfinite(change):
                break
            before = x
    raise TrainingError(
        "training.memory — reversible, but a block's input did not come back from its output: its update does not "
        f"contract — expected weights held to c below 1 — {WAY_OUT}"
    )


def _tensors(affine: Affine) -> tuple[Tensor, Tensor | None, Tensor | None]:
    return affine.weight, affine.root_weight, affine.bias


class _Reversible(Function):
    """`reversible_block`. The parameters are inputs, so that gradients reach what stands in for the stored ones."""

    @staticmethod
    def forward(
        ctx: Any, graph: Any, norm: Any, slope: float, before: Kept | None, x: Tensor, *tensors: Tensor | None
    ) -> Tensor:
        """Compute the output; nothing of it is saved but a note of where it will be."""
        ctx.save_for_backward(*tensors)
        weight, root_weight, bias = tensors
        assert weight is not None
        output = affine_block(graph, x, Affine(weight, norm, root_weight, bias), x, Epilogue(slope, 1.0, 1.0))
        ctx.graph, ctx.norm, ctx.slope, ctx.before = graph, norm, slope, before
        ctx.kept = Kept(output, WAY_OUT)
        ctx.first = Kept(x, WAY_OUT) if before is None else None  # somebody else keeps it anyway
        if before is not None:
            before.release()
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Have x back, and take the gradients of the same operator at x, run again."""
        if torch.is_grad_enabled():
            raise BuildError(
                "training.memory — gradients of gradients were asked for (create_graph), but reversible keeps nothing "
                f"to take them of — expected first-order gradients — {WAY_OUT}"
            )
        given = [None if tensor is None else tensor.detach() for tensor in ctx.saved_tensors]
        y = ctx.kept.take()
        x = ctx.first.take() if ctx.first else inverse(ctx.graph, y, _affine(ctx.norm, given), ctx.slope)
        if ctx.before is not None:
            ctx.before.lent = x
        inputs: list[Any] = [None if tensor is None else tensor.detach() for tensor in (x, *given)]
        wanted = [tensor for tensor, needed in zip(inputs, ctx.needs_input_grad[4:], strict=True) if needed]
        for tensor in wanted:
            tensor.requires_grad_()
        source = inputs[0]
        with torch.enable_grad():
            again = affine_block(
                ctx.graph, source, _affine(ctx.norm, inputs[1:]), source, Epilogue(ctx.slope, 1.0, 1.0)
            )
        found = iter(torch.autograd.grad(again, wanted, gradients[0]))
        return None, None, None, None, *(next(found) if needed else None for needed in ctx.needs_input_grad[4:])


def _affine(norm: Any, tensors: list[Any]) -> Affine:
    weight, root_weight, bias = tensors
    return Affine(weight, norm, root_weight, bias)
