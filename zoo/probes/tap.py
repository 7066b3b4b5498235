"""Probes read off a network's passes by hooks that live exactly as long as a `with`, and the schedule of the steps."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from zoo.contracts import broken, measured
from zoo.graph_like import Norm
from zoo.graphs.graph import Graph
from zoo.layers.conv import attribute_of, weight_matrices
from zoo.probes.base import MatrixProbe, NodeMatrix, Probe, Reads
from zoo.probes.reading import Reading


class Tap:
    """Reads probes off one forward and one backward pass.

        with Tap(network, quick()) as tap:
            loss.backward()
        optimizer.step()
        tap.read()["gradients.mu.plain"]      # [blocks], first block first

    Everything is reduced inside the hooks, on the device: no node matrix outlives its hook, and the host reads once, in
    `read`. Blocks under activation checkpointing, of either kind, are read once: in the first run of their forward pass
    and where their gradient arrives. Without probes there are no hooks.

    network: a module with `blocks`, or with `blocks` given. X_l is what block l returns, G_l = ∂L/∂X_l.
    precision: what matrices are reduced in; float64 matrices stay in float64.
    """

    def __init__(
        self,
        network: nn.Module,
        probes: Sequence[Probe],
        *,
        blocks: Iterable[nn.Module] | None = None,
        precision: torch.dtype = torch.float32,
    ) -> None:
        found: Any = network.blocks if blocks is None else blocks
        self._network = network
        self._blocks: list[nn.Module] = list(found)
        self._probes = _distinct(probes)
        self._precision = precision
        self._handles: list[RemovableHandle] = []
        self._reduced: dict[Probe, dict[int, Any]] = {}  # by block: tensors of a matrix probe, numbers of one of blocks
        self._weights: dict[int, list[Tensor]] = {}
        self._before: list[list[Tensor]] = []
        self._numbers: dict[str, Tensor] = {}

    @property
    def is_active(self) -> bool:
        """True if there is anything to read."""
        return bool(self._probes)

    def __enter__(self) -> "Tap":
        self._reduced = {probe: {} for probe in self._of("matrices", "blocks")}
        if self._of("matrices", "blocks", "weights"):
            for index, block in enumerate(self._blocks):
                self._handles.append(block.register_forward_hook(self._block_hook(index, _conv(block))))
        if self._of("error"):
            self._handles.append(self._network.register_forward_hook(self._output_hook))
        self._numbers = {name: value.clone() for name, value in self._measure("network", self._network).items()}
        if self._of("updates"):
            self._before = [[weight.detach().clone() for weight in block] for block in self._stored()]
        return self

    def __exit__(self, *exception: object) -> None:
        while self._handles:
            self._handles.pop().remove()

    @torch.no_grad()
    def read(self) -> Reading:
        """Return what was measured; call it after the optimiser's step, so that updates can be seen."""
        found: dict[str, Tensor] = {}
        for probe, reduced in self._reduced.items():
            there = sorted(reduced)
            if not there:
                continue
            each = [reduced[index] for index in there]
            if isinstance(probe, MatrixProbe):
                series = measured(probe, probe.measure(each))
            else:
                series = {name: torch.stack([numbers[name] for numbers in each]) for name in each[0]}
            found |= {name: self._placed(values, there) for name, values in series.items()}
        if any(self._weights.values()):
            found |= self._measure("weights", [self._weights.get(index, []) for index in range(len(self._blocks))])
        if any(self._before):
            found |= self._measure("updates", self._before, self._stored())
        found |= self._numbers
        for probe in self._of("readings"):
            found |= measured(probe, probe.measure(found))
        return Reading.of(found)

    def _of(self, *reads: Reads) -> list[Probe]:
        return [probe for probe in self._probes if probe.reads in reads]

    def _measure(self, reads: Reads, *values: Any) -> dict[str, Tensor]:
        return {
            name: value for probe in self._of(reads) for name, value in measured(probe, probe.measure(*values)).items()
        }

    def _stored(self) -> list[list[Tensor]]:
        return [[weight.detach() for _, weight in weight_matrices(_conv(block))] for block in self._blocks]

    def _placed(self, series: Tensor, there: list[int]) -> Tensor:
        """Return the series with NaN at blocks where nothing came."""
        if len(there) == len(self._blocks):
            return series
        whole = series.new_full((len(self._blocks), *series.shape[1:]), float("nan"))
        whole[torch.tensor(there, device=series.device)] = series
        return whole

    def _block_hook(self, index: int, conv: nn.Module) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        propagation: Norm | None = attribute_of(conv, "propagation", "both")
        matrices = [probe for probe in self._probes if isinstance(probe, MatrixProbe)]
        forwards = [probe for probe in matrices if probe.of == "representations"]
        backwards = [probe for probe in matrices if probe.of == "gradients"]
        blocks, weighs = self._of("blocks"), bool(self._of("weights"))
        seen = False

        def forward_hook(block: nn.Module, inputs: tuple[Any, ...], result: Any) -> None:
            nonlocal seen
            output = _tensor(result)
            # Of a graph with edges dropped the whole is measured: one and the same for all steps and blocks.
            graph = next((value.whole for value in inputs if isinstance(value, Graph)), None)
            if not seen:  # checkpointing runs the forward pass a second time
                seen = True
                self._reduce(forwards, index, output.detach(), graph, propagation)
                if weighs:
                    self._weights[index] = [weight.detach() for _, weight in weight_matrices(conv)]
                for probe in blocks:
                    self._reduced[probe][index] = measured(probe, probe.measure(block, inputs))
            if output.requires_grad and backwards:
                # The handle is kept so that leaving the `with` also silences a graph that is still alive. The hook
                # lives as long as the loss's graph does, so it holds no node matrix, such as the block's input.
                def backward_hook(gradient: Tensor) -> None:
                    self._reduce(backwards, index, gradient, graph, propagation)

                self._handles.append(output.register_hook(backward_hook))

        return forward_hook

    @torch.no_grad()
    def _reduce(
        self, probes: Sequence[MatrixProbe], index: int, x: Tensor, graph: Graph | None, propagation: Norm | None
    ) -> None:
        if probes:
            kind = x.device.type
            with torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext():
                matrix = NodeMatrix(self._wide(x), graph, propagation, backward=probes[0].of == "gradients")
                for probe in probes:
                    self._reduced[probe][index] = _columns(probe, probe.reduce(matrix))

    def _output_hook(self, network: nn.Module, inputs: Any, result: Any) -> None:
        output = _tensor(result)

        @torch.no_grad()
        def backward_hook(error: Tensor) -> None:
            self._numbers |= self._measure("error", self._wide(error))

        if output.requires_grad:
            self._handles.append(output.register_hook(backward_hook))

    def _wide(self, x: Tensor) -> Tensor:
        return x if x.dtype == torch.float64 else x.to(self._precision)


