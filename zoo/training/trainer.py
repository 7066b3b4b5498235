"""The one training loop: any task, any network, any device, one process or several."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from zoo.contracts import number
from zoo.engine.buffers import Buffers
from zoo.engine.sparse_input import unchanging
from zoo.errors import TrainingError
from zoo.layers.network import Network
from zoo.probes.base import Probe
from zoo.probes.diagnosis import Course, NonFinite
from zoo.probes.reading import Reading
from zoo.probes.snapshot import snapshot
from zoo.probes.steering import Controller, steer
from zoo.probes.tap import ProbeSchedule, ScheduledProbes
from zoo.probes.weights import NormalizerBound
from zoo.recipe.recipe import Training
from zoo.system.process import ProcessSettings, prepare_process
from zoo.system.seeds import kept_random_state, random_state, set_random_state
from zoo.system.stop import Stop
from zoo.system.team import Team
from zoo.tasks.base import Batch, Part, Task
from zoo.training.best import Best
from zoo.training.clip import clipped_norm
from zoo.training.cuda_graphs import Asked, CudaGraphs
from zoo.training.declared import unrecordable
from zoo.training.finite import FiniteSteps
from zoo.training.loss import TrainingLoss, training_loss
from zoo.training.members import ConstantOutput
from zoo.training.nonfinite import locate
from zoo.training.outcome import Outcome, Status
from zoo.training.reuse import ReusedForward
from zoo.training.saving import Saving, State
from zoo.training.watcher import Measured, Saver, Watcher


class Trainer:
    """Trains a network on a task and keeps the weights that validated best.

    schedule: a torch learning-rate scheduler stepped once per optimiser step. Validation happens every
    `training.evaluate`; training stops at `training.duration`, when `training.patience` is spent, or at the first loss
    or gradient that is not finite. With a saver its state is kept every `training.save`; `resume` goes on from there,
    and ends bitwise where the uninterrupted training ends (on a CPU), at whatever steps states were saved. At a Ctrl-C
    or SIGTERM it is kept after the step under way, and `fit` raises `Interrupted` or `Terminated`
    (`zoo.system.stop`).

    plan: which probes are read at which step. controller: moves the normalisers' bounds by what its own probes read.
    evidence: probes that are read once more after the last step.

    material: digests by name of what is trained on (data, split); from a state of another nothing is resumed.

    team: the processes that train together, each with a trainer of its own. A step is taken on the mean of their
    gradients. The leader scores and reads the probes, on its share of a batch, and the others hear of what decides.
    Watchers, saver, plan and evidence are the leader's alone.
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
        saver: Saver | None = None,
        *,
        plan: ProbeSchedule | None = None,
        controller: Controller | None = None,
        evidence: Sequence[Probe] = (),
        team: Team | None = None,
        cuda_graphs: Asked = "auto",
        material: Mapping[str, str] | None = None,
        process: ProcessSettings | None = None,
    ) -> None:
        self.process = process
        self.team = team or Team()
        per_epoch = task.steps_per_epoch
        self.network, self.task, self.optimizer, self.scheduler = network, task, optimizer, scheduler
        self.device, self.watchers, self.saver = device, watchers, saver
        self.clip = training.clip if training.clip is not None else math.inf
        self.bf16 = training.precision == "bf16"
        self.total = training.duration.steps(per_epoch)
        self.every = training.evaluate.steps(per_epoch, self.total)
        self.patience = training.patience.steps(per_epoch, self.total) if training.patience else self.total
        self.material = dict(material or {})
        self.saving = Saving(training, per_epoch, self.total)
        self.steering, self.evidence = controller, evidence
        scheduled = list(plan.scheduled) if plan else []
        if controller is not None:
            self.steer_every = controller.every.steps(per_epoch, self.total)
            if self.team.leads:
                scheduled.append(ScheduledProbes((*controller.probes(), NormalizerBound()), self.steer_every))
        self.plan = ProbeSchedule(network, scheduled, self.total)
        self.step = 0
        self.seconds = 0.0
        self.best, self.course = Best(task), Course()
        self.parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.loss = self.team.parallel(TrainingLoss(network, task))
        self.steps = FiniteSteps(optimizer, device)
        self.saves = self.team.broadcast(saver is not None)
        self.graphs = CudaGraphs(cuda_graphs, device, optimizer, self._why_not_recorded)
        self.reused = ReusedForward(network, task, alone=self.team.size == 1 and not self.bf16)
        self.overdue = False
        self.waiting = False  # whether a validation is due that the next forward pass will tell
        self.last_loss, self.last_lr = torch.zeros(()), math.nan  # of the last step
        self.stop = Stop(active=self.saves, echoes=self.team.size > 1)
        self.began = time.perf_counter()

    def fit(self) -> Outcome:
        """Train to the end; the network then carries the best weights."""
        with prepare_process(self.process) if self.process else nullcontext():
            return self._fit()

    def _fit(self) -> Outcome:
        if self.overdue:
            self.overdue = False
            self._validate()
        self.began = time.perf_counter() - self.seconds
        self.saving.begin(self.step)
        # A state may have been saved, for a signal, when there was nothing left to do.
        status: Status = "stopped early" if self.is_spent() else "finished"
        non_finite: NonFinite | None = None
        with self.stop, unchanging():
            for batch in self._batches():
                ended = self._train_on(batch)
                if ended is not None:
                    status = ended
                    non_finite = self.located(batch) if ended == "non-finite" else None
                    break
                self.step += 1
                if self.step % self.every == 0 or self.step == self.total:
                    # What the next step's forward pass says anyway is not asked for now.
                    self.waiting = self.step < self.total and self.reused.possible
                    if not self.waiting:
                        self._validate()
                if self.saves:
                    self._save_if_due()
                if self.is_spent():
                    status = "stopped early"
                    break
        return self.outcome(status, non_finite)

    def outcome(self, status: Status, non_finite: NonFinite | None = None) -> Outcome:
        """How the training ended, after the last step; the network then carries the best weights."""
        final = self._final_reading()
        train, test = self._score_best()
        Buffers.clear_all()
        return Outcome(
            status=status,
            val=self.best.val,
            test=test,
            train=train,
            best_epoch=self._epoch(self.best.step),
            epochs=self._epoch(self.step),
            steps=self.step,
            seconds=time.perf_counter() - self.began,
            course=self.course,
            non_finite=non_finite,
            final=final,
            cuda_graphs=self.graphs.said,
        )

    def state(self) -> State:
        """Everything that decides how the training goes on, as tensors and plain values; of all processes."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "material": self.material,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "best": self.best.state_dict(),
            "course": self.course.state_dict(),
            "waiting": self.waiting,
            "loss": self.last_loss,
            "lr": self.last_lr,
            "steering": self.steering.state_dict() if self.steering else {},
            "random": self.team.gather(random_state()),
        }

    def resume(self, state: State) -> None:
        """Stand where the training stood when `state` was taken.

        Raises: TrainingError for a team of another size, and for a state that is not one of this training.
        """
        try:
            self._resume(state)
        except torch.OutOfMemoryError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise TrainingError(
                f"resume — the saved state does not fit this training: {said} — expected the state that this run saved "
                "— train without --resume"
            ) from error

    def _resume(self, state: State) -> None:
        if len(state["random"]) != self.team.size:
            raise TrainingError(
                f"resume — the state was saved by a team of {len(state['random'])}, and {self.team.size} train now — "
                "expected as many processes as before — the same torchrun --nproc_per_node, or train without --resume"
            )
        for what, digest in self.material.items():
            if state["material"][what] != digest:
                raise TrainingError(
                    f"resume — the {what} has changed since the state was saved — expected the one that the run began "
                    "with, as other nodes would be trained on and tested — train without --resume"
                )
        self.step, self.seconds = state["step"], state["seconds"]
        self.began = time.perf_counter() - self.seconds
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.best.load_state_dict(state["best"])
        self.course = Course(**state["course"])
        if self.steering:
            self.steering.load_state_dict(state["steering"])
        self.last_loss, self.last_lr = state["loss"], state["lr"]
        self.waiting = bool(state["waiting"]) and self.reused.possible
        self.overdue = bool(state["waiting"]) and not self.waiting
        random = state["random"][self.team.rank]
        with kept_random_state():
            set_random_state(random)
        if self.process:
            self.process = replace(self.process, random=random)

    def _save_if_due(self) -> None:
        """Save the state where it is due, or asked for by a signal to any process; such a training is left then."""
        due = self.team.leads and self.step < self.total and self.saving.is_due(self.step)
        asked = self.stop.asked is not None
        if self.team.size > 1:
            asked, due = (self.team.mean(torch.tensor([asked, due], dtype=torch.float32)) > 0).tolist()
        if not (asked or due):
            return
        self.seconds = time.perf_counter() - self.began
        state = self.state()
        if self.saver:
            self.saver.save(state)
        self.saving.made(self.step, time.perf_counter() - self.began - self.seconds)
        if asked:
            self.stop.leave(f"the state after step {self.step} of {self.total} is saved")

    def _batches(self) -> Iterator[Batch]:
        while self.step < self.total and not self.is_spent():
            for batch in self.task.batches(*divmod(self.step, self.task.steps_per_epoch)):
                yield batch
                if self.step >= self.total:
                    return

    def _train_on(self, batch: Batch) -> Status | None:
        """One optimiser step, or why there was none: a loss or a gradient that is not finite, no patience left."""
        with self.plan.tap(self.step + 1) as tap:
            parts = partial(self._forward, batch), self._update
            forward, update = self.graphs.parts(*parts, settled=not tap.is_active)
            said = forward()
            if self.waiting:
                self.waiting = False
                self._validate(said[1])
                if self.is_spent():
                    return "stopped early"
            loss, finite = update(said)
            self.last_loss = loss.clone()  # the next replay writes over it
        if not finite:
            return "non-finite"
        self.last_lr = self.optimizer.param_groups[0]["lr"]  # the scheduler puts the next step's in its place
        self.scheduler.step()
        self._probe(tap.read())
        return None

    def _forward(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """The loss, and what the network returned where that can tell a validation."""
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        with self.precision(), self.reused.training():
            loss = self.loss(batch)
        return loss, self.reused.outputs

    def _update(self, said: tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor]:
        """Move the weights, and return the loss of all processes and whether it and the gradients are finite."""
        said[0].backward()
        loss = self.team.mean(said[0])
        finite = self.steps.take(loss + clipped_norm(self.parameters, self.clip))
        self.network.project()
        return loss, finite

    def is_spent(self) -> bool:
        """Whether validation has not improved for too long, as far as it is known.

        A patience shorter than the time between validations lasts until the next one, which could have been better.
        """
        validated = self.step - self.step % self.every
        return not self.waiting and validated > self.best.step and self.step - self.best.step >= self.patience

    def _final_reading(self) -> Reading | None:
        """The evidence of how the network stands after its last step, before the best weights are put back."""
        if not self.evidence:
            return None

        def loss() -> Tensor:
            self.network.train()
            with self.precision():
                return training_loss(self.network, self.task, next(iter(self.task.batches(0))))

        return snapshot(self.network, self.evidence, loss)

    def _probe(self, reading: Reading) -> None:
        """Record what was read in the step just taken, and let the controller act on it."""
        step = self.step + 1
        if reading:
            row = {"step": step, "epoch": self._epoch(step), **reading.plain()}
            for watcher in self.watchers:
                watcher.probed(row)
        if self.steering and step % self.steer_every == 0:
            steer(self.steering, self.network, self.team.broadcast(reading))

    @torch.no_grad()
    def _validate(self, outputs: Tensor | None = None) -> None:
        """Score the network as it stands; outputs: what it returns, where that is known."""
        if outputs is None:
            (val,) = self._scored("val")
        else:
            val = number("task", self.task, self.task.scores(ConstantOutput(outputs))("val"), "its score")
        if self.best.is_beaten_by(val):
            self.best.take(self.network, self.step, val)
        self.measured(float(self.last_loss), val, self.last_lr)

    def measured(self, loss: float, val: float, lr: float) -> None:
        """Tell the watchers of a validation, after what was best has been brought up to it."""
        row: Measured = {
            "epoch": self._epoch(self.step),
            "step": self.step,
            "loss": loss,
            "val": val,
            "best_val": self.best.val,
            "lr": lr,
            "seconds": round(time.perf_counter() - self.began, 3),
        }
        self.course.take(row["epoch"], loss, val, best=self.best.step == self.step)
        for watcher in self.watchers:
            watcher.measured(row)

    @torch.no_grad()
    def _score_best(self) -> tuple[float, float]:
        """Put the best weights back, and score train and test with them: once, as each may be a pass of its own."""
        if not self.best.restore(self.network):
            return math.nan, math.nan
        train, test = self._scored("train", "test")
        return train, test

    def _scored(self, *parts: Part) -> list[float]:
        """The metric of some parts, as the leader finds it, in the parameters' precision: in half of it scores tie."""
        if not self.team.leads:
            return self.team.broadcast([])
        said = self.graphs.evaluation(self._evaluate)
        score = self.task.scores(self.network.eval() if said is None else ConstantOutput(said))
        return self.team.broadcast([number("task", self.task, score(part), "its score") for part in parts])

    def _evaluate(self) -> Tensor:
        """What the network returns of the whole graph; for tasks that have one."""
        assert self.task.whole is not None, "else no step is recorded, and no evaluation"
        return self.network.eval()(*self.task.whole)

    def _why_not_recorded(self) -> str | None:
        """What speaks against steps that a GPU repeats by itself."""
        if self.team.size > 1:
            return "several processes train together"
        if not self.steps.looks_after:
            return "the optimiser waits until the host has looked at the loss"
        return unrecordable(self.network, self.task, self.optimizer)

    def located(self, batch: Batch) -> NonFinite:
        """Where non-finite values begin, in the share of the first process that finds any in its own."""
        found = self.team.gather(
            locate(self.network, self.network.blocks, self.task, batch, self.step + 1, self.precision())
        )
        return next((each for each in found if each.what != "nothing"), found[0])

    def precision(self) -> torch.autocast:
        """What the network and the loss are computed in, while it is trained."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def _epoch(self, step: int) -> int:
        return math.ceil(step / self.task.steps_per_epoch)
