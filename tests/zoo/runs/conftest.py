"""Run folders as the zoo writes them, without training anything."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo.recipe.load import load
from zoo.recipe.schema import Recipe
from zoo.runs.folder import RunFolder, place
from zoo.runs.run import Run

ROW = {"epoch": 1, "step": 1, "loss": 0.5, "val": 0.75, "best_val": 0.75, "lr": 0.01, "seconds": 0.1}
RESULT: dict[str, Any] = {
    "recipe": "smoke/res-gcn",
    "identity": "0123456789ab",
    "seed": 0,
    "status": "finished",
    "metric": "accuracy",
    "val": 0.75,
    "test": 0.5,
    "train": 1.0,
    "best_epoch": 1,
    "epochs": 5,
    "steps": 5,
    "seconds": 1.5,
    "gradient_similarity": {"when": "at initialisation", "first_block": 1e-2, "last_block": 1e-3, "ratio": 10.0},
    "c": None,
    "non_finite": None,
}
Finished = Callable[..., Run]


@pytest.fixture
def recipe() -> Recipe:
    """A shipped recipe, resolved."""
    return load("smoke/res-gcn")


@pytest.fixture
def finished(tmp_path: Path) -> Finished:
    """Makes a finished run; keyword arguments replace entries of its result, `overrides` those of its recipe."""

    def make(overrides: Any = (), **result: Any) -> Run:
        values = {**RESULT, **result}
        recipe = load("smoke/res-gcn", overrides)
        folder = RunFolder(
            place(tmp_path / "runs", recipe, values["identity"], values["seed"]) / values["recipe"].replace("/", "-")
        )
        folder.describe(recipe, {"zoo": "0"})
        folder.measured(ROW)
        folder.measured({**ROW, "epoch": 2, "val": float("nan")})
        folder.finish({"weight": torch.arange(3.0)}, values)
        return Run(folder.path)

    return make
