"""Baselines: which cell is compared with which, and how p values are adjusted."""

import pytest
from scipy import stats

from zoo.errors import RunError
from zoo.studies.baseline import Comparison, NotCompared, compare, is_baseline, pairs
from zoo.studies.cells import Cell, Score
from zoo.studies.statistics import paired


def scored(**tests: float | None) -> Cell:
    """A cell whose runs are named `_<seed>` or `s<split>_<seed>`."""
    scores = []
    for name, test in tests.items():
        split, seed = name.split("_")
        scores.append(Score(int(seed), int(split[1:]) if split else None, test, test, "finished", ""))
    return Cell({}, None, tuple(scores))


def test_the_baseline_is_equal_but_for_its_axes(cell):
    """One for each depth: differences are taken there, and the baselines themselves have none."""
    cells = [
        cell([depth / 10 + norm * 0.01 * run for run in range(7)], norm=f"n{norm}", depth=str(depth))
        for norm in (0, 1, 2)
        for depth in (2, 4)
    ]
    found = compare(cells, {"norm": "n0"})
    assert found[:2] == [NotCompared(), NotCompared()]
    for index, item in enumerate(found[2:], start=2):
        assert isinstance(item, Comparison)
        assert item.baseline is cells[index % 2]
        assert item.paired == paired(cells[index].tests, item.baseline.tests)
        assert item.left_out == 0
    assert [is_baseline(one, {"norm": "n0"}) for one in cells] == [True, True, False, False, False, False]


def test_holm_counts_the_comparisons_of_the_table_for_each_test(cell):
    """Two that the ranks can test are a family of two, three that t can test a family of three."""
    base = [0.5 + 0.01 * run for run in range(7)]
    better = [0.6, 0.63, 0.61, 0.7, 0.66, 0.68, 0.7]
    cells = [cell(base, m="base"), cell(better, m="a"), cell([value + 0.001 for value in better], m="b")]
    cells.append(cell([0.55, 0.58, 0.6], m="c"))
    _, a, b, c = compare(cells, {"m": "base"})
    assert isinstance(a, Comparison) and isinstance(b, Comparison) and isinstance(c, Comparison)
    assert a.wilcoxon_holm == b.wilcoxon_holm == 2 * 2 / 2**7
    assert (c.wilcoxon_holm, c.left_out, c.paired.n) == (None, 4, 3)
    ps = sorted(item.paired.t_p or 0 for item in (a, b, c))
    adjusted = sorted(item.t_holm or 0 for item in (a, b, c))
    assert adjusted == pytest.approx([3 * ps[0], max(3 * ps[0], 2 * ps[1]), max(2 * ps[1], ps[2])])


def test_a_cell_without_a_counterpart_is_not_compared(cell):
    """Nor is one where a side has no finished run, or none with a seed of the other; each with its reason."""
    cells = [cell(m="base", depth="2"), cell(m="a", depth="4"), cell(m="a", depth="2"), cell([], m="base", depth="8")]
    cells += [cell(m="a", depth="8"), cell([None, 0.5], m="base", depth="9"), cell([0.5], m="a", depth="9")]
    found = compare(cells, {"m": "base"})
    assert [item.reason if isinstance(item, NotCompared) else None for item in found] == [
        *("", "there is no m=base, depth=4", None, "", "no run of m=base, depth=8 is finished"),
        *("", "no split and seed in common with m=base, depth=9"),
    ]


def test_a_difference_lies_within_the_range_of_the_metric(cell):
    """Two accuracies differ by 1 at the most, and so does each end of an interval; errors have no such bound."""
    for high, end in ((1.0, 1.0), (None, 0.35 + 12.706204736432095 * 0.15)):
        on = {"range": (0.0, high)}
        cells = [cell([0.1, 0.2], m="base", on=on), cell([0.3, 0.7], m="a", on=on)]
        _, found = compare(cells, {"m": "base"})
        assert isinstance(found, Comparison)
        assert found.paired.high == pytest.approx(end)


def test_a_baseline_on_other_ground_is_refused(cell):
    """Also where only the selection differs."""
    with pytest.raises(RunError, match="expected one selection"):
        compare([cell(m="base", on={"selection": "tuned"}), cell(m="a")], {"m": "base"})


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        ({"norn": "x"}, r"'norn' is no axis — expected one of: norm, depth — did you mean 'norm'\?"),
        (
            {"norm": "pear"},
            r"baseline norm — no cell is 'pear' there — expected one of: none, pair — did you mean 'pair'",
        ),
        (
            {"norm": "pair", "depth": "2"},
            r"baseline — no cell is norm=pair, depth=2 — expected labels that one cell has",
        ),
    ],
)
def test_an_unknown_baseline_is_named(cell, baseline, message):
    """With what there is, and the nearest spelling."""
    with pytest.raises(RunError, match=message):
        compare([cell(norm="none", depth="2"), cell(norm="pair", depth="4")], baseline)


def test_less_of_an_error_is_a_negative_difference(cell):
    """Where lower is better the difference keeps its sign, cell less baseline, as SciPy's paired t test has it."""
    on = {"metric": "rmse", "higher_is_better": False, "task": "graphs"}
    tests, base = [1.0, 1.1, 1.3], [1.4, 1.3, 1.6]
    found = compare([cell(tests, norm="x", on=on), cell(base, norm="none", on=on)], {"norm": "none"})
    assert isinstance(found[0], Comparison) and found[1] == NotCompared()
    assert found[0].paired.mean == pytest.approx(-0.3)
    assert found[0].paired.t_p == pytest.approx(stats.ttest_rel(tests, base).pvalue)


def test_pairs_are_matched_by_split_and_seed():
    """Order of the runs does not matter; runs without a partner or a figure are left out and counted."""
    cell = scored(s0_1=0.5, s0_0=0.4, s1_0=0.6, s1_1=None, s2_0=0.9)
    other = scored(s0_0=0.1, s0_1=0.2, s1_1=0.3, s1_0=0.25, s3_0=0.7)
    assert pairs(cell, other) == ([0.4, 0.5, 0.6], [0.1, 0.2, 0.25], 3)
    alone = pairs(scored(_0=0.5, _1=0.6), scored(s0_0=0.5))
    assert alone == ([], [], 3), "a split of the seed's own is not split 0"
