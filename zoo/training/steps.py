"""Optimiser steps: what a training is made of, and the steps of one network."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from zoo.contracts import scalar
from zoo.layers.network import Network
from zoo.probes.base import Probe
from zoo.probes.diagnosis import NonFinite
from zoo.probes.reading import Reading
from zoo.probes.snapshot import snapshot
from zoo.probes.steering import Controller
from zoo.probes.tap import ProbeSchedule
from zoo.recipe.recipe import Training
from zoo.system.private import foreach_norm, skips_nonfinite_steps
from zoo.system.process import ProcessSettings
from zoo.system.team import Team
from zoo.tasks.base import Batch, Task
from zoo.training.cuda_graphs import Asked, CudaGraphs, Part
from zoo.training.declared import unrecordable
from zoo.training.nonfinite import locate
from zoo.training.outcome import Progress, Watcher
from zoo.training.validation import ConstantOutput, ReusedForward


@dataclass(frozen=True, kw_only=True)
class TrainingSetup:
    """All that a training is made of.

    scheduler: stepped once per optimiser step. plan: which probes are read at which step, those of the controller
    among them. controller: moves the normalisers' bounds by what its probes read. evidence: probes that are read once
    more after the last step. material: digests by name of what is trained on (data, split). process: what is set in
    the process while it trains; unless given, as it is when the setup is made.

    team: the processes that train together, each with a trainer of its own. The leader alone has plan and evidence.
    """

    network: Network
    task: Task
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    training: Training
    device: torch.device
    plan: ProbeSchedule
    controller: Controller | None = None
    evidence: Sequence[Probe] = ()
    team: Team = field(default_factory=Team)
    cuda_graphs: Asked = "auto"
    material: Mapping[str, str] = field(default_factory=dict)
    process: ProcessSettings = field(default_factory=ProcessSettings.current)

    @property
    def bf16(self) -> bool:
        """True if the network and the loss are computed in bfloat16 in training."""
        return self.training.precision == "bf16"

    @property
    def clip(self) -> float:
        """The largest norm of all gradients together; infinite where they are not clipped."""
        return math.inf if self.training.clip is None else self.training.clip

    def precision(self) -> torch.autocast:
        """Return the context in which the network and the loss are computed in training."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)


class Steps(Protocol):
    """A way to take optimiser steps: of one network, or of several as one.

    running: the networks that are still trained. losses: those of the last step, of each in `running`, before the step
    moved its weights. reused: whether training passes tell validations. graphs: the recorder of CUDA graphs.
    """

    running: list[Progress]
    losses: Tensor
    reused: ReusedForward
    graphs: CudaGraphs

    def forward(self, batch: Batch, *, observed: bool) -> Iterable[nn.Module]:
        """Make the training pass of a step, and return a stand-in with its outputs for each network, or nothing.

        observed: whether probes read this step.
        """
        ...

    def update(self, leaving: list[Progress]) -> list[Progress]:
        """Take the step of that pass; return those for whom it was not finite, who go without it, as `leaving` do."""
        ...

    def evaluated(self) -> list[nn.Module]:
        """Return each network, or a stand-in with its outputs, for a task to score."""
        ...

    def keep_best(self, better: list[Progress]) -> None:
        """Copy the weights of these networks as their best."""
        ...

    def release(self, leaving: list[Progress]) -> None:
        """Train these no further; each network has its own weights then, those after its last step."""
        ...

    def locate(self, progress: Progress, batch: Batch, step: int) -> NonFinite:
        """Return where non-finite values begin in a step that was not taken."""
        ...


