"""Rows and tables: figures against `statistics`, order, and runs without figures."""

import json
import statistics
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from zoo.probes.diagnosis import NonFinite
from zoo.runs.record import GradientSimilarity
from zoo.runs.run_table import normalizer_of, row_of, spread, table_of
from zoo.untrusted import escape_controls


def cells(table: Any) -> list[dict[str, str]]:
    """A rich table as one mapping of heads to texts per row."""
    columns = {column.header: list(column.cells) for column in table.columns}
    return [dict(zip(columns, map(str, row), strict=True)) for row in zip(*columns.values(), strict=True)]


def printed(table: Any) -> str:
    """What a wide console shows."""
    console = Console(width=200, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def gradient(first: float | None, last: float | None = 1e-3) -> GradientSimilarity:
    return GradientSimilarity(first, last)


def test_spread_is_mean_and_sample_standard_deviation():
    """Three figures as statistics has them (ddof 1); one on its own; none as a dash; missing ones are left out."""
    values = [0.8, 0.83, 0.79]
    assert spread(values) == f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f} (3)"
    assert spread([0.5, 0.7]) == "0.600 ± 0.141 (2)"
    assert (spread([0.8234]), spread([None, 0.8]), spread([None]), spread([])) == ("0.823", "0.800", "–", "–")


def test_a_row_has_the_promised_keys(finished):
    """What a script asks for, as values that JSON can hold."""
    row = row_of(finished(c=0.25, test=None))
    assert set(row) == {
        "recipe",
        "metric",
        "val",
        "test",
        "best_epoch",
        "seconds",
        "status",
        "seed",
        "gradient_similarity",
        "c",
        "diagnosis",
        "dataset",
        "changes",
        "path",
    }
    assert (row["c"], row["test"], row["seed"]) == (0.25, None, 0)
    assert json.loads(json.dumps(row)) == row


def test_seeds_are_one_row_and_groups_keep_their_order(finished):
    """Runs of one recipe and identity are one row, in the order in which the first of each came."""
    results = [("b", 0, 0.5), ("a", 0, 0.4), ("b", 1, 0.7), ("a", 1, 0.2), ("b", 2, 0.6)]
    runs = [finished(recipe=name, identity=f"id-{name}", seed=seed, test=test) for name, seed, test in results]
    rows = cells(table_of(runs))
    assert [(row["recipe"], row["test"]) for row in rows] == [("b", "0.600 ± 0.100 (3)"), ("a", "0.300 ± 0.141 (2)")]
    assert rows[0]["seconds"] == "4.5"


def test_time_that_runs_shared_is_counted_once(finished):
    """Three runs trained together for 1.5 seconds took 1.5, and one beside them that was alone its own."""
    together = [finished(seed=seed, together=3) for seed in range(3)]
    assert cells(table_of(together))[0]["seconds"] == "1.5"
    assert cells(table_of([*together, finished(seed=3)]))[0]["seconds"] == "3.0"


def test_one_recipe_with_two_identities_is_two_rows(finished):
    """An override makes another experiment, which is never averaged with the first."""
    runs = [finished(identity=name, test=test) for name, test in (("one", 0.5), ("two", 0.7))]
    assert [row["test"] for row in cells(table_of(runs))] == ["0.500", "0.700"]


def test_rows_name_the_data_set_and_what_was_changed(finished):
    """A figure on other data does not stand under a recipe's name alone; no column where nothing was changed."""
    plain, other = finished(), finished({"dataset": "karate"}, identity="1" * 12, changes=("dataset=karate", "a.b=2"))
    rows = cells(table_of([plain, other]))
    assert [(row["data"], row["changes"]) for row in rows] == [("block-model", ""), ("karate", "dataset=karate a.b=2")]
    assert (row_of(other)["dataset"], row_of(other)["changes"]) == ("karate", ["dataset=karate", "a.b=2"])
    assert "changes" not in cells(table_of([plain]))[0]


def test_runs_that_met_a_non_finite_number_are_shown_with_the_block(finished):
    """The block of the first bad number stands in the status; a run without figures is counted, not averaged."""
    bad = NonFinite(4, "output", 37, 64)
    runs = [
        finished(seed=0, test=0.5),
        finished(seed=1, status="non-finite", val=None, test=None, best_epoch=0, non_finite=bad),
        finished(seed=2, status="non-finite", val=None, test=None, best_epoch=0, non_finite=replace(bad, block=None)),
    ]
    (row,) = cells(table_of(runs))
    assert row["status"] == "1 finished, 1 non-finite at block 37, 1 non-finite"
    assert row["test"] == "0.500"
    (alone,) = cells(table_of(runs[1:2]))
    assert (alone["status"], alone["test"], alone["val"]) == ("non-finite at block 37", "–", "–")


def test_gradients_are_averaged_on_a_log_scale(finished):
    """1e-2 and 1e-4 are 1e-3 in the middle; overflow (null) and exact zero are said."""
    runs = [finished(seed=seed, gradient_similarity=gradient(first)) for seed, first in enumerate((1e-2, 1e-4))]
    (row,) = cells(table_of(runs))
    assert (row["μ(G) first block"], row["μ(G) last block"]) == ("1.0e-03", "1.0e-03")
    for first, shown in ((None, "not finite"), (0.0, "0")):
        (row,) = cells(table_of([finished(seed=7, gradient_similarity=gradient(first))]))
        assert row["μ(G) first block"] == shown


def test_best_epochs_are_a_range(finished):
    """Equal ones once, different ones from the lowest to the highest."""
    runs = [finished(seed=seed, best_epoch=epoch) for seed, epoch in enumerate((30, 5, 12))]
    assert cells(table_of(runs))[0]["best epoch"] == "5–30"
    assert cells(table_of(runs[:1]))[0]["best epoch"] == "30"


@pytest.mark.parametrize(
    ("normalizer", "c", "shown"),
    [
        ("none", None, "none"),
        ({"name": "frobenius", "c": 0.5}, None, "frobenius c=0.5"),
        ({"name": "frobenius", "c": "auto"}, 0.0625, "frobenius c=auto → 0.0625"),
        (["layer", {"name": "spectral", "c": 2}], None, "layer + spectral c=2.0"),
    ],
)
def test_normalisers_are_named_with_the_c_that_was_used(finished, normalizer, c, shown):
    """A calibrated c is shown as what it came to."""
    assert normalizer_of(finished({"normalizer": normalizer}, c=c)) == shown


def test_names_are_shown_as_they_are(finished):
    """Square brackets in a recipe's name are no markup."""
    assert "my [bold] one" in printed(table_of([finished(recipe="my [bold] one")]))


def test_a_metric_of_which_less_is_better_is_named_as_such(finished):
    """Above a table of errors it is said, above one of shares there is no need."""
    assert "(rmse: lower is better)" in printed(table_of([finished(metric="rmse", higher_is_better=False)]))
    assert "lower" not in printed(table_of([finished()]))


@pytest.mark.parametrize("name", ["<script>", "[red]x[/red]", "[/]", "a\x1b[31m", ":warning:", "x\\\\"])
def test_no_text_of_a_run_acts_on_a_terminal(finished, name):
    """A recipe and a metric from a file are text, and nothing that a terminal obeys."""
    shown = printed(table_of([finished(recipe=name, metric=name)]))
    assert shown.count(escape_controls(name)) == 2
    assert "\x1b[31m" not in shown
