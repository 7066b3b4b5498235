"""A run with probes, as the zoo records it, without training anything."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.recipe.load import load
from zoo.runs import folder
from zoo.runs.jsonl import finite
from zoo.runs.record import write_record
from zoo.runs.run import Run

Rows = list[dict[str, Any]]


@pytest.fixture
def record() -> Callable[..., Rows]:
    """Makes what probes measured at each epoch from 0 on: a gradient that grows by 5 % a block less 1 % an epoch."""

    def make(blocks: int = 6, epochs: int = 5, bounds: bool = True) -> Rows:
        rows = []
        for epoch in range(epochs):
            rate = 0.05 - 0.01 * epoch
            depth = np.arange(blocks)
            mu = 1e-3 * np.exp(rate * (blocks - 1 - depth))
            ratio = np.linspace(0.9, 0.5, blocks)
            row = {
                "step": epoch,
                "epoch": epoch,
                "gradients.mu.plain": mu.tolist(),
                "gradients.norm": (mu / ratio).tolist(),
                "gradients.ratio.plain": ratio.tolist(),
                "gradients.ratio.limit": (ratio**2).tolist(),
                "representations.ratio.plain": (1 - 0.3 * ratio).tolist(),
                "representations.ratio.limit": (0.5 * ratio).tolist(),
                "expansion_rate.plain": rate,
            }
            rows.append({**row, "weights.c": (1 + 0.1 * epoch * depth).tolist()} if bounds else row)
        return rows

    return make


@pytest.fixture
def recorded(tmp_path: Path, a_record) -> Callable[..., Run]:
    """Makes a finished run that has measured `probes` and validated `val` epoch by epoch, from epoch 1 on."""

    def make(probes: Rows | None = None, val: tuple[float, ...] = (0.4, 0.7, 0.6, 0.5), seed: int = 0) -> Run:
        best = max(val, default=float("nan"))
        found = a_record(seed=seed, val=best, test=best - 0.1)
        path = folder.place(tmp_path / "runs", load("smoke/res-gcn"), "0123456789ab", seed)
        path.mkdir(parents=True)
        rows = [{"epoch": epoch, "step": epoch, "val": value} for epoch, value in enumerate(val, start=1)]
        (path / folder.METRICS).write_text(_lines(rows), encoding="utf-8")
        if probes is not None:
            (path / folder.PROBES).write_text(_lines(probes), encoding="utf-8")
        write_record(path, found.environment)
        write_record(path, found)
        return Run(path)

    return make


def _lines(rows: Rows) -> str:
    return "".join(json.dumps(finite(row)) + "\n" for row in rows)
