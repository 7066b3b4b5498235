"""The one training loop: any task, any network, any device."""

import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from zoo.layers.network import Network
from zoo.recipe.schema import Training
from zoo.tasks.base import Batch, Task
from zoo.training.nonfinite import NonFinite, locate

Status = Literal["finished", "stopped early", "non-finite"]
Row = dict[str, Any]


class Watcher(Protocol):
    """Sees a run pass by: the run folder, a progress bar, a list in a notebook."""

    def measured(self, row: Row) -> None:
        """Called after every validation with step, epoch, loss, val, best, lr and seconds."""
        ...


@dataclass(frozen=True)
class Outcome:
    """How a training ended: test is the metric at the best validation, and nothing was chosen by it."""

    status: Status
    val: float
    test: float
    train: float
    best_epoch: int
    epochs: int
    steps: int
    seconds: float
    non_finite: NonFinite | None = None


class Trainer:
    """Trains a network on a task and keeps the weights that validated best.

    schedule: a torch learning-rate scheduler stepped once per optimiser step. Validation happens every
    `training.evaluate`; training stops at `training.duration`, when `training.patience` is spent, or at the first loss
    or gradient that is not finite.
    """

    def __init__(
        self,
        network: Network,
        task: Task,
        optimizer: torch.optim.Optimizer,
        scheduler: torch.optim.lr_scheduler.LRScheduler,
        training: Training,
        device: torch.device,
        watchers: tuple[Watcher, ...] = (),
    ) -> None:
        per_epoch = task.steps_per_epoch
        self.network, self.task, self.optimizer, self.scheduler = network, task, optimizer, scheduler
        self.device, self.watchers = device, watchers
        self.clip = training.clip if training.clip is not None else math.inf
        self.bf16 = training.precision == "bf16"
        self.total = training.duration.steps(per_epoch)
        self.every = training.evaluate.steps(per_epoch, self.total)
        self.patience = training.patience.steps(per_epoch, self.total) if training.patience else self.total
        self.step = 0
        self.best = _Best(task)
        self.parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]

    def fit(self) -> Outcome:
        """Train to the end; the network then carries the best weights."""
        began = time.perf_counter()
        status: Status = "finished"
        non_finite: NonFinite | None = None
        for batch in self._batches():
            loss, finite = self._train_on(batch)
            if not finite:
                status, non_finite = (
                    "non-finite",
                    locate(self.network, self.network.blocks, self.task, batch, self.step, self._precision()),
                )
                break
            self.step += 1
            if self.step % self.every == 0 or self.step == self.total:
                self._validate(loss, time.perf_counter() - began)
            if self.step - self.best.step >= self.patience:
                status = "stopped early"
                break
        self.best.restore(self.network)
        return Outcome(
            status=status,
            val=self.best.val,
            test=self.best.test,
            train=self.best.train,
            best_epoch=self._epoch(self.best.step),
            epochs=self._epoch(self.step),
            steps=self.step,
            seconds=time.perf_counter() - began,
            non_finite=non_finite,
        )

    def _batches(self) -> Iterator[Batch]:
        while self.step < self.total:
            for batch in self.task.batches():
                yield batch
                if self.step >= self.total:
                    return

    def _train_on(self, batch: Batch) -> tuple[Tensor, bool]:
        """One optimiser step; no step is taken on a loss or a gradient that is not finite."""
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        with self._precision():
            loss = self.task.loss(self.network, batch)
        loss.backward()
        size = nn.utils.clip_grad_norm_(self.parameters, self.clip)
        if not torch.isfinite(loss.detach() + size):
            return loss, False
        self.optimizer.step()
        self.scheduler.step()
        self.network.project()
        return loss, True

    @torch.no_grad()
    def _validate(self, loss: Tensor, seconds: float) -> None:
        self.network.eval()
        with self._precision():
            score = self.task.scores(self.network)
        val = score("val")
        if self.best.is_beaten_by(val):
            self.best.take(self.network, self.step, train=score("train"), val=val, test=score("test"))
        row = {
            "epoch": self._epoch(self.step),
            "step": self.step,
            "loss": float(loss.detach()),
            "val": val,
            "best_val": self.best.val,
            "lr": self.optimizer.param_groups[0]["lr"],
            "seconds": round(seconds, 3),
        }
        for watcher in self.watchers:
            watcher.measured(row)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def _epoch(self, step: int) -> int:
        return math.ceil(step / self.task.steps_per_epoch)


class _Best:
    """The best validation so far, and the weights that gave it."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.step = 0
        self.train = self.val = self.test = float("nan")
        self.state: dict[str, Any] | None = None

    def is_beaten_by(self, val: float) -> bool:
        return not math.isnan(val) and (self.state is None or self.task.better(val, self.val))

    def take(self, network: nn.Module, step: int, *, train: float, val: float, test: float) -> None:
        self.step, self.train, self.val, self.test = step, train, val, test
        self.state = copy.deepcopy(network.state_dict())

    def restore(self, network: nn.Module) -> None:
        if self.state is not None:
            network.load_state_dict(self.state)
