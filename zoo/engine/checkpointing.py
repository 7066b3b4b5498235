"""Runs of blocks that keep their inputs alone, and are computed again in the backward pass."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

Run = Callable[[Tensor, Tensor | None], list[Tensor]]
Entry = tuple[dict[str, Any], str, Any]  # of a dict, a key and its value


class Checkpointed:
    """`run`, of these blocks, so that it keeps its inputs alone, and is run again in the backward pass as it was.

    That is `torch.utils.checkpoint`, which sees to random numbers and autocast, within `BlockState`.
    """

    def __init__(self, run: Run, blocks: Iterable[nn.Module]) -> None:
        self._run = run
        self._state = BlockState(blocks)
        self._before = False

    def __call__(self, x: Tensor, first: Tensor | None) -> list[Tensor]:
        """Return what `run` does; called once."""
        return checkpoint(self._once_more, x, first, use_reentrant=False)

    def _once_more(self, x: Tensor, first: Tensor | None) -> list[Tensor]:
        if not self._before:
            self._before = True
            return self._run(x, first)
        with self._state.restored():
            return self._run(x, first)


class BlockState:
    """Modes, buffers, and parameters or what stands in for them, of blocks as they are now."""

    def __init__(self, blocks: Iterable[nn.Module]) -> None:
        modules = dict.fromkeys(module for block in blocks for module in block.modules())
        self._modes: list[Entry] = [(vars(module), "training", module.training) for module in modules]
        self._parameters = _entries(module._parameters for module in modules)
        self._buffers = [(d, name, buffer.clone()) for d, name, buffer in _entries(m._buffers for m in modules)]

    @property
    def parameters(self) -> list[Tensor]:
        """Each parameter, as often as it stands somewhere."""
        return [parameter for _, _, parameter in self._parameters]

    @contextmanager
    def restored(self, parameters: Iterable[Tensor] | None = None) -> Iterator[None]:
        """Let it be so while the `with` lasts, with others for `parameters` if given.

        What is written into buffers then is lost: running statistics move once.
        """
        given = self.parameters if parameters is None else parameters
        stand_ins = [(d, name, other) for (d, name, _), other in zip(self._parameters, given, strict=True)]
        then = [*self._modes, *stand_ins, *((d, name, buffer.clone()) for d, name, buffer in self._buffers)]
        now = [(d, name, d[name]) for d, name, _ in then]
        try:
            for d, name, value in then:
                d[name] = value
            yield
        finally:
            for d, name, value in now:
                d[name] = value


def _entries(dicts: Iterable[dict[str, Any]]) -> list[Entry]:
    return [(d, name, tensor) for d in dicts for name, tensor in d.items() if tensor is not None]
