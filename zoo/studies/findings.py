"""All that a study's tables are made of, as data: kept beside a document, it holds the figures there to account."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo.errors import RunError
from zoo.runs.jsonl import finite
from zoo.studies.cells import Cell, EvaluationSetting, Score
from zoo.studies.predictors import Predictor
from zoo.studies.statistics import Correlation

_SCORE = ("seed", "split", "test", "val", "status")


@dataclass(frozen=True)
class Findings:
    """What the finished runs of a study say.

    groups: a number for each cell, equal for those that may stand in one table. chosen: what searches chose, in words.
    predictors: correlations of probed quantities, without the runs' values if read back.
    """

    cells: tuple[Cell, ...]
    groups: tuple[int, ...]
    chosen: tuple[str, ...] = ()
    predictors: tuple[Predictor, ...] = ()

    def text(self, command: str) -> str:
        """As JSON, a line for each ground, cell and quantity. command: what prints the tables."""
        grounds = list(dict.fromkeys(item.setting for item in (*self.cells, *self.predictors) if item.setting))
        parts: dict[str, Sequence[Mapping[str, Any]]] = {
            "grounds": [asdict(ground) for ground in grounds],
            "cells": [
                {
                    "axes": dict(cell.axes),
                    "ground": grounds.index(cell.setting) if cell.setting else None,
                    "group": group,
                    "failed": cell.failed,
                    "missing": cell.missing,
                    "scores": [[getattr(score, name) for name in _SCORE] for score in cell.scores],
                }
                for cell, group in zip(self.cells, self.groups, strict=True)
            ],
            "predictors": [
                {
                    "name": item.name,
                    "family": item.family,
                    "ground": grounds.index(item.setting),
                    "correlation": asdict(item.correlation),
                }
                for item in self.predictors
            ],
        }
        head = {"command": command, "scores": _SCORE, "chosen": self.chosen}
        lines = [f"{json.dumps(key)}: {_json(value)}" for key, value in head.items()]
        lines += [f'"{key}": [\n{_lines(rows)}]' for key, rows in parts.items()]
        return "{" + ",\n".join(lines) + "}\n"


def read_findings(file: str | Path) -> Findings:
    """Findings from a file of their text. Raises: RunError if it cannot be read, or is none."""
    try:
        read = json.loads(Path(file).read_text(encoding="utf-8"))
        grounds = [EvaluationSetting(**{**ground, "range": tuple(ground["range"])}) for ground in read["grounds"]]
        return Findings(
            cells=tuple(_cell(row, grounds) for row in read["cells"]),
            groups=tuple(row["group"] for row in read["cells"]),
            chosen=tuple(read["chosen"]),
            predictors=tuple(
                Predictor(
                    name=row["name"],
                    setting=grounds[row["ground"]],
                    x=(),
                    y=(),
                    labels=(),
                    correlation=Correlation(**row["correlation"]),
                    family=row["family"],
                )
                for row in read["predictors"]
            ),
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        said = (
            f"cannot be read: {type(error).__name__}: {error} — expected what 'zoo study table … --format json' writes"
        )
        raise RunError(f"{file} — {said}") from error


def _cell(row: Mapping[str, Any], grounds: Sequence[EvaluationSetting]) -> Cell:
    scores = tuple(Score(**dict(zip(_SCORE, score, strict=True)), path="") for score in row["scores"])
    ground = None if row["ground"] is None else grounds[row["ground"]]
    return Cell(row["axes"], ground, scores, row["failed"], row["missing"])


def _lines(rows: Sequence[Mapping[str, Any]]) -> str:
    return ",\n".join(map(_json, rows))


def _json(value: Any) -> str:
    return json.dumps(finite(value), ensure_ascii=False)
