"""Device, threads, allocator and random state of the process that trains: chosen with reasons, set in one place."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from zoo.errors import TrainingError
from zoo.system.choice import Choice
from zoo.system.glibc import trimming
from zoo.system.seeds import RandomState, kept_random_state, random_state, set_random_state


@dataclass(frozen=True)
class ProcessSettings:
    """Settings of the process that trains.

    threads: of PyTorch on the CPU. trims: whether freed tensors return to the system at once, see `choose_trimming`.
    random: the state of the random generators that training begins with.
    """

    threads: int
    trims: bool
    random: RandomState

    @classmethod
    def current(cls) -> "ProcessSettings":
        """The settings of this process now."""
        return cls(torch.get_num_threads(), False, random_state())


@contextmanager
def prepare_process(settings: ProcessSettings) -> Iterator[None]:
    """Set the threads, the allocator and the random state of the process for a `with`, and put them back after it.

    Nothing else in the zoo sets them. The random state of DGL, which cannot be read, is not put back.
    """
    with kept_random_state(), trimming(settings.trims), thread_count(settings.threads):
        set_random_state(settings.random)
        yield


@contextmanager
def thread_count(threads: int) -> Iterator[None]:
    """Let PyTorch compute with this number of CPU threads in the `with`."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_device(requested: str = "auto", local_rank: int = 0, processes: int = 1) -> tuple[torch.device, Choice]:
    """The device for `auto`, `cpu`, `cuda` or `cuda:N`, and the reason for it.

    local_rank, processes: this process among those of a team on this machine; each gets a CUDA device of its own.
    Raises: TrainingError if a CUDA device is asked for that is not there, or there are fewer than processes.
    """
    count = torch.cuda.device_count()
    if processes > 1 and requested != "cpu" and (count or requested != "auto"):
        return _own_device(requested, local_rank, processes, count)
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


def choose_threads(requested: int | None, nodes: int, processes: int = 1) -> tuple[int, Choice]:
    """Return the number of CPU threads for a graph of so many nodes, with the reason; `processes` share the cores."""
    if requested:
        return requested, Choice("threads", str(requested), "asked for")
    if nodes < _NODES_FOR_THREADS:
        return 1, Choice("threads", "1", f"{nodes:,} nodes keep no second one busy; execution.threads overrides")
    if processes > 1:  # torchrun lets PyTorch have one thread, whatever there is
        cores = len(os.sched_getaffinity(0))
        threads = max(1, cores // processes)
        return threads, Choice("threads", str(threads), f"{processes} processes share {cores} cores")
    return _DEFAULT_THREADS, Choice("threads", str(_DEFAULT_THREADS), "what PyTorch takes on this machine")


def _own_device(requested: str, local_rank: int, processes: int, count: int) -> tuple[torch.device, Choice]:
    """One CUDA device for each process of this machine."""
    if requested.startswith("cuda:") or processes > count:
        has = f"{count} CUDA device{'s' if count != 1 else ''}" if count else f"none: {_why_no_cuda()}"
        raise TrainingError(
            f"device {requested} — {processes} processes on this machine, which has {has} — expected auto or cuda, and "
            "a device for each process — torchrun with a smaller --nproc_per_node, or --device cpu"
        )
    device = torch.device("cuda", local_rank)
    return device, Choice("device", str(device), f"each of {processes} processes has one of {count} CUDA devices")


def _why_no_cuda() -> str:
    if torch.version.cuda is None:
        return "this PyTorch is built without CUDA"
    return "PyTorch finds no CUDA device"
