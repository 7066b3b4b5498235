"""Runs of blocks that keep their inputs alone, and are computed again in the backward pass."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

Run = Callable[[Tensor, Tensor | None], list[Tensor]]


class Checkpointed:
    """`run`, of these blocks, so that it keeps its inputs alone, and is run again in the backward pass as it was.

    That is `torch.utils.checkpoint`, which sees to random numbers and autocast. Besides, the blocks find again the
    parameters, or what stood in for them, the buffers and the modes that they found the first time. What they write
    into buffers then is lost: running statistics move once.
    """

    def __init__(self, run: Run, blocks: Iterable[nn.Module]) -> None:
        self._run = run
        self._seen = _Seen(blocks)
        self._before = False

    def __call__(self, x: Tensor, first: Tensor | None) -> list[Tensor]:
        """Return what `run` does; called once."""
        return checkpoint(self._once_more, x, first, use_reentrant=False)

    def _once_more(self, x: Tensor, first: Tensor | None) -> list[Tensor]:
        if not self._before:
            self._before = True
            return self._run(x, first)
        with self._seen.restored():
            return self._run(x, first)


class _Seen:
    """Modes, parameters and buffers of blocks, as they are now."""

    def __init__(self, blocks: Iterable[nn.Module]) -> None:
        modules = dict.fromkeys(module for block in blocks for module in block.modules())
        self._modes = [(vars(module), "training", module.training) for module in modules]
        self._parameters = list(_entries(module._parameters for module in modules))
        self._buffers = [
            (place, name, buffer.clone()) for place, name, buffer in _entries(module._buffers for module in modules)
        ]

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Let it be so while the `with` lasts."""
        copies = [(place, name, buffer.clone()) for place, name, buffer in self._buffers]
        then: list[tuple[dict[str, Any], str, Any]] = [*self._modes, *self._parameters, *copies]
        now = [(place, name, place[name]) for place, name, _ in then]
        try:
            for place, name, value in then:
                place[name] = value
            yield
        finally:
            for place, name, value in now:
                place[name] = value


def _entries(places: Iterable[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str, Tensor]]:
    return ((place, name, tensor) for place in places for name, tensor in place.items() if tensor is not None)
