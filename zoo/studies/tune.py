"""Choosing what to try: the trials of a search, each a function of the trials that went before it alone.

Nothing is kept of a search but its runs. Asked again, after an interruption or by another process, it chooses the same.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.errors import Problem, RecipeError, ZooError
from zoo.studies.grid import label
from zoo.studies.study_schema import Range, Space, Tuning

Setting = Mapping[str, Any]  # recipe path → value


@dataclass(frozen=True)
class Trial:
    """A setting that was tried, and its mean validation; None where that is no number or a run of it failed."""

    setting: Setting
    value: float | None


def settings(name: str, tuning: Tuning, space: Space, done: Sequence[Trial], *, maximize: bool) -> list[Setting]:
    """The settings that follow those in `done`: the next round, or nothing when the budget is spent.

    Random and grid search need to know nothing of the results, and give all that is left. Searches of one space try the
    same settings until their results differ. name: of the study, for messages. An empty space has one setting, {}.
    Raises: RecipeError for a grid that is larger than the budget or has a range in it; ZooError without optuna.
    """
    if not space:
        return [] if done else [{}]
    if tuning.method == "grid":
        return _grid(name, tuning, space)[len(done) :]
    left = tuning.trials - len(done)
    count = left if tuning.method == "random" else min(left, tuning.round - len(done) % tuning.round)
    known = () if tuning.method == "random" else done
    return [_asked(tuning, space, known, len(done) + place, maximize) for place in range(count)]


def best(trials: Sequence[Trial], *, maximize: bool) -> Trial | None:
    """The trial that validated best, the earliest of equals; None if none has a value."""
    known = [trial for trial in trials if trial.value is not None]
    if not known:
        return None
    return (max if maximize else min)(known, key=lambda trial: trial.value or 0.0)


def _grid(name: str, tuning: Tuning, space: Space) -> list[Setting]:
    ranges = [path for path, values in space.items() if isinstance(values, Range)]
    if ranges:
        said = "a grid has no ranges — expected a list of values, or method: random or tpe"
        raise RecipeError(name, [Problem(f"tune.space.{path}", said) for path in ranges], "study")
    values = [choices for choices in space.values() if not isinstance(choices, Range)]
    if (count := math.prod(map(len, values))) > tuning.trials:  # counted before they are made
        said = f"the grid has {count} settings, the budget is {tuning.trials} — expected trials: {count}"
        raise RecipeError(name, [Problem("tune.trials", said)], "study")
    return [dict(zip(space, chosen, strict=True)) for chosen in itertools.product(*values)]


def _asked(tuning: Tuning, space: Space, done: Sequence[Trial], number: int, maximize: bool) -> Setting:
    """Ask optuna for trial `number`, which is also the seed of its random numbers."""
    optuna = _optuna()
    if tuning.method == "random":
        sampler = optuna.samplers.RandomSampler(seed=number)
    else:
        sampler = optuna.samplers.TPESampler(seed=number, n_startup_trials=tuning.round)
    distributions = {path: _distribution(optuna, values) for path, values in space.items()}
    search = optuna.create_study(sampler=sampler, direction="maximize" if maximize else "minimize")
    states = optuna.trial.TrialState
    for trial in done:
        search.add_trial(
            optuna.trial.create_trial(
                params={path: _written(space[path], value) for path, value in trial.setting.items()},
                distributions=distributions,
                value=trial.value,
                state=states.FAIL if trial.value is None else states.COMPLETE,
            )
        )
    asked = search.ask(distributions).params
    return {path: _read(values, asked[path]) for path, values in space.items()}


def _distribution(optuna: Any, values: Range | Sequence[Any]) -> Any:
    kinds = optuna.distributions
    if not isinstance(values, Range):
        return kinds.CategoricalDistribution([label(value) for value in values])
    if isinstance(values.low, int) and isinstance(values.high, int):
        return kinds.IntDistribution(values.low, values.high, log=values.log)
    return kinds.FloatDistribution(float(values.low), float(values.high), log=values.log)


def _written(values: Range | Sequence[Any], value: Any) -> Any:
    return value if isinstance(values, Range) else label(value)


def _read(values: Range | Sequence[Any], asked: Any) -> Any:
    if isinstance(values, Range):
        short = float(f"{asked:.4g}")  # what a person can type again
        return min(max(short, values.low), values.high) if isinstance(asked, float) else asked
    return next(value for value in values if label(value) == asked)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ZooError(
            "tune.method — random and tpe need optuna, which is not installed — expected pip install 'gnn-zoo[tune]', "
            "or method: grid"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
