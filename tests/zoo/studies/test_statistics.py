"""Intervals and tests, held against SciPy, formulas written out, and everything that could have come out."""

import math
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from zoo.studies.statistics import Summary, correlation, holm, paired, summarise

stats: Any = scipy_stats  # whose results are typed as bare tuples


def same(found: Any, wanted: Any, rtol: float) -> None:
    """Compare lists of numbers, none of which is missing."""
    np.testing.assert_allclose(np.array(found, dtype=float), np.array(wanted, dtype=float), rtol=rtol)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_the_t_interval_is_scipys(confidence):
    """Mean, deviation with n − 1, and Student's interval of the mean."""
    values = [0.81, 0.835, 0.79, 0.822]
    found = summarise(values, confidence=confidence)
    wanted = stats.ttest_1samp(values, 0).confidence_interval(confidence)
    assert found.n == 4
    same(
        [found.mean, found.sd, found.low, found.high],
        [sum(values) / 4, np.std(values, ddof=1), wanted.low, wanted.high],
        rtol=1e-12,
    )


def test_the_interval_by_hand():
    """1, 2, 3: mean 2, deviation 1, and t of 2 degrees of freedom at 97.5 % is 4.302653."""
    found = summarise([1.0, 2.0, 3.0])
    assert (found.mean, found.sd) == (2.0, 1.0)
    assert found.low == pytest.approx(2 - 4.302653 / math.sqrt(3), abs=1e-6)
    assert found.high == pytest.approx(2 + 4.302653 / math.sqrt(3), abs=1e-6)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=9))
def test_an_interval_stays_within_the_range_of_the_figures(values):
    """Cut where Student's t reaches beyond, the same elsewhere; so is that of differences."""
    free, cut = summarise(values), summarise(values, range=(0.0, 1.0))
    assert free.low is not None and free.high is not None
    assert (cut.low, cut.high) == (max(0.0, free.low), min(1.0, free.high))
    assert (cut.mean, cut.sd) == (free.mean, free.sd)
    assert summarise(values, range=(0.0, None)).high == free.high
    apart = paired(values, [1 - value for value in values], range=(-1.0, 1.0))
    assert apart.low is not None and apart.high is not None and -1 <= apart.low <= apart.high <= 1


def test_what_few_values_do_not_allow():
    """None has no mean, one no spread; equal ones have the interval that is their point."""
    assert summarise([]) == Summary(None, None, 0, None, None)
    assert summarise([0.5]) == Summary(0.5, None, 1, None, None)
    for interval in ("t", "bootstrap"):
        assert summarise([0.25] * 3, interval=interval) == Summary(0.25, 0.0, 3, 0.25, 0.25)
    with pytest.raises(ValueError, match="not finite"):
        summarise([0.5, math.nan])


def test_the_bootstrap_interval_is_bca_by_the_book():
    """Efron's formula written out: bias from the share of resamples below the mean, acceleration from the jackknife."""
    values = np.random.default_rng(1).exponential(size=25)
    found = summarise(list(values), interval="bootstrap")
    means = np.random.default_rng(7).choice(values, (40_000, 25)).mean(axis=1)
    bias = stats.norm.ppf((means < values.mean()).mean())
    left = (values.sum() - values) / 24
    deviation = left.mean() - left
    acceleration = (deviation**3).sum() / (6 * (deviation**2).sum() ** 1.5)
    ends = bias + stats.norm.ppf([0.025, 0.975])
    wanted = np.quantile(means, stats.norm.cdf(bias + ends / (1 - acceleration * ends)))
    same([found.low, found.high], wanted, rtol=0.03)
    assert found == summarise(list(values), interval="bootstrap"), "the same values give the same interval"
    assert found.high is not None and found.low is not None
    assert found.high - values.mean() > values.mean() - found.low, "it leans with the skew, as Student's cannot"


def test_intervals_cover_the_mean_as_often_as_they_say():
    """Over 2,000 normal draws of 5, 95 and 80 % hold the mean; the bootstrap, over 300 draws of 25, nearly."""
    random = np.random.default_rng(0)

    def covered(draws: np.ndarray, **options) -> float:
        found = [summarise(list(draw), **options) for draw in draws]
        return sum(item.low is not None and item.low <= 3 <= (item.high or 0) for item in found) / len(found)

    draws = random.normal(3, 2, (2000, 5))
    assert covered(draws) == pytest.approx(0.95, abs=0.015)
    assert covered(draws, confidence=0.8) == pytest.approx(0.8, abs=0.03)
    assert covered(random.normal(3, 2, (300, 25)), interval="bootstrap") == pytest.approx(0.94, abs=0.035)


