"""The processes that train one network together, each on its share of every batch."""

import gc
import importlib
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from zoo.errors import TrainingError
from zoo.system.seeds import stream
from zoo.system.stop import Interrupted, Terminated

T = TypeVar("T")

TIMEOUT = timedelta(minutes=30)  # longer than the leader is ever alone with a validation or a download
_GRACE = 10.0  # seconds; torchrun ends the others within one of seeing that a process has failed
_FAILED = "failed"


class Team:
    """The processes that train together. One by itself is a team of one, and uses nothing of torch.distributed.

        with Team.of_environment() as team:
            ...

    It is joined by the outermost `with` and left at its end. Every method is called by all processes in the same order.
    An error that leaves that `with` in one of them ends all: the first that fails raises it, the others exit silently.

    rank: this process among all; 0 leads: it keeps records, scores and decides. size: how many there are.
    local_rank, local_size: the same among those on its machine.
    """

    _joined: ClassVar["Team | None"] = None
    _count: ClassVar[int] = 0  # of teams that this process has been in: each has keys of its own in torchrun's store

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0, local_size: int = 1) -> None:
        self.rank, self.size, self.local_rank, self.local_size = rank, size, local_rank, local_size
        self._depth = 0
        self._store: Any = None
        self._group: Any = None

    @classmethod
    def of_environment(cls) -> "Team":
        """The team that this process is in already, or that torchrun started it for; else a team of one.

        Raises: TrainingError if WORLD_SIZE is above 1 and what else torchrun sets is missing or no number.
        """
        if cls._joined is not None:
            return cls._joined
        if os.environ.get("WORLD_SIZE", "1") == "1":
            return cls()
        missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
        try:
            if missing:
                raise ValueError(f"{' and '.join(missing)} not set")
            rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
            return cls(
                rank, size, int(os.environ.get("LOCAL_RANK", rank)), int(os.environ.get("LOCAL_WORLD_SIZE", size))
            )
        except ValueError as error:
            raise TrainingError(
                f"environment — WORLD_SIZE is {os.environ['WORLD_SIZE']}, but {error} — expected what torchrun sets — "
                "torchrun --nproc_per_node=2 -m zoo train …, or unset WORLD_SIZE to train alone"
            ) from error

    @property
    def leads(self) -> bool:
        """True for the process that keeps records, scores and decides."""
        return self.rank == 0

    @property
    def backend(self) -> str:
        """The backend of torch.distributed: gloo, and for tensors on CUDA devices NCCL."""
        return "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and distributed.is_nccl_available() else "gloo"

    def broadcast(self, value: T) -> T:
        """The leader's value, in every process; the others wait for it."""
        if self.size == 1:
            return value
        told = [value]
        distributed.broadcast_object_list(told, src=0)
        return told[0]

    def gather(self, value: T) -> list[T]:
        """Each process's value, by rank, in every process."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def mean(self, number: Tensor) -> Tensor:
        """The mean over the processes, without gradient."""
        number = number.detach()
        if self.size == 1:
            return number
        total = number.clone()
        distributed.all_reduce(total)
        return total / self.size

    def local_rank_first(self, make: Callable[[], T]) -> T:
        """Return make(), called by one process of each machine before the others: they find what it downloads."""
        if self.local_rank == 0:
            made = make()
            self.gather(None)
            return made
        self.gather(None)
        return make()

    def parallel(self, loss: nn.Module) -> nn.Module:
        """A module whose result is a loss, such that its gradients are the means over the processes.

        Parameters and buffers are set to the leader's now, and buffers before each training pass.
        """
        return loss if self.size == 1 else DistributedDataParallel(_Loss(loss), find_unused_parameters=True)

    def reseed(self, seed: int) -> None:
        """Draw dropout masks of one's own from here on; the leader's are those of a process by itself."""
        if not self.leads:
            torch.manual_seed(stream(seed, self.rank))

    def __enter__(self) -> "Team":
        if self.size > 1:
            if not self._depth:
                self._join()
            self._depth += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.size == 1:
            return
        self._depth -= 1
        if self._depth:
            return
        Team._joined = None
        if isinstance(error, Interrupted | Terminated):  # all leave together, after the same step
            distributed.destroy_process_group()
            gc.collect()
            if not self.leads:
                raise SystemExit(1)
            return
        first = error is None or self._is_first()
        if error is not None:
            self._group = distributed.group.WORLD  # kept: waiting for its threads would cost the time to speak in
        distributed.destroy_process_group()
        if error is None:
            # Wrapped losses are cycles that hold the group. Its threads have to end before the interpreter does: one
            # that still lets go of a tensor then aborts the process.
            gc.collect()
        if not first:
            _wait_for_the_end(0.0 if isinstance(error, KeyboardInterrupt) else _GRACE)
            raise SystemExit(1)
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # torchrun hands on a Ctrl-C that the terminal sent to all
        if error is not None and _is_of_connection(error):
            raise TrainingError(
                f"training — one of {self.size} processes is gone or has not answered for {TIMEOUT} — expected all to "
                "train to the end — torchrun says how it ended; signal 9 is mostly a lack of memory"
            ) from error

    def _join(self) -> None:
        # Its functions keep, as a default, the group that there is when they are imported, which DDP does: for good.
        importlib.import_module("torch.distributed.nn")
        store, _, _ = next(distributed.rendezvous("env://", timeout=TIMEOUT))
        self._store = distributed.PrefixStore(f"zoo/{Team._count}", store)
        distributed.init_process_group(
            self.backend, store=self._store, rank=self.rank, world_size=self.size, timeout=TIMEOUT
        )
        Team._joined = self
        Team._count += 1

    def _is_first(self) -> bool:
        """Return True if no process failed before this one; noted before its connections end, or others fail, too."""
        try:
            return self._store.add(_FAILED, 1) == 1
        except RuntimeError:  # the process that held the store is gone, so it failed before
            return False


class _Loss(nn.Module):
    """A loss beside a parameter that it does not use.

    Which parameters get no gradient may differ from batch to batch, so DDP is to look for them in every step. Where it
    finds none it says on standard error, past all filters of warnings, that it need not have looked.
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss
        self.unused = nn.Parameter(torch.zeros((), device=next(loss.parameters()).device))

    def forward(self, *inputs: Any) -> Tensor:
        return self.loss(*inputs)


def _is_of_connection(error: BaseException) -> bool:
    return isinstance(error, distributed.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))


def _wait_for_the_end(seconds: float) -> None:
    """Leave the word to the process that failed first: were this one gone before, torchrun would cut it short."""
    try:
        time.sleep(seconds)
    except (KeyboardInterrupt, Terminated):  # torchrun ends it because of that one
        return
