"""`c: adaptive`: moving the bound of a weight normaliser while the network is trained."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch

from zoo.contracts import broken
from zoo.errors import BuildError
from zoo.layers.network import Network
from zoo.probes.base import Probe
from zoo.probes.reading import MU, Reading
from zoo.probes.similarity import ExpansionRate, Similarity
from zoo.probes.weights import block_means
from zoo.recipe.fields import Duration, Fraction, Length, Positive

EVERY = Length(5, "steps")
# What c is kept in: moved one way for ever it would end at 0 or at infinity, and the network with it.
SMALLEST, LARGEST = 1e-12, 1e12


class Controller(ABC):
    """Moves the bounds c of a network's weight normalisers by what the probes read.

    Registered in the table `controllers`, and chosen where c stands: `normalizer: {name: frobenius, c: mine}`. Before
    training c is calibrated so that μ(G_1)/μ(G_L) is at most `high` (see `zoo.probes.calibration`).

    low, high: the band for that ratio. every: how often the controller is asked. Raises: BuildError if it is none.
    """

    def __init__(self, *, low: Positive = 0.9, high: Positive = 1.1, every: Duration = EVERY) -> None:
        if not low < high:
            raise BuildError(f"normalizer.c — low {low} and high {high} are no band — expected low below high")
        self.low, self.high, self.every = low, high, every

    def probes(self) -> Sequence[Probe]:
        """Return the probes to read whenever the controller is asked."""
        return [Similarity(), ExpansionRate()]

    @abstractmethod
    def move(self, reading: Reading, c: np.ndarray) -> np.ndarray:
        """From a step's reading and the bound of each block, [blocks], to the new bounds."""

    def state_dict(self) -> dict[str, Any]:
        """Return its memory between steps, as tensors and plain values; the bounds are kept with the network."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave. The default remembers nothing."""
        del state


class Band(Controller):
    """Keeps the expansion rate of the gradient in a band: c shrinks above it and grows below it.

    The rate r, log growth of μ(G_l) per block towards the input, makes r·(L−1) over the whole network, which is kept in
    [log low, log high]. Outside, log c moves against the excess, `gain` times it and by `largest` at most, each time.

    per: "network" has one c; "block" moves each block's own c by its own growth, averaged over the last readings
    (weight `memory` on what was).
    """

    def __init__(
        self,
        *,
        low: Positive = 0.9,
        high: Positive = 1.1,
        every: Duration = EVERY,
        per: Literal["network", "block"] = "network",
        gain: Positive = 0.5,
        largest: Positive = 0.05,
        memory: Fraction = 0.8,
    ) -> None:
        super().__init__(low=low, high=high, every=every)
        self.per: Literal["network", "block"] = per
        self.gain, self.largest, self.memory = gain, largest, memory
        self._growth: np.ndarray | None = None

    def move(self, reading: Reading, c: np.ndarray) -> np.ndarray:
        """Unchanged where the profile cannot be read (one block, gradients that are 0 or not finite)."""
        growth = self._of_network(reading, len(c)) if self.per == "network" else self._of_blocks(reading)
        excess = growth - np.clip(growth, math.log(self.low), math.log(self.high))
        step = np.clip(self.gain * excess, -self.largest, self.largest)
        return c * np.exp(-np.nan_to_num(step, nan=0.0))

    def state_dict(self) -> dict[str, Any]:
        """The averaged growth of each block."""
        return {} if self._growth is None else {"growth": torch.from_numpy(self._growth)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up that average."""
        self._growth = state["growth"].numpy() if "growth" in state else None

    def _of_network(self, reading: Reading, blocks: int) -> np.ndarray:
        return np.full(blocks, reading.number("expansion_rate.plain") * (blocks - 1))

    def _of_blocks(self, reading: Reading) -> np.ndarray:
        """Return the growth of log μ(G) over the network if every block did as each one does."""
        with np.errstate(divide="ignore", invalid="ignore"):
            growth = -np.diff(np.log(reading[MU])) * (len(reading[MU]) - 1)
        growth = np.where(np.isfinite(growth), growth, 0.0)
        first = growth.mean() if len(growth) else 0.0  # what the first block does is not seen: X_0 is not a block's
        growth = np.concatenate([[first], growth])
        if self._growth is not None:
            growth = self.memory * self._growth + (1 - self.memory) * growth
        self._growth = growth
        return growth


def steer(controller: Controller, network: Network, reading: Reading) -> None:
    """Let a controller act on a network: its bounds are written, and projected weights brought to them."""
    bounds = network.bounds()
    before = block_means(bounds, len(network.blocks)).cpu().numpy()
    moved = np.asarray(controller.move(reading, before.copy()), dtype=np.float64)
    if moved.shape != before.shape:
        broken("controller", controller, f"moved c to an array {list(moved.shape)}", f"numbers [{len(before)} blocks]")
    if (np.isnan(moved) & ~np.isnan(before)).any():  # a block without matrices of its own has no c
        broken("controller", controller, "moved c to NaN", f"numbers [{len(before)} blocks]")
    factor = torch.from_numpy(np.clip(moved, SMALLEST, LARGEST) / before)
    for blocks, c in bounds:
        c.mul_(factor[blocks].to(c).reshape(-1, *[1] * (c.dim() - 1)))
    network.project()
