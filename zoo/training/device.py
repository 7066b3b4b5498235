"""Where a run is computed, and why there."""

from dataclasses import dataclass

import torch

from zoo.errors import TrainingError


@dataclass(frozen=True)
class Choice:
    """An automatic choice with its reason, as the record keeps it."""

    what: str
    chosen: str
    why: str

    def __str__(self) -> str:
        return f"{self.what}: {self.chosen} ({self.why})"


def choose_device(requested: str = "auto") -> tuple[torch.device, Choice]:
    """The device for `auto`, `cpu`, `cuda` or `cuda:N`, and the reason for it.

    Raises: TrainingError if a CUDA device is asked for that is not there.
    """
    count = torch.cuda.device_count()
    if requested == "auto":
        if count:
            name = torch.cuda.get_device_name(0)
            return torch.device("cuda:0"), Choice("device", "cuda:0", f"the first of {count} CUDA device(s): {name}")
        return torch.device("cpu"), Choice("device", "cpu", _why_no_cuda())
    device = torch.device(requested)
    if device.type == "cuda" and (device.index or 0) >= count:
        raise TrainingError(
            f"device {requested} — not there: {_why_no_cuda() if not count else f'this machine has {count}'} — "
            f"expected {'cpu' if not count else f'cuda:0 to cuda:{count - 1}'} — 'zoo doctor' says more"
        )
    return device, Choice("device", str(device), "asked for")


# Below about this many nodes, at width 64, handing work to several threads costs more than they gain (docs/log.md).
_NODES_FOR_THREADS = 16_384
_DEFAULT_THREADS = torch.get_num_threads()


def choose_threads(requested: int | None, nodes: int) -> tuple[int, Choice]:
    """How many CPU threads to compute with, for a graph of so many nodes, and why."""
    if requested:
        return requested, Choice("threads", str(requested), "asked for")
    if nodes < _NODES_FOR_THREADS:
        return 1, Choice("threads", "1", f"{nodes:,} nodes keep no second one busy; execution.threads overrides")
    return _DEFAULT_THREADS, Choice("threads", str(_DEFAULT_THREADS), "what PyTorch takes on this machine")


def _why_no_cuda() -> str:
    if torch.version.cuda is None:
        return "this PyTorch is built without CUDA"
    return "PyTorch finds no CUDA device"
