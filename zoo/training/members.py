"""Networks of one form trained as one: their tensors stacked, their passes and steps made in one go."""

import copy
import warnings
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from zoo.contracts import scalar
from zoo.errors import TrainingError
from zoo.graphs.graph import Graph
from zoo.layers.network import Network
from zoo.probes.diagnosis import NonFinite
from zoo.probes.snapshot import preserving_state
from zoo.system.os_errors import shortage_of
from zoo.tasks.base import Batch
from zoo.training.cuda_graphs import CudaGraphs, Part
from zoo.training.declared import unrecordable
from zoo.training.outcome import Progress, Watcher
from zoo.training.steps import TrainingSetup, locate_in
from zoo.training.validation import ConstantOutput, ReusedForward


class Members(nn.Module):
    """Networks of equal structure as one, each tensor of theirs a row in a stack [members, …].

    `network` is of their structure and holds the stacks, under the same names: what an optimiser is given that works on
    each number by itself. A pass is made by `torch.vmap`, so that every operation of a network is one on all members;
    random numbers are drawn for each by itself. The networks themselves stay as they are.

    penalties: those of the last pass, [members]; None where there are none, and in evaluation.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        super().__init__()
        self.size = len(networks)
        self.network = copy.deepcopy(networks[0])
        self.penalties: Tensor | None = None
        rows = [_tensors(network) for network in networks]
        for name, tensor in _tensors(self.network).items():
            tensor.data = torch.stack([row[name].detach() for row in rows])

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return the output of each network for x, [members, …]."""

        def run(tensors: dict[str, Tensor]) -> tuple[Tensor, ...]:
            # Each tensor has one name here. If names were tied, the tensor of a module that several blocks share would
            # be replaced under each of them, and not be put back.
            return functional_call(_Pass(self.network), tensors, (graph, x), tie_weights=False)

        tensors = {f"network.{name}": tensor for name, tensor in _tensors(self.network).items()}
        outputs, *penalties = torch.vmap(run, randomness="different")(tensors)
        self.penalties = penalties[0] if penalties else None
        return outputs

    def check(self, graph: Graph, x: Tensor) -> None:
        """Try a training pass, which leaves no mark. Raises: TrainingError if it cannot be made for all at once."""
        self.network.train()
        try:
            with preserving_state(self.network), warnings.catch_warnings():
                warnings.filterwarnings("error", message="There is a performance drop")  # one member after the other
                self(graph, x).sum().backward()
        except (RuntimeError, NotImplementedError, UserWarning) as error:
            if shortage_of(error) is not None:
                raise
            reason = str(error).strip().splitlines()[0]
            raise TrainingError(
                f"together — PyTorch cannot make a pass of this model for several networks at once: {reason} — "
                "expected a model of the zoo's own layers — train the seeds one after the other, without --together"
            ) from error

    def gradient_norms(self) -> Tensor:
        """The norm of all gradients of each member, [members]."""
        rows = torch.cat([gradient.flatten(1) for gradient in self._gradients()], dim=1)
        return torch.linalg.vector_norm(rows, dim=1)

    def clip(self, norms: Tensor, largest: float) -> None:
        """Scale the gradients of members whose norm is above `largest` down to it, as `clip_grad_norm_` does."""
        factors = (largest / (norms + 1e-6)).clamp(max=1)
        for gradient in self._gradients():
            gradient.mul_(factors.view(-1, *[1] * (gradient.dim() - 1)))

    def keep(self, places: list[int], optimizer: torch.optim.Optimizer) -> None:
        """Let the other members go, from the optimiser's state and the gradients, too."""
        self.size = len(places)
        for parameter in self.network.parameters():
            state: dict[str, Any] = optimizer.state.get(parameter, {})
            shape, gradient, parameter.grad = parameter.shape, parameter.grad, None
            parameter.data = parameter.data[places]
            parameter.grad = None if gradient is None else gradient[places]
            for name, value in state.items():
                if isinstance(value, Tensor) and value.shape == shape:
                    state[name] = value[places]
        for buffer in self.network.buffers():
            buffer.data = buffer.data[places]

    @torch.no_grad()
    def write(self, place: int, network: Network) -> None:
        """Write a member's tensors into a network of its own."""
        for name, tensor in _tensors(network).items():
            tensor.copy_(_tensors(self.network)[name][place])

    def _gradients(self) -> list[Tensor]:
        return [parameter.grad for parameter in self.network.parameters() if parameter.grad is not None]


class Bests:
    """The tensors of each member at its best, in the place that it had at first."""

    def __init__(self, members: Members) -> None:
        self._network = members.network
        self._kept = {name: tensor.clone() for name, tensor in self._network.state_dict().items()}

    @torch.no_grad()
    def take(self, places: list[int], first: list[int]) -> None:
        """Keep what the members at these places are now; first: the places that they had at first."""
        if places:
            now = self._network.state_dict()
            device = next(iter(now.values())).device
            here, there = torch.tensor([places, first], device=device)
            for name, tensor in now.items():
                self._kept[name].index_copy_(0, there, tensor.index_select(0, here))

    def of(self, first: int) -> dict[str, Tensor]:
        """A member's best, as the state of a network of its own; later ones are seen in it."""
        return {name: tensor[first] for name, tensor in self._kept.items()}


