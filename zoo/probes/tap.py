"""Listening to a network's blocks: hooks that live exactly as long as a `with`."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

Quantity = Callable[[Tensor], Tensor]


class Tap:
    """Reduces the gradient of every block's output to scalars while a backward pass runs.

        with Tap(network.blocks, {"mu": similarity}) as tap:
            loss.backward()
        tap.gradients()["mu"]      # float tensor [blocks], first block first

    The reduction happens inside the backward hook, on the device; no node matrix is kept, and nothing is read back
    before `gradients()`. Gradients are those of G_l = ∂L/∂X_l, X_l being what block l puts out.
    """

    def __init__(self, blocks: Iterable[nn.Module], quantities: Mapping[str, Quantity]) -> None:
        self._blocks = list(blocks)
        self._quantities = dict(quantities)
        self._handles: list[RemovableHandle] = []
        self._scalars: list[Tensor | None] = [None] * len(self._blocks)

    def __enter__(self) -> "Tap":
        for index, block in enumerate(self._blocks):
            self._handles.append(block.register_forward_hook(self._listen(index)))
        return self

    def __exit__(self, *exception: object) -> None:
        while self._handles:
            self._handles.pop().remove()

    def gradients(self) -> dict[str, Tensor]:
        """The reduced gradients of the last backward pass, one value per block; NaN where none arrived."""
        missing = torch.full((len(self._quantities),), float("nan"))
        rows = [missing if scalars is None else scalars.detach() for scalars in self._scalars]
        table = torch.stack([row.to(rows[-1].device) for row in rows]).cpu()
        return {name: table[:, column] for column, name in enumerate(self._quantities)}

    def _listen(self, index: int) -> Callable[[nn.Module, object, Tensor], None]:
        def reduce(gradient: Tensor) -> None:
            with torch.no_grad():
                self._scalars[index] = torch.stack([measure(gradient) for measure in self._quantities.values()])

        def forward_hook(block: nn.Module, inputs: object, output: Tensor) -> None:
            if output.requires_grad:
                # The handle is kept so that leaving the `with` also silences a graph that is still alive.
                self._handles.append(output.register_hook(reduce))

        return forward_hook
