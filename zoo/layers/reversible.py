"""Group-reversible blocks, whose inputs are recomputed from their outputs instead of kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import chain, islice
from operator import add
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.weak import TensorWeakRef

from zoo.engine.checkpointing import BlockState
from zoo.errors import BuildError
from zoo.graph_like import Norm
from zoo.graphs.graph import Graph
from zoo.layers.block import activated, apply_norms
from zoo.layers.conv import attribute_of, convolve

_WAY_OUT = "model.reversible=false keeps the activations"


class SavedOutput:
    """An operator's output: held until the next operator has used it, and recovered by that one in the backward pass.

    Of a chain of reversible operators, only the first input and the last output are held.
    """

    def __init__(self, x: Tensor) -> None:
        self.recovered: Tensor | None = None
        self._own: Tensor | None = x.detach()  # not the output itself, which holds the node that holds this
        self._version = x._version
        self._elsewhere = TensorWeakRef(x)

    @staticmethod
    def of(x: Tensor) -> "SavedOutput | None":
        """Return what the node that made x holds of it; None where x is no reversible operator's output."""
        found = attribute_of(x.grad_fn, "saved")
        return found if isinstance(found, SavedOutput) else None

    def release(self) -> None:
        """Hold the output no longer: it will be recovered."""
        self._own = None

    def take(self) -> Tensor:
        """Return the output, from whoever has it. Raises: BuildError if nobody has, or if it was overwritten."""
        recovered, self.recovered = self.recovered, None
        if recovered is not None:
            return recovered
        found = self._own if self._own is not None else self._elsewhere()
        if found is None:
            raise BuildError(
                "reversible blocks — a block's output is gone, and the loss does not reach the block after it — "
                "expected a loss of the last block's output, or that this output is held until the backward pass — "
                f"{_WAY_OUT}"
            )
        if found._version != self._version:
            raise BuildError(
                "reversible blocks — a block's input or output was overwritten before the backward pass, which starts "
                f"from it — expected operations that are not in place — {_WAY_OUT}"
            )
        return found.detach()


class GroupedConv(nn.ModuleList):
    """One convolution for each group of channels; they are alike."""

    same_in_training = True

    @property
    def in_width(self) -> int | None:
        """The width of a group, where the convolution tells."""
        return attribute_of(self[0], "in_width")

    @property
    def propagation(self) -> Norm | None:
        """The weights by which features spread, as for `Conv`."""
        return attribute_of(self[0], "propagation", "both")


@dataclass(frozen=True)
class GroupUpdate:
    """f_i, the update of one group: norms → activation → dropout → conv, in the precision of the parameters."""

    norms: nn.ModuleList
    activation: nn.Module
    dropout: nn.Module
    conv: nn.Module
    dtype: torch.dtype

    def __call__(self, graph: Graph, x: Tensor) -> Tensor:
        """x: [nodes, width of the group], and so is the result."""
        x = x.to(self.dtype)
        x = self.dropout(activated(self.activation, apply_norms(self.norms, graph, x, x)))
        return convolve(self.conv, graph, x)


