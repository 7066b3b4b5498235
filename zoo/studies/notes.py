"""What stands below a table: what its figures are, on what ground, over how many runs, and what is not in them."""

import math
from collections.abc import Mapping, Sequence

from scipy import stats

from zoo.studies.baseline import Comparison, NotCompared
from zoo.studies.cells import Cell, is_figure
from zoo.studies.formatting import count, numbers, percent, several
from zoo.studies.statistics import RESAMPLES, Interval


def on_figures(cells: Sequence[Cell]) -> list[str]:
    """Metric, selection, and the split of every data set (and task), in the order of the cells."""
    grounds = list(dict.fromkeys(cell.ground for cell in cells if cell.ground))
    said = []
    for metric, higher in dict.fromkeys((ground.metric, ground.higher_is_better) for ground in grounds):
        direction = "higher" if higher else "lower"
        said.append(f"Figures are the {metric} of the test part at the best validation epoch; {direction} is better.")
    selections = list(dict.fromkeys(ground.selection for ground in grounds))
    if selections:
        said.append(f"Selection: {several(selections)}.")
    several_tasks = len({ground.task for ground in grounds}) > 1
    said += [
        f"{dataset}{f' ({task})' if several_tasks else ''}, split: {split}."
        for task, dataset, split in dict.fromkeys((ground.task, ground.dataset, ground.split) for ground in grounds)
    ]
    return said


def on_runs(cells: Sequence[Cell]) -> list[str]:
    """How many runs a mean is over, and which cells have fewer figures than runs."""
    scores = [score for cell in cells for score in cell.scores]
    counts = sorted({len(cell.tests) for cell in cells})
    said = []
    if scores:
        fixed = {score.split for score in scores if score.split is not None}
        which = [f"seed{_s(len({score.seed for score in scores}))} {numbers(score.seed for score in scores)}"]
        which += [f"split{_s(len(fixed))} {numbers(fixed)}"] if fixed else []
        each = count(counts[0], "run") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} runs"
        alone = "; one run has no spread" if counts[0] < 2 <= counts[-1] else ""
        of = f"Mean ± sample standard deviation over n = {each}" if counts[-1] > 1 else "Each figure is of one run"
        said.append(f"{of} ({', '.join(which)}){alone}.")
    said += [f"{cell}: {len(cell.tests)} of {cell.runs}; {cell.shortfall}." for cell in cells if cell.shortfall]
    diverged = [score for score in scores if is_figure(score.test) and score.status == "non-finite"]
    if diverged:
        said.append(
            f"{count(len(diverged), 'run')} met a number that is not finite after the best validation and "
            f"{'counts' if len(diverged) == 1 else 'count'} with the figure from there."
        )
    return said


def on_interval(cells: Sequence[Cell], interval: Interval, confidence: float) -> list[str]:
    """Which interval, at which confidence, cut to what, and what one over two runs is worth."""
    counts = [len(cell.tests) for cell in cells]
    if all(count < 2 for count in counts):
        return []
    how = "Student's t" if interval == "t" else f"the BCa bootstrap ({RESAMPLES:,} resamples, fixed seed)"
    ends = {end for cell in cells for end in cell.range if end is not None}
    cut = ", cut to the range of the metric" if ends and interval == "t" else ""
    said = [f"Intervals of the mean: {percent(confidence)}, by {how}{cut}."]
    if 2 in counts:
        factor = stats.t.ppf((1 + confidence) / 2, 1) / math.sqrt(2)
        said.append(
            f"n = 2: two runs say little of the spread, and the interval is ± {factor:.1f} sample standard deviations "
            "before it is cut."
            if interval == "t"
            else "n = 2: two runs say little of the spread, and resamples of them no more."
        )
    return said


def on_comparisons(
    baseline: Mapping[str, str], cells: Sequence[Cell], comparisons: Sequence[Comparison | NotCompared]
) -> list[str]:
    """Against what, over which pairs, with which correction, and why a difference or a p is not there."""
    made = [item for item in comparisons if isinstance(item, Comparison)]
    against = ", ".join(f"{axis}={label}" for axis, label in baseline.items())
    said = [f"Δ: mean difference to {against}, all else equal, over runs paired by split and seed."]
    without: dict[str, list[str]] = {}
    for cell, item in zip(cells, comparisons, strict=True):
        if isinstance(item, NotCompared) and item.reason:
            without.setdefault(item.reason, []).append(str(cell))
    said += [f"No Δ for {'; '.join(named)}: {reason}." for reason, named in without.items()]
    if not made:
        return said
    tests = {
        "t": ([item.paired.t_p for item in made], [item.paired.t_reason for item in made]),
        "Wilcoxon": ([item.paired.wilcoxon_p for item in made], [item.paired.wilcoxon_reason for item in made]),
    }
    families = [f"{sum(p is not None for p in ps)} by {name}" for name, (ps, _) in tests.items()]
    said.append(
        "p: paired t test and exact Wilcoxon signed-rank test, two-sided, each Holm-adjusted over all comparisons of "
        f"this table that have a p ({several(families)})."
    )
    for name, (_, reasons) in tests.items():
        why = list(dict.fromkeys(reason for reason in reasons if reason))
        if why:
            said.append(f"No p ({name}): {'; '.join(why)}.")
    return said


def _s(number: int) -> str:
    return "" if number == 1 else "s"
