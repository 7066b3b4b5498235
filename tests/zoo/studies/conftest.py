"""Cells with figures, without training anything."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from zoo.studies.cells import Cell, EvaluationSetting, Score

CORA = EvaluationSetting("cora", "random, train 0.6", "accuracy", True, "test at best validation")


@pytest.fixture
def cell() -> Callable[..., Cell]:
    """Makes a cell: axes as keywords (`depth="2"`), its test figures by seed; `on` replaces parts of the setting."""

    def make(
        tests: Sequence[float | None] = (0.8, 0.82, 0.84),
        axes: dict[str, str] | None = None,
        on: dict[str, Any] | None = None,
        failed: int = 0,
        missing: int = 0,
        splits: Sequence[int] | None = None,
        **named: str,
    ) -> Cell:
        setting = EvaluationSetting(**{**CORA.__dict__, **(on or {})})
        keys = [(split, seed) for split in splits for seed in range(len(tests) // len(splits))] if splits else []
        scores = tuple(
            Score(
                keys[index][1] if splits else index,
                keys[index][0] if splits else None,
                test,
                None if test is None else test + 0.01,
                "finished" if test is not None else "non-finite",
                f"runs/{index}",
            )
            for index, test in enumerate(tests)
        )
        return Cell({**(axes or {}), **named}, setting if scores else None, scores, failed, missing)

    return make