class _Pass(nn.Module):
    """A network's output, and its penalty where it has one and is in training."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, graph: Graph, x: Tensor) -> tuple[Tensor, ...]:
        output = self.network(graph, x)
        with torch.autocast(output.device.type, enabled=False):  # as `training_loss` does
            penalty = self.network.penalty() if self.network.training else None
        return (output,) if penalty is None else (output, penalty)


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


class MemberSteps:
    """Steps of several networks of one form as one, each as it would be taken alone.

    setups: of each member; their tasks compute on one and the same graph (`Task.whole`). members: their networks.
    optimizer: of `members.network`, and such that a number's step depends on that number alone.
    """

    def __init__(
        self,
        setups: Sequence[TrainingSetup],
        members: Members,
        optimizer: torch.optim.Optimizer,
        watchers: Sequence[Sequence[Watcher]],
    ) -> None:
        common = self.setup = setups[0]
        assert common.task.whole is not None
        self.whole = common.task.whole
        self.members, self.optimizer, self.bests = members, optimizer, Bests(members)
        self.running = [
            Progress(setup.network, setup.task, seers, setup.evidence)
            for setup, seers in zip(setups, watchers, strict=True)
        ]
        self.places = {progress: place for place, progress in enumerate(self.running)}  # that they had at first
        self.batches = {progress: next(iter(progress.task.batches(0))) for progress in self.running}
        self.losses = torch.zeros(0)
        self._pass: tuple[tuple[Tensor, Tensor], list[Part]] | None = None  # and the parts of its step
        self.reused = ReusedForward(members.network, common.task, alone=not common.bf16)
        why_not = partial(unrecordable, members.network, common.task, optimizer)
        self.graphs = CudaGraphs(common.cuda_graphs, common.device, optimizer, why_not)

    def forward(self, batch: Batch, *, observed: bool) -> Iterable[nn.Module]:
        """Make the training pass of all; each learns from its own batch."""
        parts = self.graphs.parts(self._forward, self._backward, self._update, settled=not observed)
        passed = parts[0]()
        self._pass = passed, parts
        return map(ConstantOutput, passed[1])

    def update(self, leaving: list[Progress]) -> list[Progress]:
        """Take the step of those who stay; who leaves has the weights that it had before."""
        assert self._pass is not None, "forward was called"
        (passed, (_, backward, update)), self._pass = self._pass, None
        losses, norms = passed[0], backward(passed)
        # The one look of the step comes before the optimiser's: who leaves is taken out of what it works on.
        finite = torch.isfinite(losses + norms).tolist()
        diverged = [
            progress
            for progress, good in zip(self.running, finite, strict=True)
            if not good and progress not in leaving
        ]
        kept = [place for place, each in enumerate(self.running) if each not in leaving and each not in diverged]
        if len(kept) < len(finite):
            losses, norms, update = losses[kept], norms[kept], self._update
        self.losses = losses.detach().clone()  # the next replay writes over them
        self.release([*leaving, *diverged])
        if self.running:
            update(norms)
        return diverged

    def evaluated(self) -> list[nn.Module]:
        """Return stand-ins with the outputs of one evaluation pass of all."""
        outputs = self.graphs.evaluation(self._evaluate)
        return [ConstantOutput(output) for output in (self._evaluate() if outputs is None else outputs)]

    def keep_best(self, better: list[Progress]) -> None:
        """Copy the weights, those of all in one go."""
        self.bests.take([self.running.index(each) for each in better], [self.places[each] for each in better])
        for progress in better:
            progress.best.weights = self.bests.of(self.places[progress])

    def release(self, leaving: list[Progress]) -> None:
        """Write the weights of who leaves into its own network, and take it out of the stacks."""
        kept = [place for place, progress in enumerate(self.running) if progress not in leaving]
        if len(kept) == len(self.running):
            return
        for place, progress in enumerate(self.running):
            if progress in leaving:
                self.members.write(place, progress.network)
        self.running = [self.running[place] for place in kept]
        if kept:
            self.members.keep(kept, self.optimizer)
            self.graphs.forget()

    def locate(self, progress: Progress, batch: Batch, step: int) -> NonFinite:
        """Look for it in the member's own batch."""
        return locate_in(self.setup, progress, self.batches[progress], step)

    def _forward(self) -> tuple[Tensor, Tensor]:
        """The losses, [members], and what the networks returned."""
        self.members.train()
        self.optimizer.zero_grad(set_to_none=True)
        with self.setup.precision():
            outputs = self.members(*self.whole)
            each = [self._loss(progress, output) for progress, output in zip(self.running, outputs, strict=True)]
            losses, penalties = torch.stack(each), self.members.penalties
            losses = losses if penalties is None else losses + penalties
        return losses, outputs.detach()

    def _loss(self, progress: Progress, output: Tensor) -> Tensor:
        loss = progress.task.loss(ConstantOutput(output), self.batches[progress])
        return scalar("task", progress.task, loss, "its loss")

    def _backward(self, passed: tuple[Tensor, Tensor]) -> Tensor:
        """The norms of all gradients of each member, [members]."""
        passed[0].sum().backward()
        return self.members.gradient_norms()

    def _update(self, norms: Tensor) -> None:
        if self.setup.clip < torch.inf:
            self.members.clip(norms, self.setup.clip)
        self.optimizer.step()

    def _evaluate(self) -> Tensor:
        return self.members.eval()(*self.whole)
