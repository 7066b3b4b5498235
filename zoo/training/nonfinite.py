"""When a number is no longer a number: which block was the first."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zoo.probes.profile import untouched
from zoo.tasks.base import Batch, Task


@dataclass(frozen=True)
class NonFinite:
    """Where non-finite values begin.

    what: output, loss or gradient. block: counted from 1; None if it lies outside the blocks.
    """

    step: int
    what: str
    block: int | None
    depth: int

    def __str__(self) -> str:
        place = f"of block {self.block} of {self.depth}" if self.block else "outside the blocks"
        return f"step {self.step}: the {self.what} {place} is the first that is not finite"


def locate(network: nn.Module, blocks: nn.ModuleList, task: Task, batch: Batch, step: int) -> NonFinite:
    """Run the step once more and find the first bad block: forwards by output, else backwards by gradient.

    Parameters, gradients, buffers and the random state are left as they were.
    """
    outputs: list[Tensor] = []
    gradients: dict[int, bool] = {}

    def watch(index: int) -> Callable[[nn.Module, Any, Tensor], None]:
        def forward_hook(block: nn.Module, inputs: Any, output: Tensor) -> None:
            outputs.append(torch.isfinite(output.detach()).all())
            if output.requires_grad:
                output.register_hook(lambda gradient: gradients.update({index: bool(torch.isfinite(gradient).all())}))

        return forward_hook

    hooks = [block.register_forward_hook(watch(index)) for index, block in enumerate(blocks, start=1)]
    try:
        with untouched(network):
            loss = task.loss(network, batch)
            for index, finite in enumerate(outputs, start=1):
                if not finite:
                    return NonFinite(step, "output", index, len(blocks))
            if not torch.isfinite(loss):
                return NonFinite(step, "loss", None, len(blocks))
            loss.backward()
    finally:
        for hook in hooks:
            hook.remove()
    bad = [index for index, finite in gradients.items() if not finite]
    return NonFinite(step, "gradient", max(bad) if bad else None, len(blocks))
