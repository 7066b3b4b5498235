"""What is measured: a point is a data set, a convolution, a depth and a width; presets are lists of points."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

BASE = "cora-res-gcn-64"
MODELS = {"gcn": "res-gcn", "gat": "res-gat", "sage": "res-sage"}
HEADS = 4
ARXIV_SIZED = "blocks-169343"

# Norm of a block's matrices times the number of blocks: what keeps hundreds of blocks without a normaliser finite.
_NORM = 16.0
# Each matrix then moves by far less than its norm while it is timed.
_RATE = 0.01


@dataclass(frozen=True, order=True)
class Point:
    """One training to be measured.

    data: `cora`, `coauthor-physics`, or `blocks-<nodes>`, a block model with the mean degree, features and classes of
    ogbn-arxiv. conv: gcn, gat (4 heads, concatenated), sage (mean). depth: residual blocks, each `width` wide.
    """

    data: str
    conv: str
    depth: int
    width: int = 64

    @property
    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    @property
    def norm(self) -> float:
        """The Frobenius norm that the blocks' initial matrices are scaled down to."""
        return _NORM / self.depth

    @property
    def overrides(self) -> dict[str, Any]:
        """What makes a recipe of it: no dropout, decay, normaliser or probe, so that all do the same work."""
        conv = {"name": "gat", "heads": HEADS} if self.conv == "gat" else self.conv
        return {
            **_data(self.data),
            "split": "random",
            "model": {"name": MODELS[self.conv], "depth": self.depth, "width": self.width, "conv": conv},
            "normalizer": "none",
            "probes": "none",
            "optimizer": {"name": "adam", "lr": _RATE / self.depth},
            "training": {"duration": "1000000 epochs", "evaluate": "1 epoch"},
        }

    def __str__(self) -> str:
        return f"{self.data} {self.conv} L={self.depth} d={self.width}"


def _data(name: str) -> dict[str, Any]:
    if not name.startswith("blocks-"):
        return {"dataset": name, "prepare": {"features": "row"}}
    nodes = int(name.removeprefix("blocks-"))
    blocks = {"name": "block-model", "nodes": nodes, "degree": 13.67, "features": 128, "classes": 40}
    return {"dataset": blocks, "prepare": {"features": "none"}}


def grid(data: Iterable[str], convs: Iterable[str], depths: Iterable[int], widths: Iterable[int]) -> list[Point]:
    """All combinations, depth by depth."""
    return [Point(*each) for each in product(data, convs, depths, widths)]


# For each sweep the quantity that grows, and the points along it.
SWEEPS: dict[str, list[Point]] = {
    "blocks": grid(["cora"], ["gcn"], [64, 128, 256, 512], [64]),
    "nodes": grid([f"blocks-{nodes}" for nodes in (10_000, 20_000, 40_000, 80_000)], ["gcn"], [8], [64]),
    "width": grid(["cora"], ["gcn"], [64], [32, 64, 128, 256]),
}

PRESETS: dict[str, list[Point]] = {
    "quick": grid(["cora"], MODELS, [2, 8], [64]),
    "claims": [
        *grid(["cora"], ["gcn"], [64, 512], [64]),
        *grid(["cora"], ["gat"], [8, 64], [64]),
        *grid(["cora"], ["sage"], [8, 64], [64]),
        Point(ARXIV_SIZED, "gcn", 8),
    ],
    "gpu": [
        *grid(["cora"], ["gcn"], [64, 512], [64]),
        *grid(["cora"], ["gat", "sage"], [64], [64]),
        Point(ARXIV_SIZED, "gcn", 8),
    ],
    "growth": [point for points in SWEEPS.values() for point in points],
    "full": grid(["cora", "coauthor-physics", ARXIV_SIZED], MODELS, [2, 8, 64, 512], [64, 256]),
}
