"""Hyperparameter search: the trials of a search, each a function of the trials before it alone.

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

Params = Mapping[str, Any]  # recipe path → value


@dataclass(frozen=True)
class Trial:
    """Parameters that were tried, and their mean validation; None where that is no number or a run failed."""

    params: Params
    value: float | None


def next_params(name: str, tuning: Tuning, space: Space, done: Sequence[Trial], *, maximize: bool) -> list[Params]:
    """Return the parameters to try after `done`: the next round, or nothing when the budget is spent.

    Random and grid search depend on no results, and give all that is left. Searches of one space try the same
    parameters until their results differ. name: of the study, for messages. An empty space has one element, {}.
    Raises: RecipeError for a grid that is larger than the budget or has a range in it; ZooError without optuna.
    """
    if not space:
        return [] if done else [{}]
    if tuning.method == "grid":
        return _grid(name, tuning, space)[len(done) :]
    left = tuning.trials - len(done)
    count = left if tuning.method == "random" else min(left, tuning.round - len(done) % tuning.round)
    known = () if tuning.method == "random" else done
    return [_ask(tuning, space, known, len(done) + place, maximize) for place in range(count)]


def best(trials: Sequence[Trial], *, maximize: bool) -> Trial | None:
    """Return the trial that validated best, the earliest of equals; None if none has a value."""
    known = [trial for trial in trials if trial.value is not None]
    return (max if maximize else min)(known, key=lambda trial: trial.value or 0.0, default=None)


def _grid(name: str, tuning: Tuning, space: Space) -> list[Params]:
    ranges = [path for path, values in space.items() if isinstance(values, Range)]
    if ranges:
        message = "a grid has no ranges — expected a list of values, or method: random or tpe"
        raise RecipeError(name, [Problem(f"tune.space.{path}", message) for path in ranges], "study")
    values = [choices for choices in space.values() if not isinstance(choices, Range)]
    if (count := math.prod(map(len, values))) > tuning.trials:  # counted before they are made
        message = f"the grid has {count} settings, the budget is {tuning.trials} — expected trials: {count}"
        raise RecipeError(name, [Problem("tune.trials", message)], "study")
    return [dict(zip(space, chosen, strict=True)) for chosen in itertools.product(*values)]


def _ask(tuning: Tuning, space: Space, done: Sequence[Trial], number: int, maximize: bool) -> Params:
    """Ask optuna for trial `number`, which is also the seed of its random numbers."""
    try:
        import optuna
    except ImportError as error:
        raise ZooError(
            "tune.method — random and tpe need optuna, which is not installed — expected pip install 'gnn-zoo[tune]', "
            "or method: grid"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if tuning.method == "random":
        sampler = optuna.samplers.RandomSampler(seed=number)
    else:
        sampler = optuna.samplers.TPESampler(seed=number, n_startup_trials=tuning.round)
    distributions = {path: _distribution(optuna.distributions, values) for path, values in space.items()}
    search = optuna.create_study(sampler=sampler, direction="maximize" if maximize else "minimize")
    states = optuna.trial.TrialState
    for trial in done:
        params = {
            path: value if isinstance(space[path], Range) else label(value) for path, value in trial.params.items()
        }
        state = states.FAIL if trial.value is None else states.COMPLETE
        search.add_trial(
            optuna.trial.create_trial(params=params, distributions=distributions, value=trial.value, state=state)
        )
    asked = search.ask(distributions).params
    return {path: _value(values, asked[path]) for path, values in space.items()}


def _distribution(kinds: Any, values: Range | Sequence[Any]) -> Any:
    if not isinstance(values, Range):
        return kinds.CategoricalDistribution([label(value) for value in values])
    if isinstance(values.low, int) and isinstance(values.high, int):
        return kinds.IntDistribution(values.low, values.high, log=values.log)
    return kinds.FloatDistribution(float(values.low), float(values.high), log=values.log)


def _value(values: Range | Sequence[Any], asked: Any) -> Any:
    if not isinstance(values, Range):
        return next(value for value in values if label(value) == asked)
    if not isinstance(asked, float):
        return asked
    return min(max(float(f"{asked:.4g}"), values.low), values.high)  # short enough to be typed again