class ReversibleBlock(nn.Module):
    """Grouped reversible residual block (Li et al., ICML 2021, "Training Graph Neural Networks with 1000 Layers").

    The channels of X are split into C groups X_1 … X_C, C ≥ 2:

        X'_0 = Σ_{i≥2} X_i        X'_i = X_i + f_i(X'_{i−1}),  i = 1 … C        f_i: norms → activation → dropout → conv

    and X is recovered from X': X_i = X'_i − f_i(X'_{i−1}) for i = C … 2, then X_1 = X'_1 − f_1(Σ_{i≥2} X_i).

    A block keeps neither its input nor what f_i computes: its backward pass computes them again from its output, which
    the block after it recovers. Of a chain of blocks only the first input and the last output are kept. Kept per block
    are its parameters, copies of its buffers and, where f_i draws random numbers, C random states (5 KB each on a CPU,
    16 bytes on a GPU).

    Features go from block to block in float64, and f_i computes in the precision of its parameters. Rounding errors in
    X grow backwards as features grow forwards, by 1e7 in 64 such GCN blocks with Glorot's weights on Cora: in float32
    nothing would be left of X_0. From float64, f_i is nearly always given what it was given before, to the bit, and the
    gradients are then those of `reversible=False`. Gradients of gradients are refused.

    convs, norms: for each group, built for the width of a group. reversible: False runs the same block as a plain one.
    Raises: BuildError for fewer than two groups, an activation that overwrites its input, or a sampled graph.
    """

    same_in_training = True
    recordable = False  # the host hands features from block to block, and looks at random states
    per_node = False  # X' of a node is made of X' of its neighbours' other groups

    def __init__(
        self,
        convs: Sequence[nn.Module],
        *,
        norms: Sequence[Sequence[nn.Module]] = (),
        activation: nn.Module | None = None,
        dropout: float = 0.0,
        reversible: bool = True,
    ) -> None:
        super().__init__()
        if len(convs) < 2:
            raise BuildError(f"model.groups — {len(convs)} cannot be inverted — expected 2 or more — nearest: 2")
        if attribute_of(activation, "inplace", False):
            raise BuildError(
                "model.activation.inplace — overwrites what the block is rebuilt from — expected inplace: false"
            )
        self.conv = GroupedConv(convs)
        self.norms = nn.ModuleList(nn.ModuleList(group) for group in norms or [()] * len(convs))
        self.activation = nn.ReLU() if activation is None else activation
        self.dropout = nn.Dropout(dropout)
        self.reversible = reversible

    def forward(self, graph: Graph, x: Tensor, first: Tensor | None = None) -> Tensor:
        """x: [nodes, width]; so is the result, in float64; first is ignored."""
        if graph.sources != graph.nodes:
            raise BuildError(
                f"rev-gnn — a sampled graph of {graph.sources} sources and {graph.nodes} nodes has no way back — "
                "expected a whole graph — res-gcn runs on sampled ones"
            )
        x = x.double()
        updates = self._updates()
        if not (self.reversible and torch.is_grad_enabled()):
            return _forwards(x, [partial(update, graph) for update in updates])
        # The node that made x may let go of x now; x is recovered before that node runs backwards.
        before, replays = SavedOutput.of(x), [_Replay(update) for update in updates]
        parameters = chain.from_iterable(replay.state.parameters for replay in replays)
        return cast(Tensor, _Reversible.apply(graph, replays, before, x, *parameters))

    @torch.no_grad()
    def inverse(self, graph: Graph, y: Tensor) -> Tensor:
        """Return the input whose output is y: [nodes, width] both, without gradient. Not for blocks with dropout."""
        return _backwards(y, [partial(update, graph) for update in self._updates()])

    def extra_repr(self) -> str:
        """Return whether the block is reversible, for `print`."""
        return f"reversible={self.reversible}"

    def _updates(self) -> list[GroupUpdate]:
        dtype = next((p.dtype for p in self.parameters() if p.is_floating_point()), torch.get_default_dtype())
        return [
            GroupUpdate(cast(nn.ModuleList, norms), self.activation, self.dropout, conv, dtype)
            for norms, conv in zip(self.norms, self.conv, strict=True)
        ]


class ReversibleHead(nn.Sequential):
    """Modules after reversible blocks, one after the other, in the precision of their parameters."""

    same_in_training = True

    def forward(self, input: Tensor) -> Tensor:
        """input: [nodes, width], of any precision."""
        return super().forward(input.to(next(self.parameters()).dtype))


def _forwards(x: Tensor, updates: Sequence[Callable[[Tensor], Tensor]]) -> Tensor:
    """Return X' of X."""
    groups = x.chunk(len(updates), dim=1)
    outputs: list[Tensor] = [reduce(add, groups[1:])]
    for group, update in zip(groups, updates, strict=True):
        outputs.append(group + update(outputs[-1]))
    return torch.cat(outputs[1:], dim=1)


def _backwards(y: Tensor, updates: Sequence[Callable[[Tensor], Tensor]], known: Tensor | None = None) -> Tensor:
    """Return X of X', the last group's update first. known: X itself, which the first group's update then reads."""
    outputs = y.chunk(len(updates), dim=1)
    groups: list[Tensor] = []
    for index in reversed(range(1, len(updates))):
        groups.insert(0, outputs[index] - updates[index](outputs[index - 1]))
    source = reduce(add, groups if known is None else known.chunk(len(updates), dim=1)[1:])
    return torch.cat([outputs[0] - updates[0](source), *groups], dim=1)