def test_paired_tests_are_scipys():
    """Mean difference and interval, paired t, and signed ranks where SciPy is exact: no ties, no zeros."""
    a, b = np.random.default_rng(2).normal([[0.8], [0.75]], 0.05, (2, 12))
    found = paired(list(a), list(b))
    test = stats.ttest_rel(a, b)
    interval = test.confidence_interval(0.95)
    same(
        [found.mean, found.sd, found.low, found.high, found.t_p],
        [(a - b).mean(), (a - b).std(ddof=1), interval.low, interval.high, test.pvalue],
        rtol=1e-9,
    )
    assert found.wilcoxon_p == pytest.approx(stats.wilcoxon(a, b, method="exact").pvalue, rel=1e-12)
    assert (found.n, found.t_reason, found.wilcoxon_reason) == (12, "", "")
    swapped = paired(list(b), list(a))
    assert swapped.mean == -(found.mean or 0)
    assert swapped.wilcoxon_p == found.wilcoxon_p


@pytest.mark.parametrize("seed", range(5))
def test_signed_ranks_are_exact_with_ties_and_zeros(seed):
    """All 2^n signs are gone through by hand: mean ranks for ties, zeros dropped; rounding makes no difference."""
    steps = np.random.default_rng(seed).integers(-3, 6, 11)
    b = np.random.default_rng(seed).uniform(0.2, 0.4, 11).round(3)
    a = b + steps / 1000
    apart = steps[steps != 0]
    ranks = stats.rankdata(np.abs(apart))
    sums = np.array([ranks[np.array(signs)].sum() for signs in product([False, True], repeat=len(apart))])
    observed = ranks[apart > 0].sum()
    wanted = min(1, 2 * min((sums <= observed).mean(), (sums >= observed).mean()))
    assert len(apart) >= 6
    assert paired(list(a), list(b)).wilcoxon_p == pytest.approx(wanted, rel=1e-12)


def test_signed_ranks_of_many_pairs_come_near_the_normal_approximation():
    """200 pairs are counted out as well, and agree with what is usual at that size."""
    a = np.random.default_rng(3).normal(0.1, 1, 200)
    wanted = stats.wilcoxon(a, method="asymptotic").pvalue
    assert paired(list(a), [0.0] * 200).wilcoxon_p == pytest.approx(wanted, rel=0.02)


def test_no_p_without_a_reason():
    """No, one or few pairs, equal differences and none at all: each says why, and warns of nothing."""
    cases = {
        ((), ()): ("0 pairs: a paired t test needs 2", "no pairs"),
        ((0.5,), (0.4,)): ("1 pair: a paired t test needs 2", "1 pair cannot give p < 1"),
        ((0.5, 0.6, 0.9), (0.4, 0.4, 0.4)): ("", "3 pairs cannot give p < 0.25"),
        ((0.5, 0.6), (0.5, 0.6)): ("all 2 differences are equal", "no difference in any pair"),
        ((0.8, 0.7, 0.3), (0.78, 0.68, 0.28)): ("all 3 differences are equal", "3 pairs cannot give p < 0.25"),
        ((0.5, 0.6, 0.7), (0.5, 0.6, 0.6)): ("", "1 differing pair cannot give p < 1"),
    }
    for (a, b), (t, wilcoxon) in cases.items():
        found = paired(a, b)
        assert (found.t_reason, found.wilcoxon_reason) == (t, wilcoxon)
        assert (found.t_p is None) == bool(t)
        assert found.wilcoxon_p is None
    equal = paired([0.8] * 6, [0.78] * 6)
    assert (equal.t_p, equal.wilcoxon_p) == (None, 2 / 2**6), "six of one sign are all that the ranks can say"
    with pytest.raises(ValueError, match="2 and 1 values"):
        paired([1, 2], [1])


def test_how_few_pairs_are_too_few_depends_on_the_confidence():
    """Five pairs cannot give less than 1/16: enough at 90 %, not at 95 %."""
    a, b = [0.5, 0.6, 0.7, 0.8, 0.9], [0.4, 0.48, 0.59, 0.67, 0.8]
    assert paired(a, b).wilcoxon_p is None
    assert paired(a, b, confidence=0.9).wilcoxon_p == 1 / 16


