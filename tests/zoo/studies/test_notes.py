"""What stands below a table."""

from dataclasses import replace

from zoo.studies import notes
from zoo.studies.baseline import compare


def test_figures_ground_and_selection(cell):
    """Metric with its direction, selection, and every data set with its split, each once."""
    cells = [cell(a="1"), cell(a="2"), cell(a="3", on={"dataset": "chameleon", "split": "geom-gcn, one of 10"})]
    assert notes.on_settings(cells) == [
        "Figures are the accuracy of the test part at the best validation epoch; higher is better.",
        "Selection: test at best validation.",
        "cora, split: random, train 0.6.",
        "chameleon, split: geom-gcn, one of 10.",
    ]
    (loss, *_) = notes.on_settings([cell(on={"metric": "mae", "higher_is_better": False})])
    assert loss == "Figures are the mae of the test part at the best validation epoch; lower is better."
    assert notes.on_settings([cell([], missing=1)]) == []
    tasks = notes.on_settings([cell(a="1"), cell(a="2", on={"task": "links", "split": "links, val 0.05"})])
    assert tasks[2:] == ["cora (nodes), split: random, train 0.6.", "cora (links), split: links, val 0.05."]


def test_runs_and_what_is_missing(cell):
    """The count if it is one, else its range; seeds and splits; each cell that is short of figures."""
    assert notes.on_runs([cell(a="1"), cell(a="2")]) == [
        "Mean ± sample standard deviation over n = 3 runs (seeds 0–2)."
    ]
    short = cell([0.5, None], a="1", failed=1, missing=1)
    assert notes.on_runs([short, cell(a="2")]) == [
        "Mean ± sample standard deviation over n = 1 to 3 runs (seeds 0–2); one run has no spread.",
        "a=1: 1 of 4; 1 without a figure, 1 failed, 1 not finished.",
    ]
    split = [cell([0.1, 0.2, 0.3, 0.4], splits=[0, 1]), cell([0.5], splits=[4])]
    assert notes.on_runs(split[:1])[0].endswith("over n = 4 runs (seeds 0, 1, splits 0, 1).")
    assert notes.on_runs(split[1:])[0] == "Each figure is of one run (seed 0, split 4)."
    assert notes.on_runs([cell([], missing=2, a="1")]) == ["a=1: 0 of 2; 2 not finished."]


def test_figures_from_before_a_run_diverged_are_owned_up_to(cell):
    """A run that met a non-finite number later keeps its best figure; the table says so."""
    whole = cell(a="1")
    diverged = replace(whole, scores=(*whole.scores[:2], replace(whole.scores[2], status="non-finite")))
    assert notes.on_runs([diverged])[-1].startswith("1 run met a number that is not finite after the best validation")


def test_intervals(cell):
    """The method, and what they are cut to; one run has none, and two are not passed over in silence."""
    three, accuracy = [cell()], [cell(on={"range": (0.0, 1.0)})]
    assert notes.on_interval(three, "t") == ["Intervals of the mean: 95 %, by Student's t."]
    assert notes.on_interval(accuracy, "t") == [
        "Intervals of the mean: 95 %, by Student's t, cut to the range of the metric."
    ]
    (said,) = notes.on_interval(accuracy, "bootstrap")
    assert said == "Intervals of the mean: 95 %, by the BCa bootstrap (10,000 resamples, fixed seed)."
    assert notes.on_interval([cell([0.5])], "t") == []
    two = notes.on_interval([cell([0.1, 0.2]), cell()], "t")[1]
    assert two.startswith("n = 2: two runs say little of the spread, and the interval is ± 9.0 sample standard")


def test_comparisons_family_and_reasons(cell):
    """Against what, how many p values are adjusted together, and why one is not there."""
    cells = [cell([0.1, 0.2, 0.4], m="base"), cell([0.2, 0.4, 0.5], m="x"), cell([0.2, 0.3, 0.5], m="y")]
    said = notes.on_comparisons({"m": "base"}, cells, compare(cells, {"m": "base"}))
    assert said[0] == "Δ: mean difference to m=base, all else equal, over runs paired by split and seed."
    assert "Holm-adjusted over all comparisons of this table that have a p (1 by t and 0 by Wilcoxon)" in said[1]
    assert said[2:] == [
        "No p (t): all 3 differences are equal.",
        "No p (Wilcoxon): 3 pairs cannot give p < 0.25.",
    ]


def test_a_difference_that_is_not_there_has_its_reason(cell):
    """Cells with the same reason are named together; without any difference nothing is said of p values."""
    cells = [cell(m="base", depth="2"), cell(m="x", depth="4"), cell(m="y", depth="4")]
    said = notes.on_comparisons({"m": "base"}, cells, compare(cells, {"m": "base"}))
    assert said[1:] == ["No Δ for m=x, depth=4; m=y, depth=4: there is no m=base, depth=4."]
