"""How many entries of a row and how many features one program takes at a time."""

from dataclasses import dataclass
from typing import Any

import triton

# Fastest, within 5 %, of 36 tried on an H200 for rows of 5 to 15 entries, each by one warp (docs/log.md).
_ENTRIES = 8
_WIDEST = 128


@dataclass(frozen=True)
class Tile:
    """entries × width features at a time; `across` programs stand beside each other in a row."""

    entries: int
    width: int
    across: int


def tile_of(width: int) -> Tile:
    """The tile for rows of so many features."""
    wide = min(triton.next_power_of_2(width), _WIDEST)
    return Tile(_ENTRIES, wide, triton.cdiv(width, wide))


def launch(loop: Any, grid: tuple[int, ...], *operands: Any, warps: int = 1, **constants: int) -> None:
    """Run a loop in a grid (rows, across, …) of programs of so many warps each."""
    loop[grid](*operands, num_warps=warps, **constants)
