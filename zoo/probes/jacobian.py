"""Gain of the Jacobian of each block."""

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from zoo.probes.base import Probe
from zoo.probes.snapshot import preserving_state
from zoo.recipe.fields import Few


class JacobianGain(Probe):
    """Gain of the Jacobian J_l = ∂X_l/∂X_{l−1} of each block at the input that it had.

    kind: "rms", √E‖Jᵀv‖²/‖v‖² over random directions v, that is ‖J‖_F/√(entries of X_l), estimated from `draws` of
    them, each a backward pass through the block; "largest", ‖J‖_2 by ARPACK, tens of passes for each block. Dropout is
    drawn anew, once for each block.

    Name: `jacobian.<kind>`. A gain of 1 at every block keeps the gradient's size.
    """

    reads = "blocks"

    def __init__(self, *, kind: Literal["rms", "largest"] = "rms", draws: Few = 4) -> None:
        self.kind: Literal["rms", "largest"] = kind
        self.draws = draws

    def measure(self, block: nn.Module, inputs: tuple[Any, ...]) -> dict[str, Tensor]:
        """The gain, a scalar."""
        place = next(index for index, value in enumerate(inputs) if isinstance(value, Tensor))
        autocast = torch.autocast(inputs[place].device.type, enabled=False)
        # What checkpointing does with saved tensors is for the pass that is under way, not for this one.
        own = torch.autograd.graph.saved_tensors_hooks(_unchanged, _unchanged)
        with preserving_state(block), torch.enable_grad(), autocast, own:
            inputs = tuple(_computed(value, block) for value in inputs)
            x = inputs[place].clone().requires_grad_()
            y = block.forward(*inputs[:place], x, *inputs[place + 1 :])
            gain = _rms(x, y, self.draws) if self.kind == "rms" else _largest(x, y)
        return {f"jacobian.{self.kind}": gain}


def _unchanged(saved: Any) -> Any:
    return saved


def _computed(value: Any, block: nn.Module) -> Any:
    """An input in the precision of the block's parameters: under autocast, which is off here, it may be a lower one."""
    if not (isinstance(value, Tensor) and value.is_floating_point()):
        return value
    own = next((parameter.dtype for parameter in block.parameters() if parameter.is_floating_point()), value.dtype)
    return value.detach().to(torch.promote_types(value.dtype, own))


def _rms(x: Tensor, y: Tensor, draws: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    squares = x.new_zeros(())
    for _ in range(draws):
        v = torch.randn(y.shape, generator=generator, dtype=y.dtype).to(y.device)
        (back,) = torch.autograd.grad(y, x, v, retain_graph=True)
        squares = squares + back.square().sum() / v.square().sum()
    return (squares / draws).sqrt()


def _largest(x: Tensor, y: Tensor) -> Tensor:
    """‖J‖_2; J u is the gradient of ⟨Jᵀw, u⟩ in w, Jᵀw being linear in it."""
    from scipy.sparse.linalg import LinearOperator, svds

    w = torch.zeros_like(y, requires_grad=True)
    (transposed,) = torch.autograd.grad(y, x, w, create_graph=True)

    def times(vector: Any) -> Any:
        u = torch.as_tensor(vector, dtype=x.dtype, device=x.device).view_as(x)
        return torch.autograd.grad(transposed, w, u, retain_graph=True)[0].flatten().cpu().numpy()

    def transposed_times(vector: Any) -> Any:
        v = torch.as_tensor(vector, dtype=y.dtype, device=y.device).view_as(y)
        return torch.autograd.grad(y, x, v, retain_graph=True)[0].flatten().cpu().numpy()

    shape = y.numel(), x.numel()
    dtype = {torch.float64: "float64"}.get(x.dtype, "float32")
    operator = LinearOperator(shape, matvec=times, rmatvec=transposed_times, dtype=dtype)  # pyright: ignore[reportCallIssue]
    values = svds(operator, k=1, return_singular_vectors=False, rng=0)
    return torch.as_tensor(float(np.asarray(values)[0]), dtype=torch.float64, device=x.device)
