"""Run folders as the zoo writes them, without training anything."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo.recipe.load import load
from zoo.recipe.recipe import Recipe
from zoo.runs.folder import RunFolder, place
from zoo.runs.run import Run

ROW = {"epoch": 1, "step": 1, "loss": 0.5, "val": 0.75, "best_val": 0.75, "lr": 0.01, "seconds": 0.1}
Finished = Callable[..., Run]


@pytest.fixture
def recipe() -> Recipe:
    """A shipped recipe, resolved."""
    return load("smoke/res-gcn")


@pytest.fixture
def finished(tmp_path: Path, a_record) -> Finished:
    """Makes a finished run; keyword arguments replace entries of its record, `overrides` those of its recipe."""

    def make(overrides: Any = (), **changes: Any) -> Run:
        record = a_record(**changes)
        recipe = load("smoke/res-gcn", overrides)
        path = place(tmp_path / "runs", recipe, record.identity, record.seed) / record.recipe.replace("/", "-")
        folder = RunFolder(path)
        folder.describe(recipe, record.environment)
        folder.measured(ROW)
        folder.measured({**ROW, "epoch": 2, "val": float("nan")})
        folder.finish({"weight": torch.arange(3.0)}, record)
        return Run(folder.path)

    return make
