"""Spread over runs, differences between paired runs, and rank correlation, each with its interval and test.

Runs on splits drawn from one data set share nodes, so they are not quite independent, and an interval over them is
somewhat too narrow as a statement on new data (Nadeau & Bengio, "Inference for the Generalization Error", Machine
Learning 52, 2003). It says how far the mean would move with other seeds and splits of this data set.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from scipy import stats

from zoo.studies.formatting import count

Interval = Literal["t", "bootstrap"]
Range = tuple[float | None, float | None]  # least and greatest value of a score; None: no such
RESAMPLES = 10_000
SEED = 0  # of the resamples: the same scores give the same interval
EXACT = 8  # up to so many pairs, all n! orders are gone through
FEWEST = 5  # below, too few distinct resamples to speak of an interval


@dataclass(frozen=True)
class Summary:
    """Mean, sample standard deviation (ddof 1), count, and interval of the mean; None for what n does not allow."""

    mean: float | None
    sd: float | None
    n: int
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Paired(Summary):
    """Summary of differences over n pairs, and two tests of the hypothesis that they lie around 0.

    t_reason, wilcoxon_reason: why there is no p, where there is none.
    """

    t_p: float | None
    wilcoxon_p: float | None
    t_reason: str = ""
    wilcoxon_reason: str = ""


@dataclass(frozen=True)
class Correlation:
    """Spearman's ρ over n pairs, its interval and p; dropped: pairs with a NaN; reason: for a None."""

    rho: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    dropped: int = 0
    reason: str = ""


def summarise(
    values: Sequence[float], *, interval: Interval = "t", confidence: float = 0.95, range: Range = (None, None)
) -> Summary:
    """Return mean, spread and interval of finite values.

    interval: t: mean ± t_{(1+confidence)/2, n−1} · sd/√n. bootstrap: BCa over 10,000 resamples with a fixed seed
    (Efron, "Better Bootstrap Confidence Intervals", JASA 82, 1987). One value has no spread, none has no mean; where
    all are equal, the interval is that point. range: of the figures; an interval that reaches beyond is cut to it,
    which takes nothing from its confidence, as no mean lies there.
    Raises: ValueError for a value that is not finite.
    """
    data = np.asarray(values, dtype=float)
    if not np.isfinite(data).all():
        raise ValueError("summarise — a value is not finite — expected finite values only")
    if not len(data):
        return Summary(None, None, 0, None, None)
    mean = float(data.mean())
    if len(data) == 1:
        return Summary(mean, None, 1, None, None)
    sd = float(data.std(ddof=1))
    if not np.ptp(data):
        return Summary(mean, 0.0, len(data), mean, mean)
    if interval == "t":
        margin = float(stats.t.ppf((1 + confidence) / 2, len(data) - 1)) * sd / math.sqrt(len(data))
        ends = mean - margin, mean + margin
    else:
        ends = _bca((data,), np.mean, confidence)
    if ends is None:
        return Summary(mean, sd, len(data), None, None)
    least, greatest = range
    low = ends[0] if least is None else max(ends[0], least)
    return Summary(mean, sd, len(data), low, ends[1] if greatest is None else min(ends[1], greatest))


