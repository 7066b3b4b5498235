"""Several trainings of one recipe at once: the loop of the trainer, a step of which is one of all members."""

import math
import time
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from zoo.contracts import number, scalar
from zoo.engine.sparse_input import unchanging
from zoo.system.process import prepare_process
from zoo.training.cuda_graphs import CudaGraphs
from zoo.training.declared import unrecordable
from zoo.training.members import Bests, ConstantOutput, Members
from zoo.training.outcome import Outcome, Status
from zoo.training.reuse import ReusedForward
from zoo.training.trainer import Trainer


class Together:
    """Trains networks of one form side by side, each as its trainer would, and keeps the best weights of each.

    trainers: one for each member, with its network, task and watchers; they do all but the steps. Their tasks compute
    on one and the same graph (`Task.whole`). members: their networks. optimizer, scheduler: of `members.network`, and
    such that a number's step depends on that number alone.

    A member that spends its patience, or whose loss or gradient is not finite, leaves, and the others go on. `seconds`
    are those that passed for all.
    """

    def __init__(
        self,
        trainers: Sequence[Trainer],
        members: Members,
        optimizer: torch.optim.Optimizer,
        scheduler: torch.optim.lr_scheduler.LRScheduler,
    ) -> None:
        self.trainers, self.members = trainers, members
        self.optimizer, self.scheduler = optimizer, scheduler
        self.running = list(range(len(trainers)))  # by their first places, in the order in which they are stacked now
        self.bests = Bests(members)
        self.outcomes: dict[int, Outcome] = {}
        self.batches = [next(iter(trainer.task.batches(0))) for trainer in trainers]
        self.common = trainers[0]
        whole = self.common.task.whole
        assert whole is not None
        self.whole = whole
        self.reused = ReusedForward(members.network, self.common.task, alone=not self.common.bf16)
        self.waiting = False  # whether a validation is due that the next forward pass will tell
        self.losses, self.lr = torch.zeros(0), math.nan  # of the last step
        self.graphs = CudaGraphs(
            self.common.graphs.asked,
            self.common.device,
            optimizer,
            lambda: unrecordable(members.network, self.common.task, optimizer),
        )

    def fit(self) -> list[Outcome]:
        """Train all to their ends; the networks then carry their best weights."""
        process = self.trainers[-1].process
        with prepare_process(process) if process else nullcontext(), unchanging():
            return self._fit()

    def _fit(self) -> list[Outcome]:
        for trainer in self.trainers:
            trainer.began = time.perf_counter()
        common = self.common
        for step in range(1, common.total + 1):
            self._step()
            for first in self.running:
                self.trainers[first].step = step
            if self.running and (step % common.every == 0 or step == common.total):
                # As in the trainer: what the next step's forward pass says anyway is not asked for now.
                self.waiting = step < common.total and self.reused.possible
                if not self.waiting:
                    self._validate()
            if not self.waiting:
                self._end(self._spent(), "stopped early")
            if not self.running:
                break
        self._end(list(self.running), "finished")
        return [self.outcomes[first] for first in range(len(self.trainers))]

    def _step(self) -> None:
        """One step of all; those for whom it was not finite, or who have no patience left, leave without it."""
        forward, backward, update = self.graphs.parts(self._forward, self._backward, self._update, settled=True)
        losses, outputs = said = forward()
        spent: list[int] = []
        if self.waiting:
            self.waiting = False
            self._validate(outputs)
            spent = self._spent()
        norms = backward(said)
        # The one look of the step comes before the optimiser's: who leaves is taken out of what it works on.
        finite = torch.isfinite(losses + norms).tolist()
        bad = [first for first, good in zip(self.running, finite, strict=True) if not good and first not in spent]
        kept = [place for place, first in enumerate(self.running) if first not in (*spent, *bad)]
        if len(kept) < len(finite):
            losses, norms, update = losses[kept], norms[kept], self._update
        self.losses = losses.detach().clone()  # the next replay writes over them
        self._end(spent, "stopped early")
        self._end(bad, "non-finite")
        if self.running:
            update(norms)
            self.lr = self.optimizer.param_groups[0]["lr"]
            self.scheduler.step()

    def _forward(self) -> tuple[Tensor, Tensor]:
        """The losses, [members], and what the networks returned."""
        self.members.train()
        self.optimizer.zero_grad(set_to_none=True)
        with self.common.precision():
            outputs = self.members(*self.whole)
            losses = self._losses(outputs)
        return losses, outputs.detach()

    def _backward(self, said: tuple[Tensor, Tensor]) -> Tensor:
        """The norms of all gradients of each member, [members]."""
        said[0].sum().backward()
        return self.members.gradient_norms()

    def _update(self, norms: Tensor) -> None:
        if self.common.clip < torch.inf:
            self.members.clip(norms, self.common.clip)
        self.optimizer.step()

    def _losses(self, outputs: Tensor) -> Tensor:
        each = [
            scalar(
                "task",
                task := self.trainers[first].task,
                task.loss(ConstantOutput(output), self.batches[first]),
                "its loss",
            )
            for first, output in zip(self.running, outputs.unbind(), strict=True)
        ]
        losses, penalties = torch.stack(each), self.members.penalties
        return losses if penalties is None else losses + penalties

    def _spent(self) -> list[int]:
        """Whose validation has not improved for too long."""
        trainers = [(first, self.trainers[first]) for first in self.running]
        return [first for first, trainer in trainers if trainer.is_spent()]

    @torch.no_grad()
    def _validate(self, outputs: Tensor | None = None) -> None:
        """Score all as they stand; outputs: what the networks return, where that is known."""
        better: list[int] = []
        scored = self._evaluated() if outputs is None else outputs
        for place, (first, loss) in enumerate(zip(self.running, self.losses.tolist(), strict=True)):
            trainer = self.trainers[first]
            val = number("task", trainer.task, trainer.task.scores(ConstantOutput(scored[place]))("val"), "its score")
            if trainer.best.is_beaten_by(val):
                trainer.best.step, trainer.best.val = trainer.step, val
                trainer.best.weights = self.bests.of(first)
                better.append(place)
            trainer.measured(loss, val, self.lr)
        self.bests.take(better, [self.running[place] for place in better])

    def _evaluated(self) -> Tensor:
        said = self.graphs.evaluation(self._evaluate)
        return self._evaluate() if said is None else said

    def _evaluate(self) -> Tensor:
        return self.members.eval()(*self.whole)

    def _end(self, ended: list[int], status: Status) -> None:
        """Let some members go, with all that is said of a training at its end."""
        if not ended:
            return
        for first in ended:
            trainer = self.trainers[first]
            trainer.graphs.said = self.graphs.said
            self.members.write(self.running.index(first), trainer.network)
            bad = trainer.located(self.batches[first]) if status == "non-finite" else None
            self.outcomes[first] = trainer.outcome(status, bad)
        places = [place for place, first in enumerate(self.running) if first not in ended]
        self.running = [self.running[place] for place in places]
        if self.running:
            self.members.keep(places, self.optimizer)
            self.graphs.forget()
