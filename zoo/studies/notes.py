"""Notes below a table: metric, data and splits, numbers of runs, intervals, tests, and what is missing."""

import math
from collections.abc import Mapping, Sequence

from scipy import stats

from zoo.studies.baseline import Comparison, NotCompared
from zoo.studies.cells import Cell, axes_in_words, is_finite
from zoo.studies.formatting import count, numbers, several
from zoo.studies.statistics import RESAMPLES, Interval


def on_settings(cells: Sequence[Cell]) -> list[str]:
    """Name metric, selection, and the split of every data set (and task), in the order of the cells."""
    settings = list(dict.fromkeys(cell.setting for cell in cells if cell.setting))
    lines = []
    for metric, higher in dict.fromkeys((setting.metric, setting.higher_is_better) for setting in settings):
        direction = "higher" if higher else "lower"
        lines.append(f"Figures are the {metric} of the test part at the best validation epoch; {direction} is better.")
    if settings:
        lines.append(f"Selection: {several(list(dict.fromkeys(setting.selection for setting in settings)))}.")
    tasks = {setting.task for setting in settings}
    for task, dataset, split in dict.fromkeys((setting.task, setting.dataset, setting.split) for setting in settings):
        lines.append(f"{dataset}{f' ({task})' if len(tasks) > 1 else ''}, split: {split}.")
    return lines


def on_runs(cells: Sequence[Cell]) -> list[str]:
    """Count the runs behind a mean, and name the cells with fewer scores than runs."""
    scores = [score for cell in cells for score in cell.scores]
    counts = sorted({len(cell.tests) for cell in cells})
    lines = []
    if scores:
        seeds = {score.seed for score in scores}
        splits = {score.split for score in scores if score.split is not None}
        which = [f"seed{'s' * (len(seeds) > 1)} {numbers(seeds)}"]
        which += [f"split{'s' * (len(splits) > 1)} {numbers(splits)}"] if splits else []
        each = count(counts[0], "run") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} runs"
        alone = "; one run has no spread" if counts[0] < 2 <= counts[-1] else ""
        over = f"Mean ± sample standard deviation over n = {each}" if counts[-1] > 1 else "Each figure is of one run"
        lines.append(f"{over} ({', '.join(which)}){alone}.")
    lines += [f"{cell}: {len(cell.tests)} of {cell.runs}; {cell.shortfall}." for cell in cells if cell.shortfall]
    diverged = [score for score in scores if is_finite(score.test) and score.status == "non-finite"]
    if diverged:
        lines.append(
            f"{count(len(diverged), 'run')} met a number that is not finite after the best validation and "
            f"{'counts' if len(diverged) == 1 else 'count'} with the figure from there."
        )
    return lines


def on_interval(cells: Sequence[Cell], interval: Interval) -> list[str]:
    """Describe the intervals, what they are cut to, and what one over two runs is worth."""
    sizes = [len(cell.tests) for cell in cells]
    if all(size < 2 for size in sizes):
        return []
    method = "Student's t" if interval == "t" else f"the BCa bootstrap ({RESAMPLES:,} resamples, fixed seed)"
    ends = {end for cell in cells for end in cell.range if end is not None}
    cut = ", cut to the range of the metric" if ends and interval == "t" else ""
    lines = [f"Intervals of the mean: 95 %, by {method}{cut}."]
    if 2 in sizes:
        factor = stats.t.ppf(0.975, 1) / math.sqrt(2)
        worth = (
            f"the interval is ± {factor:.1f} sample standard deviations before it is cut"
            if interval == "t"
            else "resamples of them no more"
        )
        lines.append(f"n = 2: two runs say little of the spread, and {worth}.")
    return lines


def on_comparisons(
    baseline: Mapping[str, str], cells: Sequence[Cell], comparisons: Sequence[Comparison | NotCompared]
) -> list[str]:
    """Describe baseline, pairs and correction, and give the reason where a difference or a p is missing."""
    against = axes_in_words(baseline)
    lines = [f"Δ: mean difference to {against}, all else equal, over runs paired by split and seed."]
    missing: dict[str, list[str]] = {}
    for cell, item in zip(cells, comparisons, strict=True):
        if isinstance(item, NotCompared) and item.reason:
            missing.setdefault(item.reason, []).append(str(cell))
    lines += [f"No Δ for {'; '.join(named)}: {reason}." for reason, named in missing.items()]
    made = [item.paired for item in comparisons if isinstance(item, Comparison)]
    if not made:
        return lines
    tests = {
        "t": [(item.t_p, item.t_reason) for item in made],
        "Wilcoxon": [(item.wilcoxon_p, item.wilcoxon_reason) for item in made],
    }
    families = [f"{sum(p is not None for p, _ in results)} by {name}" for name, results in tests.items()]
    lines.append(
        "p: paired t test and exact Wilcoxon signed-rank test, two-sided, each Holm-adjusted over all comparisons of "
        f"this table that have a p ({several(families)})."
    )
    for name, results in tests.items():
        if reasons := list(dict.fromkeys(reason for _, reason in results if reason)):
            lines.append(f"No p ({name}): {'; '.join(reasons)}.")
    return lines
