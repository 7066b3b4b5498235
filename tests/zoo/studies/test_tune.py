"""Searches that can be asked again: the same questions give the same parameters."""

import math
import random
import sys
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from zoo.errors import RecipeError, ZooError
from zoo.studies.study_schema import Range, Space, Tuning
from zoo.studies.tune import Params, Trial, best, next_params

SPACE: Space = {
    "lr": Range(low=1e-4, high=1e-1, log=True),
    "depth": Range(low=1, high=64, log=True),
    "dropout": (0, 0.5),
    "normalizer": ("none", {"name": "frobenius", "c": "auto"}),
}
Value = Callable[[Params], float | None]


@pytest.fixture(autouse=True)
def with_optuna(request):
    if "grid" not in request.node.name and "best" not in request.node.name:
        pytest.importorskip("optuna")


def quality(params: Params) -> float:
    """Highest at lr = 0.01."""
    return -abs(math.log10(params["lr"]) + 2)


def searched(tuning: Tuning, value: Value, *, space: Space = SPACE, maximize: bool = True) -> list[list[Trial]]:
    """The rounds of a search, each judged when it is whole."""
    rounds: list[list[Trial]] = []
    while asked := next_params("s", tuning, space, [trial for found in rounds for trial in found], maximize=maximize):
        rounds.append([Trial(params, value(params)) for params in asked])
    return rounds


def flat(rounds: list[list[Trial]]) -> list[Params]:
    return [trial.params for found in rounds for trial in found]


@pytest.mark.parametrize("method", ["tpe", "random"])
def test_a_search_is_the_same_again(method):
    """Neither the state of any random numbers nor the time of the day plays a part."""
    tuning = Tuning(method=method, trials=10, round=4, space=SPACE)
    first = searched(tuning, quality)
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002 - what others may do
    assert flat(searched(tuning, quality)) == flat(first)
    assert [len(found) for found in first] == ([4, 4, 2] if method == "tpe" else [10])
    assert len({str(params) for params in flat(first)}) == 10


def test_a_search_goes_on_where_it_was():
    """After any number of rounds the next is the one of the uninterrupted search, whatever the budget."""
    tuning = Tuning(trials=12, round=3)
    rounds = searched(tuning, quality)
    for done in range(len(rounds)):
        known = [trial for found in rounds[:done] for trial in found]
        asked = next_params("s", tuning.model_copy(update={"trials": 12 + done}), SPACE, known, maximize=True)
        assert list(asked) == [trial.params for trial in rounds[done]]


def test_random_search_looks_at_no_result():
    """After some trials the others are those that would have come anyway."""
    tuning = Tuning(method="random", trials=9)
    ((*trials,),) = searched(tuning, quality)
    for done in (1, 4, 8):
        known = [Trial(trial.params, None) for trial in trials[:done]]
        assert next_params("s", tuning, SPACE, known, maximize=False) == [trial.params for trial in trials[done:]]


def test_tpe_looks_at_whole_rounds_before_only():
    """The first round is the same whatever comes of it; the second depends on it."""
    tuning = Tuning(trials=8, round=4)
    up, down = searched(tuning, quality), searched(tuning, lambda params: -quality(params))
    assert flat(up[:1]) == flat(down[:1])
    assert flat(up[1:]) != flat(down[1:])
    assert flat(up) == flat(searched(tuning, lambda params: -quality(params), maximize=False))


def test_tpe_finds_what_is_better():
    """Its later trials lie nearer to the best than those of random search do."""
    late = {
        method: [quality(params) for params in flat(searched(Tuning(method=method, trials=40), quality))[20:]]
        for method in ("tpe", "random")
    }
    assert np.mean(late["tpe"]) > np.mean(late["random"]) + 0.1


def test_trials_are_spread_as_asked():
    """Trials with seeds 0, 1, 2 … are draws from the distribution, not alike for being neighbours."""
    drawn = flat(searched(Tuning(method="random", trials=200), quality))
    places = [math.log(params["lr"] / 1e-4) / math.log(1e3) for params in drawn]
    assert stats.kstest(places, "uniform").pvalue > 0.01
    assert abs(np.mean([params["depth"] < 8 for params in drawn]) - 0.5) < 0.15
    assert abs(np.mean([params["dropout"] == 0.5 for params in drawn]) - 0.5) < 0.15
    first, second = ([params[path] for params in drawn] for path in ("lr", "depth"))
    assert abs(float(np.corrcoef(stats.rankdata(first), stats.rankdata(second))[0, 1])) < 0.2


