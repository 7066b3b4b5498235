"""The one training loop: any task, any network, any device, one process or several, one network or several as one."""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import nn

from zoo.engine.buffers import Buffers
from zoo.engine.sparse_input import unchanging
from zoo.probes.steering import steer
from zoo.system.process import prepare_process
from zoo.system.seeds import kept_random_state, random_state, set_random_state
from zoo.system.stop import Stop
from zoo.tasks.base import Batch, Part
from zoo.training.outcome import Outcome, Progress, Status, Watcher
from zoo.training.saving import Saver, Saving, State, check_resumable, fitting_state
from zoo.training.steps import NetworkSteps, Steps, TrainingSetup, final_reading
from zoo.training.validation import Validation


class Trainer:
    """Trains on a task, and keeps the weights that validated best.

    It ends at `training.duration`, when `training.patience` is spent, or at the first loss or gradient that is not
    finite. With a saver its state is kept every `training.save`; `resume` continues from there, and ends bitwise where
    the uninterrupted training ends (on a CPU), at whatever steps states were saved. At a Ctrl-C or SIGTERM the state is
    kept after the step under way, and `fit` raises `Interrupted` or `Terminated` (`zoo.system.stop`).

    steps: the way to take a step, `NetworkSteps` if None. With steps of several networks each of them ends when it
    would end alone. Of a team, the leader scores and reads the probes, on its share of a batch, and the others hear of
    what decides; watchers and saver are the leader's alone.
    """

    def __init__(
        self,
        setup: TrainingSetup,
        watchers: Sequence[Watcher] = (),
        saver: Saver | None = None,
        *,
        steps: Steps | None = None,
    ) -> None:
        per_epoch = setup.task.steps_per_epoch
        self.setup, self.team, self.process = setup, setup.team, setup.process
        self.total = setup.training.duration.steps(per_epoch)
        self.steps = steps or NetworkSteps(setup, watchers)
        self.all = list(self.steps.running)
        self.validation = Validation(setup.training, per_epoch, self.total, self.steps.reused)
        self.steering = setup.controller
        self.steer_every = self.steering.every.steps(per_epoch, self.total) if self.steering else 0
        self.saver, self.saves = saver, self.team.broadcast(saver is not None)
        self.saving = Saving(setup.training, per_epoch, self.total)
        self.stop = Stop(active=self.saves, echoes=self.team.size > 1)
        self.step = 0  # how many were taken
        self.lr = math.nan  # of the last step
        self.seconds, self.began = 0.0, time.perf_counter()  # of training before it began here

    def fit(self) -> Outcome:
        """Train to the end; each network then carries its best weights. Returns the outcome of the first."""
        self.began = time.perf_counter() - self.seconds
        with prepare_process(self.process), unchanging():
            with self.stop:
                self.saving.begin(self.step)
                if self.validation.is_overdue():
                    self._validate(self.steps.evaluated())
                self._end(self._spent(), "stopped early")  # as a state that a signal left may be
                for batch in self._batches():
                    self._train_on(batch)
                    if not self.steps.running:
                        break
                    if self.validation.is_due(self.step):
                        self._validate(self.steps.evaluated())
                    if self.saves:
                        self._save_if_due()
                    self._end(self._spent(), "stopped early")
            self._end(self.steps.running, "finished")
        return self.outcomes[0]

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcome of each network whose training has ended."""
        return [progress.outcome for progress in self.all if progress.outcome is not None]

    def _batches(self) -> Iterator[Batch]:
        while self.steps.running and self.step < self.total:
            for batch in self.setup.task.batches(*divmod(self.step, self.setup.task.steps_per_epoch)):
                yield batch
                if not self.steps.running or self.step >= self.total:
                    return

    def _train_on(self, batch: Batch) -> None:
        """Take one step; a network whose patience is spent, or whose loss or gradient is not finite, takes none."""
        spent: list[Progress] = []
        with self.setup.plan.tap(self.step + 1) as tap:
            outputs = self.steps.forward(batch, observed=tap.is_active)
            if self.validation.pending:  # of the step before, whose weights made these outputs
                self._validate(outputs)
                spent = self._spent()
            diverged = self.steps.update(spent)
        self._end(spent, "stopped early")
        self._end(diverged, "non-finite", batch)
        if not self.steps.running:
            return
        self.step += 1
        self.lr = self.setup.optimizer.param_groups[0]["lr"]  # the scheduler puts the next step's in its place
        self.setup.scheduler.step()
        reading = tap.read()
        if reading:
            for progress in self.steps.running:
                progress.probed(self.step, reading)
        if self.steering and self.step % self.steer_every == 0:
            steer(self.steering, self.setup.network, self.team.broadcast(reading))

    @torch.no_grad()
    def _validate(self, models: Iterable[nn.Module]) -> None:
        """Score the networks as they stand; models: they themselves, or stand-ins with their outputs."""
        self.validation.pending = False
        better: list[Progress] = []
        losses = self.steps.losses.reshape(-1).tolist()
        for progress, model, loss in zip(self.steps.running, models, losses, strict=True):
            (val,) = self._scores(progress, model, "val")
            if progress.validated(self.step, loss, val, self.lr, time.perf_counter() - self.began):
                better.append(progress)
        self.steps.keep_best(better)

    def _scores(self, progress: Progress, model: nn.Module, *parts: Part) -> list[float]:
        """The metric of some parts, as the leader finds it, in the parameters' precision: in half of it scores tie."""
        if not self.team.leads:
            return self.team.broadcast([])
        return self.team.broadcast(progress.scores(model, *parts))

    def _spent(self) -> list[Progress]:
        """The networks whose validation has not improved for too long."""
        return [each for each in self.steps.running if self.validation.is_spent(self.step, each.best.step)]

    def _end(self, leaving: list[Progress], status: Status, batch: Batch = None) -> None:
        """Train these networks no further: read the evidence, put their best weights back and score them."""
        self.steps.release(leaving)
        for progress in leaving:
            bad = self.steps.locate(progress, batch, self.step + 1) if status == "non-finite" else None
            final = final_reading(self.setup, progress)
            train = test = math.nan
            if progress.best.restore(progress.network):
                with torch.no_grad():
                    train, test = self._scores(progress, progress.network.eval(), "train", "test")
            Buffers.clear_all()
            progress.outcome = Outcome(
                status=status,
                val=progress.best.val,
                test=test,
                train=train,
                best_epoch=progress.epoch(progress.best.step),
                epochs=progress.epoch(self.step),
                steps=self.step,
                seconds=time.perf_counter() - self.began,
                course=progress.course,
                non_finite=bad,
                final=final,
                cuda_graphs=self.steps.graphs.summary,
            )

    def state(self) -> State:
        """Everything that decides how the training continues, as tensors and plain values; of all processes."""
        (progress,) = self.all
        return {
            "step": self.step,
            "seconds": self.seconds,
            "material": dict(self.setup.material),
            "network": self.setup.network.state_dict(),
            "optimizer": self.setup.optimizer.state_dict(),
            "scheduler": self.setup.scheduler.state_dict(),
            "best": progress.best.state_dict(),
            "course": progress.course.state_dict(),
            "waiting": self.validation.pending,
            "loss": self.steps.losses,
            "lr": self.lr,
            "steering": self.steering.state_dict() if self.steering else {},
            "random": self.team.gather(random_state()),
        }

    def resume(self, state: State) -> None:
        """Stand where the training stood when `state` was taken.

        Raises: TrainingError for a team of another size, and for a state that is not one of this training.
        """
        (progress,) = self.all
        with fitting_state():
            check_resumable(state, self.team.size, self.setup.material)
            self.step, self.seconds = state["step"], state["seconds"]
            self.setup.network.load_state_dict(state["network"])
            self.setup.optimizer.load_state_dict(state["optimizer"])
            self.setup.scheduler.load_state_dict(state["scheduler"])
            progress.best.load_state_dict(state["best"])
            progress.course = type(progress.course)(**state["course"])
            if self.steering:
                self.steering.load_state_dict(state["steering"])
            self.steps.losses, self.lr = state["loss"], state["lr"]
            self.validation.pending = bool(state["waiting"])
            random = state["random"][self.team.rank]
            with kept_random_state():
                set_random_state(random)
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