class _Replay:
    """One pass through an update, to be run again as it was: with its buffers, modes, autocast and random numbers."""

    def __init__(self, update: GroupUpdate) -> None:
        self.update = update
        self.state = BlockState([update.norms, update.activation, update.dropout, update.conv])

    def first(self, graph: Graph, x: Tensor) -> Tensor:
        """Return f_i(x), and note what it depends on besides x and the state."""
        kind = x.device.type
        self.autocast = kind, torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind)
        random = _random_state(x.device)
        result = self.update(graph, x)
        self.random = None if all(map(torch.equal, random, _random_state(x.device))) else random
        return result

    def again(self, graph: Graph, x: Tensor, parameters: Sequence[Tensor]) -> Tensor:
        """Return f_i(x) with these parameters."""
        now = None if self.random is None else _random_state(x.device)
        with torch.autocast(*self.autocast, cache_enabled=False), self.state.restored(parameters):
            try:
                _set_random_state(x.device, self.random)
                return self.update(graph, x)
            finally:
                _set_random_state(x.device, now)


def _random_state(device: torch.device) -> list[Tensor]:
    states = [torch.get_rng_state()]
    return states if device.type == "cpu" else [*states, torch.get_device_module(device.type).get_rng_state(device)]


def _set_random_state(device: torch.device, states: Sequence[Tensor] | None) -> None:
    if states is not None:
        torch.set_rng_state(states[0])
        if device.type != "cpu":
            torch.get_device_module(device.type).set_rng_state(states[1], device)


class _Reversible(torch.autograd.Function):
    """One block. Parameters are inputs, so that gradients reach those that stand in for the stored ones too."""

    @staticmethod
    def forward(
        ctx: Any, graph: Graph, replays: Sequence[_Replay], before: SavedOutput | None, x: Tensor, *parameters: Tensor
    ) -> Tensor:
        ctx.save_for_backward(*parameters)
        output = _forwards(x, [partial(replay.first, graph) for replay in replays])
        ctx.graph, ctx.replays, ctx.before, ctx.saved = graph, replays, before, SavedOutput(output)
        # X_0 is kept: it may have rows of zeros, which would come back as ±1e-17, and relu has a kink at zero.
        ctx.first = SavedOutput(x) if before is None else None
        if before is not None:
            before.release()
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise BuildError(
                "rev-gnn — gradients of gradients were asked for (create_graph), but a reversible block keeps nothing "
                f"to take them of — expected first-order gradients — {_WAY_OUT}"
            )
        count = len(ctx.replays)
        saved = iter(zip(ctx.saved_tensors, ctx.needs_input_grad[4:], strict=True))
        parameters = [list(islice(saved, len(replay.state.parameters))) for replay in ctx.replays]
        of_parameters: list[Sequence[Tensor | None]] = [()] * count
        of_groups = list(gradients[0].chunk(count, dim=1))  # of X'_i, and in the end of X_i

        def run(index: int, source: Tensor) -> Tensor:
            """Return f_i(source), and add to all gradients."""
            source = source.detach().requires_grad_()
            copies = [parameter.detach().requires_grad_(needed) for parameter, needed in parameters[index]]
            with torch.enable_grad():
                result = ctx.replays[index].again(ctx.graph, source, copies)
            wanted = [copy for copy in copies if copy.requires_grad]
            incoming = of_groups[index].to(result.dtype)
            back, *found = torch.autograd.grad(result, [source, *wanted], incoming, allow_unused=True)
            of_parameters[index] = [found.pop(0) if copy.requires_grad else None for copy in copies]
            sources = [index - 1] if index else range(1, count)  # the first one's is the sum of all other groups
            for other in sources if back is not None else ():
                of_groups[other] = of_groups[other] + back
            return result.detach()

        known = ctx.first.take() if ctx.first else None
        x = _backwards(ctx.saved.take(), [partial(run, index) for index in range(count)], known)
        if ctx.before is not None:
            ctx.before.recovered = x
        return None, None, None, torch.cat(of_groups, dim=1), *chain.from_iterable(of_parameters)