class NetworkSteps:
    """Steps of one network, by one process or a team, on the mean of the gradients; recorded on a GPU if possible."""

    def __init__(self, setup: TrainingSetup, watchers: Sequence[Watcher] = ()) -> None:
        network, task, team = setup.network, setup.task, setup.team
        self.setup, self.network = setup, network
        self.running = [Progress(network, task, watchers, setup.evidence)]
        self.parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.loss = team.parallel(TrainingLoss(network, task))
        self.optimizer = FiniteSteps(setup.optimizer, setup.device)
        self.reused = ReusedForward(network, task, alone=team.size == 1 and not setup.bf16)
        self.graphs = CudaGraphs(setup.cuda_graphs, setup.device, setup.optimizer, self._why_not_recorded)
        self.losses = torch.zeros(())
        self._pass: tuple[tuple[Tensor, Tensor | None], Part] | None = None  # and how its step is taken

    def forward(self, batch: Batch, *, observed: bool) -> Iterable[nn.Module]:
        """Make the training pass; its outputs are those of the network as it stands."""
        forward, update = self.graphs.parts(partial(self._forward, batch), self._update, settled=not observed)
        passed = forward()
        self._pass = passed, update
        return [] if passed[1] is None else map(ConstantOutput, [passed[1]])

    def update(self, leaving: list[Progress]) -> list[Progress]:
        """Take the step where its loss and gradients are finite."""
        assert self._pass is not None, "forward was called"
        (passed, update), self._pass = self._pass, None  # else the pass would live until the next one
        if leaving:
            return []
        loss, finite = update(passed)
        self.losses = loss.clone()  # the next replay writes over it
        return [] if finite else self.running

    def evaluated(self) -> list[nn.Module]:
        """Return the network in evaluation mode, or a stand-in with its outputs where steps are replayed."""
        outputs = self.graphs.evaluation(self._evaluate)
        return [self.network.eval() if outputs is None else ConstantOutput(outputs)]

    def keep_best(self, better: list[Progress]) -> None:
        """Copy the weights."""
        for progress in better:
            progress.best.copy_weights(progress.network)

    def release(self, leaving: list[Progress]) -> None:
        """Stop; the network has its weights already."""
        self.running = [progress for progress in self.running if progress not in leaving]

    def locate(self, progress: Progress, batch: Batch, step: int) -> NonFinite:
        """Look for it in the batch of each process of the team."""
        found = self.setup.team.gather(locate_in(self.setup, progress, batch, step))
        return next((each for each in found if each.what != "nothing"), found[0])

    def _forward(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        self.network.train()
        self.setup.optimizer.zero_grad(set_to_none=True)
        with self.setup.precision(), self.reused.capturing():
            loss = self.loss(batch)
        return loss, self.reused.outputs

    def _update(self, passed: tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor]:
        """Move the weights, and return the loss of all processes and whether it and the gradients are finite."""
        passed[0].backward()
        loss = self.setup.team.mean(passed[0])
        finite = self.optimizer.take(loss + clipped_norm(self.parameters, self.setup.clip))
        self.network.project()
        return loss, finite

    def _evaluate(self) -> Tensor:
        """Return the output for the whole graph; for tasks that have one."""
        assert self.setup.task.whole is not None, "else no step is recorded, and no evaluation"
        return self.network.eval()(*self.setup.task.whole)

    def _why_not_recorded(self) -> str | None:
        if self.setup.team.size > 1:
            return "several processes train together"
        if not self.optimizer.looks_after:
            return "the optimiser waits until the host has looked at the loss"
        return unrecordable(self.network, self.setup.task, self.setup.optimizer)


def locate_in(setup: TrainingSetup, progress: Progress, batch: Batch, step: int) -> NonFinite:
    """Return where non-finite values begin in a step of a network on a batch."""

    def loss() -> Tensor:
        with setup.precision():
            return training_loss(progress.network, progress.task, batch)

    return locate(progress.network, loss, step)


def final_reading(setup: TrainingSetup, progress: Progress) -> Reading | None:
    """Read the evidence of how a network stands after its last step; None where there are no probes for it."""

    def loss() -> Tensor:
        with setup.precision():
            return first_loss(progress.network, progress.task)

    return snapshot(progress.network, progress.evidence, loss) if progress.evidence else None


def training_loss(network: nn.Module, task: Task, batch: Batch) -> Tensor:
    """The task's loss on a batch, plus the penalty of the network's blocks and regularisers where there is one."""
    loss = scalar("task", task, task.loss(network, batch), "its loss")
    with torch.autocast(loss.device.type, enabled=False):  # the distance of products that are nearly equal
        penalty = network.penalty() if isinstance(network, Network) else None
    return loss if penalty is None else loss + penalty


def first_loss(network: nn.Module, task: Task) -> Tensor:
    """The training loss of a network on the task's first batch."""
    return training_loss(network.train(), task, next(iter(task.batches(0))))


class TrainingLoss(nn.Module):
    """`training_loss` of a network and a task, as a module: what is made parallel as a whole."""

    def __init__(self, network: nn.Module, task: Task) -> None:
        super().__init__()
        self.network = network
        self.task = task

    def forward(self, batch: Batch) -> Tensor:
        """Return the loss of a batch, a scalar."""
        return training_loss(self.network, self.task, batch)


class FiniteSteps:
    """The steps of an optimiser, left out where a number is not finite.

    On a CPU to look at a number is free, and the step waits for the look. A GPU is told what to do long before it does
    it, and a look makes the host wait until all of it is done. There the optimiser's own kernels leave parameters and
    moments alone if the number is not finite, and the host looks once they are queued. Optimisers that have no such
    kernels (they are not fused) wait for the look everywhere.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, device: torch.device) -> None:
        self.optimizer: Any = optimizer
        self.looks_after = device.type != "cpu" and skips_nonfinite_steps(optimizer)

    def take(self, number: Tensor) -> Tensor:
        """Take a step if the number, a scalar on the device, is finite, and return whether it is, there."""
        finite = torch.isfinite(number)
        if not self.looks_after:
            if finite:
                self.optimizer.step()
            return finite
        self.optimizer.grad_scale, self.optimizer.found_inf = None, finite.logical_not().float()
        self.optimizer.step()
        del self.optimizer.grad_scale, self.optimizer.found_inf
        return finite


@torch.no_grad()
def clipped_norm(parameters: Iterable[nn.Parameter], largest: float) -> Tensor:
    """Return the norm of all gradients together, a scalar, and scale them down to `largest` where it is above.

    Infinite for `largest` leaves them alone: `clip_grad_norm_`, which is called otherwise, multiplies them by 1.
    """
    if largest < torch.inf:
        return nn.utils.clip_grad_norm_(parameters, largest)
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return torch.linalg.vector_norm(torch.stack(foreach_norm(gradients))) if gradients else torch.zeros(())
