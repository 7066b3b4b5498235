"""The first block of a network whose output or gradient is not finite."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from zoo.layers.network import Network
from zoo.probes.diagnosis import NonFinite
from zoo.probes.snapshot import preserving_state


def locate(network: Network, loss: Callable[[], Tensor], step: int) -> NonFinite:
    """Run the step once more and find the first bad block: forwards by output, else backwards by gradient.

    loss: makes the forward pass of the step. Parameters, gradients, buffers and the random state are left as they were.
    """
    outputs: list[Tensor] = []
    gradients: dict[int, bool] = {}
    blocks = network.blocks
    depth = len(blocks)

    def watch(index: int) -> Callable[[nn.Module, Any, Tensor], None]:
        def forward_hook(block: nn.Module, inputs: Any, output: Tensor) -> None:
            outputs.append(torch.isfinite(output.detach()).all())
            if output.requires_grad:
                output.register_hook(lambda gradient: gradients.update({index: bool(torch.isfinite(gradient).all())}))

        return forward_hook

    hooks = [block.register_forward_hook(watch(index)) for index, block in enumerate(blocks, start=1)]
    try:
        with preserving_state(network):
            value = loss()
            for index, finite in enumerate(outputs, start=1):
                if not finite:
                    return NonFinite(step, "output", index, depth)
            if not torch.isfinite(value):
                return NonFinite(step, "loss", None, depth)
            value.backward()
            bad = [index for index, finite in gradients.items() if not finite]
            if bad:
                return NonFinite(step, "gradient", max(bad), depth)
            return _among_parameters(network, step)
    finally:
        for hook in hooks:
            hook.remove()


def _among_parameters(network: Network, step: int) -> NonFinite:
    """Find the gradient of a parameter, or the norm of them all, where those of representations are finite."""
    owners = {
        id(parameter): index for index, block in enumerate(network.blocks, start=1) for parameter in block.parameters()
    }
    found = [(owners.get(id(p)), p.grad) for p in network.parameters() if p.grad is not None]
    for index, gradient in reversed(found):  # parameters are in forward order: head first, as back-propagation goes
        if not torch.isfinite(gradient).all():
            return NonFinite(step, "gradient", index, len(network.blocks))
    sizes = [float(torch.linalg.vector_norm(gradient, dtype=torch.float64)) for _, gradient in found]
    if torch.isfinite(nn.utils.clip_grad_norm_(network.parameters(), math.inf)):
        return NonFinite(step, "nothing", None, len(network.blocks))
    return NonFinite(step, "gradient norm", found[sizes.index(max(sizes))][0], len(network.blocks))
