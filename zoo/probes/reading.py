"""Readings: the measurements of one step as numbers on the host, and numbers as words."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

MU = "gradients.mu.plain"


class Reading(Mapping[str, np.ndarray]):
    """Series [blocks], first block first, and scalars, by name; float64 arrays.

    NaN stands where nothing was measured, such as the gradient of a block that none reached.
    """

    def __init__(self, values: Mapping[str, np.ndarray]) -> None:
        self._values = dict(values)

    @classmethod
    def of(cls, measured: Mapping[str, Tensor]) -> "Reading":
        """Bring tensors to the host, all of them in one transfer."""
        if not measured:
            return cls({})
        flat = torch.cat([tensor.detach().double().reshape(-1) for tensor in measured.values()]).cpu().numpy()
        ends = np.cumsum([tensor.numel() for tensor in measured.values()])[:-1]
        parts = zip(measured.items(), np.split(flat, ends), strict=True)
        return cls({name: part.reshape(tuple(tensor.shape)) for (name, tensor), part in parts})

    def __getitem__(self, name: str) -> np.ndarray:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def number(self, name: str) -> float:
        """A scalar, or NaN if it was not measured."""
        return float(self._values.get(name, math.nan))

    @property
    def first(self) -> float:
        """μ(G) at the first block."""
        return float(self._values[MU][0])

    @property
    def last(self) -> float:
        """μ(G) at the last block."""
        return float(self._values[MU][-1])

    @property
    def ratio(self) -> float:
        """μ(G_1)/μ(G_L): above 1 the gradient expands on its way back, below 1 it smooths out or vanishes."""
        return self.first / self.last if self.last else math.nan

    def plain(self) -> dict[str, Any]:
        """Numbers and lists of numbers with seven digits, for a record; NaN and infinities are left to the writer."""
        return {name: _rounded(value.tolist()) for name, value in self._values.items()}


def _rounded(value: Any) -> Any:
    return [_rounded(item) for item in value] if isinstance(value, list) else float(f"{value:.7g}")


def readable(value: float, digits: int = 3) -> str:
    """A number with few digits, in powers of ten where it is large or small; `–` for one that is not a number."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0 or 1e-2 <= abs(value) < 1e4:
        return f"{float(f'{value:.{digits}g}'):g}"
    return f"{value:.1e}"


def growth(rate: float) -> str:
    """e^rate, readable; a rate beyond the range of numbers is a power of ten all the same."""
    if not math.isfinite(rate):
        return readable(rate if rate > 0 or math.isnan(rate) else 0.0)
    exponent = rate / math.log(10)
    return readable(math.exp(rate), 4) if abs(exponent) < 300 else f"1e{exponent:+.0f}"