def paired(
    values_a: Sequence[float],
    values_b: Sequence[float],
    *,
    interval: Interval = "t",
    confidence: float = 0.95,
    range: Range = (None, None),
) -> Paired:
    """Return the mean of a − b over pairs with its interval, the paired t test and Wilcoxon's signed-rank test.

    Both tests are two-sided. The signed-rank test drops differences of 0, gives equal ones their mean rank and is exact
    for every n, ties included: its null distribution is counted over all 2^n signs of the ranks (Wilcoxon, Biometrics
    Bulletin 1, 1945). Where even the clearest outcome could not get below 1 − confidence, it has no p, but a reason.
    range: of the differences, as of `summarise`.
    Raises: ValueError for different lengths.
    """
    a, b = np.asarray(values_a, dtype=float), np.asarray(values_b, dtype=float)
    if a.shape != b.shape:
        raise ValueError(f"paired — {len(a)} and {len(b)} values — expected as many of one as of the other")
    summary = summarise(list(a - b), interval=interval, confidence=confidence, range=range)
    differences = _rounded(a - b, max(np.abs(a).max(initial=0.0), np.abs(b).max(initial=0.0)))
    return Paired(**asdict(summary), **_t_test(summary, differences), **_signed_rank(differences, 1 - confidence))


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Adjust p values for being several: in rising order, max over j ≤ i of min(1, (m − j + 1)·p_(j)).

    None stays None and is not counted in m.
    Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Statistics 6, 1979.
    """
    known = sorted((p, index) for index, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    highest = 0.0
    for place, (p, index) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - place) * p))
        adjusted[index] = highest
    return adjusted


def correlation(x: Sequence[float | None], y: Sequence[float | None], *, confidence: float = 0.95) -> Correlation:
    """Spearman's rank correlation ρ: Pearson's of the ranks, equal values at their mean rank, infinity above all.

    Pairs with a NaN or None are dropped and counted. p is two-sided: exact over all orders up to 8 pairs, above from
    t = ρ·√((n−2)/(1−ρ²)). The interval is BCa over 10,000 resamples of the pairs with a fixed seed; a resample in which
    x or y does not vary counts as ρ = 0. There is none for fewer than 5 pairs, or for a perfect order, of which every
    resample is as perfect.
    """
    both = np.array([[math.nan if value is None else value for value in side] for side in (x, y)], dtype=float)
    kept = ~np.isnan(both).any(axis=0)
    dropped = int((~kept).sum())
    first, second = both[:, kept]
    n = len(first)
    constant = [name for name, side in (("x", first), ("y", second)) if len(np.unique(side)) == 1]
    if n < 3 or constant:
        reason = f"{n} pairs — a rank correlation needs 3" if n < 3 else f"{constant[0]} does not vary"
        return Correlation(None, None, None, None, n, dropped, reason)
    rho = float(_rank_correlation(first, second))
    p = _rank_p(first, second, rho)
    if n < FEWEST or abs(rho) == 1:
        reason = f"no interval for {n} pairs" if n < FEWEST else "no interval for a perfect order"
        return Correlation(rho, None, None, p, n, dropped, reason)
    ends = _bca((first, second), _rank_correlation, confidence)
    if ends is None:
        return Correlation(rho, None, None, p, n, dropped, "the resamples give no interval")
    return Correlation(rho, *ends, p, n, dropped)


def _rounded(differences: np.ndarray, scale: float) -> np.ndarray:
    """Remove rounding errors of values up to `scale`: 0.8 − 0.78 and 0.7 − 0.68 are equal, and so are ties."""
    return np.round(differences, 12 - math.ceil(math.log10(scale))) if scale else differences


def _t_test(summary: Summary, differences: np.ndarray) -> dict[str, Any]:
    n = summary.n
    if n < 2:
        return {"t_p": None, "t_reason": f"{count(n, 'pair')}: a paired t test needs 2"}
    if not np.ptp(differences):
        return {"t_p": None, "t_reason": f"all {n} differences are equal"}
    assert summary.mean is not None and summary.sd is not None
    return {"t_p": float(2 * stats.t.sf(abs(summary.mean) / (summary.sd / math.sqrt(n)), n - 1))}


def _signed_rank(differences: np.ndarray, level: float) -> dict[str, Any]:
    """Wilcoxon's p, exactly. Ranks are doubled, so that mean ranks are whole and their sums can be counted."""
    apart = differences[differences != 0]
    n = len(apart)
    if not n:
        reason = "no difference in any pair" if len(differences) else "no pairs"
        return {"wilcoxon_p": None, "wilcoxon_reason": reason}
    smallest = 2.0 ** (1 - n)
    if smallest > level:
        noun = "differing pair" if n < len(differences) else "pair"
        return {"wilcoxon_p": None, "wilcoxon_reason": f"{count(n, noun)} cannot give p < {min(1.0, smallest):.4g}"}
    ranks = np.rint(2 * stats.rankdata(np.abs(apart))).astype(int)
    total = int(ranks.sum())
    probability = np.zeros(total + 1)  # of each sum of the positive ranks, when every sign is a fair coin's
    probability[0] = 1.0
    for rank in ranks:
        probability[rank:] = (probability[rank:] + probability[: total + 1 - rank]) / 2
        probability[:rank] /= 2
    positive = int(ranks[apart > 0].sum())
    return {"wilcoxon_p": min(1.0, 2 * float(probability[: min(positive, total - positive) + 1].sum()))}


def _rank_correlation(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    """Spearman's ρ along an axis; 0 where one side does not vary."""
    first, second = (stats.rankdata(side, axis=axis) - (side.shape[axis] + 1) / 2 for side in (x, y))
    product = (first * second).sum(axis=axis)
    size = np.sqrt((first**2).sum(axis=axis) * (second**2).sum(axis=axis))
    return np.clip(np.divide(product, size, out=np.zeros_like(product), where=size > 0), -1, 1)


def _rank_p(x: np.ndarray, y: np.ndarray, rho: float) -> float:
    n = len(x)
    if n > EXACT:
        return float(2 * stats.t.sf(abs(rho) * math.sqrt((n - 2) / (1 - rho**2)), n - 2)) if abs(rho) < 1 else 0.0
    fixed, moved = stats.rankdata(x), stats.rankdata(y)
    test = stats.permutation_test(
        (moved,),
        lambda order, axis=-1: (fixed * order).sum(axis=axis),
        permutation_type="pairings",
        vectorized=True,
        n_resamples=math.factorial(n),
    )
    return float(test.pvalue)


def _bca(data: tuple[np.ndarray, ...], statistic: Callable[..., Any], confidence: float) -> tuple[float, float] | None:
    """Return the ends of the BCa interval, None where the resamples do not spread."""
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # expressed by None
        interval = stats.bootstrap(
            data,
            statistic,
            n_resamples=RESAMPLES,
            paired=len(data) > 1,
            vectorized=True,
            confidence_level=confidence,
            method="BCa",
            random_state=np.random.default_rng(SEED),  # pyright: ignore  # `rng` in newer SciPy, which takes both
        ).confidence_interval
    ends = float(interval.low), float(interval.high)
    return ends if np.isfinite(ends).all() else None