def _columns(probe: MatrixProbe, reduced: Any) -> Sequence[Tensor]:
    """Return what a probe kept of a block. Raises: ComponentError unless it is a tensor for each of its columns."""
    plain = type(probe).finish is MatrixProbe.finish
    if not isinstance(reduced, Sequence) or not all(isinstance(each, Tensor) for each in reduced):
        broken("probe", probe, f"kept a {type(reduced).__name__}", "a list of tensors", "return [tensor]")
    if plain and len(reduced) != len(probe.columns):
        columns = ", ".join(probe.columns) or "no columns"
        broken("probe", probe, f"kept {len(reduced)} tensors", f"one for each of {columns}")
    return reduced


def _distinct(probes: Sequence[Probe]) -> list[Probe]:
    """Return each quantity once, although two sets may name it."""
    found: list[Probe] = []
    for probe in probes:
        if not any(type(probe) is type(other) and _same(vars(probe), vars(other)) for other in found):
            found.append(probe)
    return found


def _same(one: Any, other: Any) -> bool:
    """Tell whether options are equal; those that cannot be compared, such as tensors, are if they are one object."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())
    return one is other or (not isinstance(one, Tensor | np.ndarray) and bool(one == other))


def _conv(block: nn.Module) -> nn.Module:
    conv = attribute_of(block, "conv")
    return conv if isinstance(conv, nn.Module) else block


def _tensor(result: Any) -> Tensor:
    """A block's output; of several values, the first tensor."""
    return result if isinstance(result, Tensor) else next(value for value in result if isinstance(value, Tensor))


@dataclass(frozen=True)
class ScheduledProbes:
    """Probes with their schedule in steps, counted from 1: the first step from `start` on, then every `every`."""

    probes: tuple[Probe, ...]
    every: int
    start: int = 1
    stop: int | None = None
    precision: torch.dtype = torch.float32

    def due(self, step: int, total: int) -> bool:
        """Tell whether they are due: at `start`, at each multiple of `every` from there on, and at the last step."""
        if step < self.start or (self.stop is not None and step > self.stop):
            return False
        return step == self.start or step % self.every == 0 or step == total


class ProbeSchedule:
    """The probes of a run. `total`: the last step there can be."""

    def __init__(self, network: nn.Module, scheduled: Sequence[ScheduledProbes], total: int) -> None:
        self._network = network
        self.scheduled = tuple(scheduled)
        self.total = total

    def tap(self, step: int) -> Tap:
        """The tap for a step; one without probes where none is due."""
        due = [item for item in self.scheduled if item.due(step, self.total)]
        probes = [probe for item in due for probe in item.probes]
        wide = any(item.precision == torch.float64 for item in due)
        return Tap(self._network, probes, precision=torch.float64 if wide else torch.float32)
