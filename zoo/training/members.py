"""Networks of one form as one network: their tensors stacked, their passes made in one go."""

import copy
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from zoo.errors import TrainingError
from zoo.graphs.graph import Graph
from zoo.layers.network import Network
from zoo.probes.snapshot import preserving_state
from zoo.system.os_errors import shortage_of


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
        """What each network returns for x, [members, …]."""

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
            said = str(error).strip().splitlines()[0]
            raise TrainingError(
                f"together — PyTorch cannot make a pass of this model for several networks at once: {said} — expected "
                "a model of the zoo's own layers — train the seeds one after the other, without --together"
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


class ConstantOutput(nn.Module):
    """Stands in for a network whose output is known: a task asks it for its loss or its scores."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = output

    def forward(self, *inputs: Any) -> Tensor:
        """Return the output."""
        return self.output


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