def test_holm_by_hand():
    """Times 4, 3, 2, 1 in rising order, never falling, at most 1, at the places that they came from."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9, 0.6]) == [1.0, 1.0, 1.0]
    assert holm([]) == []


def test_holm_does_not_count_what_was_not_tested():
    """None stays where it is and the others are adjusted as if alone."""
    assert holm([None, 0.01, None, 0.02]) == [None, 0.02, None, 0.02]
    assert holm([None, None]) == [None, None]


def test_holm_keeps_the_family_wise_error():
    """Five true hypotheses: some are rejected at 5 % in 1 − 0.99^5 of cases, as if each were tested at 1 %."""
    draws = np.random.default_rng(4).uniform(size=(4000, 5))
    rejected = sum(min(p for p in holm(list(draw)) if p is not None) <= 0.05 for draw in draws) / len(draws)
    assert rejected == pytest.approx(1 - 0.99**5, abs=0.01)


def test_rank_correlation_is_scipys():
    """ρ with ties, and p from t for more than 8 pairs."""
    random = np.random.default_rng(5)
    x = random.integers(0, 6, 40).astype(float)
    y = x + random.normal(0, 3, 40)
    found, wanted = correlation(list(x), list(y)), stats.spearmanr(x, y)
    assert found.rho == pytest.approx(wanted.statistic, rel=1e-12)
    assert found.p == pytest.approx(wanted.pvalue, rel=1e-9)
    assert found.low is not None and found.high is not None and found.rho is not None
    assert found.low < found.rho < found.high
    assert found == correlation(list(x), list(y))


def test_rank_correlation_in_closed_form():
    """Without ties ρ = 1 − 6 Σd²/(n(n²−1)); p of 6 pairs is the share of the 720 orders that are as far from 0."""
    x, y = [3.0, 10.0, 20.0, 25.0, 70.0, 71.0], [1.0, 3.0, 2.0, 5.0, 4.0, 6.0]
    squares = [(a - b) ** 2 for a, b in zip((1, 2, 3, 4, 5, 6), y, strict=True)]
    found = correlation(x, y)
    assert found.rho == pytest.approx(1 - 6 * sum(squares) / (6 * 35))
    orders = [sum((a - b) ** 2 for a, b in enumerate(order, 1)) for order in permutations(range(1, 7))]
    as_far = [abs(1 - 6 * order / 210) >= abs(found.rho or 0) - 1e-12 for order in orders]
    assert found.p == pytest.approx(sum(as_far) / 720)


def test_the_interval_of_a_rank_correlation_holds_the_true_one():
    """Normal pairs of correlation r have ρ = (6/π)·asin(r/2); 95 % of intervals over 30 pairs hold it, or nearly."""
    random = np.random.default_rng(6)
    truth = 6 / math.pi * math.asin(0.6 / 2)
    held = 0
    for _ in range(80):
        x = random.normal(size=30)
        y = 0.6 * x + 0.8 * random.normal(size=30)
        found = correlation(list(x), list(y))
        held += found.low is not None and found.low <= truth <= (found.high or 0)
    assert held / 80 == pytest.approx(0.94, abs=0.06)


def test_what_is_not_a_number_is_dropped_and_infinity_is_ranked_highest():
    """NaN and None lose their pair and are counted; ∞ stands above all, as a number above all would."""
    x = [0.1, math.inf, 0.3, math.nan, 0.2, 5.0, None, 0.7, 0.6]
    y = [1.0, 9.0, 3.0, 5.0, 2.0, 4.0, 5.0, 8.0, None]
    found = correlation(x, y)
    assert (found.n, found.dropped) == (6, 3)
    wanted = stats.spearmanr([0.1, 1e9, 0.3, 0.2, 5.0, 0.7], [1, 9, 3, 2, 4, 8]).statistic
    assert found.rho == pytest.approx(wanted)


def test_where_there_is_no_rank_correlation():
    """Too few pairs, a side that does not vary, a perfect order: None with a reason, never a warning."""
    assert correlation([1, 2], [1, 2]).reason == "2 pairs — a rank correlation needs 3"
    assert correlation([1, 1, 1], [1, 2, 3]).reason == "x does not vary"
    assert correlation([1, 2, 3], [0, 0, 0]).rho is None
    perfect = correlation(range(12), [value**3 for value in range(12)])
    assert (perfect.rho, perfect.low, perfect.p) == (1, None, 0)
    assert perfect.reason == "no interval for a perfect order"
    few = correlation([1, 2, 3, 4], [1, 2, 4, 3])
    assert (few.low, few.reason) == (None, "no interval for 4 pairs")
    assert correlation([1, 1, 1, 1, 2], [1, 2, 3, 4, 5]).p == pytest.approx(0.4), "2 of 5 places are as far out"