def test_values_are_such_as_one_would_type():
    """Whole numbers stay whole, others have four digits and stay within their ends, listed values are as listed."""
    space: Space = {**SPACE, "steps": Range(low=1, high=10), "share": Range(low=0.33333, high=0.33336)}
    for params in flat(searched(Tuning(method="random", trials=50), quality, space=space)):
        assert type(params["depth"]) is int
        assert 1 <= params["depth"] <= 64
        assert type(params["steps"]) is int
        assert params["lr"] == float(f"{params['lr']:.4g}")
        assert 1e-4 <= params["lr"] <= 1e-1
        assert 0.33333 <= params["share"] <= 0.33336
        assert any(params["normalizer"] is value for value in SPACE["normalizer"])  # pyright: ignore
        assert params["dropout"] in (0, 0.5)


def test_failed_trials_count_and_are_learnt_from():
    """A trial without a value is spent, and the search goes on, the same again."""
    tuning = Tuning(trials=12, round=4)

    def odd(params: Params) -> float | None:
        return None if params["dropout"] == 0.5 else quality(params)

    rounds = searched(tuning, odd)
    assert [len(found) for found in rounds] == [4, 4, 4]
    assert flat(rounds) == flat(searched(tuning, odd))
    assert [len(found) for found in searched(tuning, lambda _: None)] == [4, 4, 4]


@pytest.mark.parametrize("method", ["tpe", "random", "grid"])
def test_an_empty_space_has_one_element_grid_or_not(method):
    """A cell in which nothing is tuned is tried once."""
    assert [len(found) for found in searched(Tuning(method=method), lambda _: 1.0, space={})] == [1]


def test_grid_tries_all_in_order():
    """The last path changes fastest; after some trials the others are left."""
    space: Space = {"a": (1, 2), "b": ("x", {"name": "y"})}
    tuning = Tuning(method="grid", trials=4)
    every = [{"a": a, "b": b} for a in (1, 2) for b in ("x", {"name": "y"})]
    assert next_params("s", tuning, space, [], maximize=True) == every
    assert next_params("s", tuning, space, [Trial(every[0], 1.0)], maximize=True) == every[1:]
    assert next_params("s", tuning, space, [Trial(params, 1.0) for params in every], maximize=True) == []


def test_a_grid_is_not_cut_off():
    """One that is larger than the budget is refused, with the budget that it needs."""
    with pytest.raises(
        RecipeError, match=r"tune.trials — the grid has 6 settings, the budget is 5 — expected trials: 6"
    ):
        next_params("s", Tuning(method="grid", trials=5), {"a": (1, 2), "b": (1, 2, 3)}, [], maximize=True)


def test_a_grid_has_no_ranges():
    """Every range in it is named."""
    space: Space = {"a": Range(low=1, high=2), "b": (1,), "c": Range(low=1, high=2)}
    with pytest.raises(RecipeError) as caught:
        next_params("s", Tuning(method="grid"), space, [], maximize=True)
    assert [problem.path for problem in caught.value.problems] == ["tune.space.a", "tune.space.c"]


@pytest.mark.parametrize("method", ["tpe", "random"])
def test_without_optuna_it_is_said_what_to_install(method, monkeypatch):
    """One message with the way out, no trace of an import."""
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ZooError, match=r"need optuna.*pip install 'gnn-zoo\[tune\]', or method: grid"):
        next_params("s", Tuning(method=method), SPACE, [], maximize=True)


@pytest.mark.parametrize(("maximize", "chosen"), [(True, 1), (False, 0)])
def test_the_best_is_the_earliest_of_equals(maximize, chosen):
    """In the direction of the metric; trials without a value are passed over."""
    trials = [Trial({"a": n}, value) for n, value in enumerate([0.25, 0.5, None, 0.5, 0.25])]
    assert best(trials, maximize=maximize) is trials[chosen]
    assert best([Trial({}, None)], maximize=maximize) is None
    assert best([], maximize=maximize) is None
    zero = [Trial({"a": n}, value) for n, value in enumerate([-0.5, 0.0])]
    assert best(zero, maximize=maximize) is zero[int(maximize)]


def test_a_grid_without_end_is_counted_and_not_made():
    """Its size is in the message at once."""
    space = {f"a{number}": tuple(range(10)) for number in range(12)}
    with pytest.raises(RecipeError, match="the grid has 1000000000000 settings"):
        next_params("s", Tuning(method="grid", space=space), space, [], maximize=True)
