"""The verdict on a run: each constructed case is judged as what it is."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

from zoo.probes.diagnosis import EXPANDS, SMOOTHED, VANISHES, Facts, Setting, diagnose
from zoo.probes.reading import Reading

spec = importlib.util.spec_from_file_location("cases", Path(__file__).with_name("cases.py"))
assert spec is not None
assert spec.loader is not None
cases = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cases)

PLAIN = Setting(width=64, skips=False, bounded=False)
RESIDUAL = Setting(width=64, skips=True, bounded=False)
BOUNDED = Setting(width=64, skips=True, bounded=True)


def reading(
    *,
    growth: float = 1.0,
    norm_ratio: float | None = None,
    limit: float = 0.9,
    representation: float = 0.5,
    rank: float = 8.0,
    depth: int = 64,
) -> Reading:
    """What a network would read whose profile is a straight line on a log scale."""
    share = np.linspace(1, 0, depth)
    norms = (growth if norm_ratio is None else norm_ratio) ** share
    return Reading(
        {
            "gradients.mu.plain": growth**share,
            "gradients.norm": norms,
            "gradients.ratio.limit": 0.9 + (limit - 0.9) * share,
            "representations.ratio.plain": np.full(depth, representation),
            "representations.ratio.limit": np.full(depth, representation),
            "representations.rank.effective": np.full(depth, rank),
            "expansion_rate.plain": np.array(math.log(growth) / (depth - 1)),
        }
    )


@pytest.mark.parametrize("case", cases.CASES)
@pytest.mark.parametrize("seed", range(3))
def test_constructed_cases_are_judged_as_what_they_are(case, seed):
    """Real trainings that go wrong in one way each; a hundred seeds of each are in docs/reading-gradients.md."""
    verdict = cases.judged(case, seed)
    assert verdict.verdict == case, str(verdict)
    assert (verdict.block is not None) == (case == "non-finite")
    assert (verdict.advice == "") == (case == "healthy")


def test_vanishing_is_told_from_oversmoothing():
    """A small limit ratio is smoothing while ‖G‖ stays, and vanishing as soon as ‖G‖ is gone."""
    smoothed = reading(limit=0.1, norm_ratio=0.2)
    gone = reading(limit=0.1, norm_ratio=1e-9, growth=1e-9)
    assert diagnose(smoothed, smoothed, PLAIN, skill=0.0).verdict == "gradient oversmoothing"
    found = diagnose(gone, gone, PLAIN, skill=0.0)
    assert found.verdict == "vanishing gradient"
    assert "of what is left 10% differs" in found.because


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (reading(growth=0.99 * EXPANDS), reading(growth=1.01 * EXPANDS), "gradient expansion"),
        (reading(norm_ratio=1.01 * VANISHES), reading(norm_ratio=0.99 * VANISHES), "vanishing gradient"),
        (reading(limit=0.91 * SMOOTHED), reading(limit=0.89 * SMOOTHED), "gradient oversmoothing"),
        (reading(representation=0.051), reading(representation=0.049), "representation collapse"),
        (reading(rank=1.21), reading(rank=1.19), "representation collapse"),
    ],
    ids=["growth", "norm", "limit", "ratio", "rank"],
)
def test_thresholds_stand_where_they_are_said_to(low, high, verdict):
    """Just short of a threshold nothing is found, just past it the fault is."""
    assert diagnose(low, low, RESIDUAL, skill=0.0).verdict == "underfitting"
    assert diagnose(high, high, RESIDUAL, skill=0.0).verdict == verdict


def test_a_fault_that_training_mended_does_not_count():
    """Expansion at the start of a run that learned and ended well is healthy; of one that learned nothing it is why."""
    bad, good = reading(growth=1e6), reading()
    assert diagnose(bad, good, RESIDUAL, skill=0.9).verdict == "healthy"
    assert diagnose(bad, good, RESIDUAL, skill=0.0).verdict == "gradient expansion"
    assert diagnose(good, bad, RESIDUAL, skill=0.9).verdict == "gradient expansion"


def test_smoothing_and_collapse_count_only_if_nothing_was_learned():
    """Two blocks on a dense graph smooth and collapse, and learn all the same."""
    for fault in (reading(limit=0.05), reading(representation=0.01)):
        assert diagnose(fault, fault, PLAIN, skill=0.5).verdict == "healthy"


def test_the_sentence_has_the_factor_and_a_bound_to_try():
    """64 blocks of width 64 that grow 1.41× each are told so, and advised c ≈ 0.5."""
    bad, gone = reading(growth=1.41**63), reading(norm_ratio=1e-9)
    said = str(diagnose(bad, bad, RESIDUAL, skill=0.0))
    assert "μ(G) grows 1.41× per block toward the input" in said
    assert "try normalizer=frobenius c≈0.5" in said
    assert "normalizer.c=0.5" in diagnose(bad, bad, BOUNDED, skill=0.0).advice
    assert "res-" in diagnose(gone, gone, PLAIN, skill=0.0).advice


def test_overflow_counts_as_expansion():
    """μ(G_1) that has left the range of numbers is the end of growth, not its absence."""
    bad = reading(growth=10.0)
    values = {**bad, "gradients.mu.plain": np.array([np.inf, *bad["gradients.mu.plain"][1:]])}
    assert Facts.of(Reading(values)).expands


def test_non_finite_names_the_block_and_the_cause():
    """The block that the trainer found, and expansion where it was there before."""
    found = diagnose(reading(growth=1e9), None, RESIDUAL, skill=0.0, non_finite=("gradient", 3))
    assert (found.verdict, found.block) == ("non-finite", 3)
    assert "grows" in found.because
    assert "frobenius" in found.advice
    assert str(found).startswith("non-finite at block 3 — ")


def test_where_the_head_reads_all_blocks_one_collapsed_one_is_no_collapse():
    """Jumping knowledge still has the others."""
    good = reading()
    values = {**good, "representations.ratio.limit": np.linspace(0.5, 0.001, 64)}
    jumping = Setting(width=64, skips=True, bounded=False, reads_all_blocks=True)
    late = Reading(values)
    assert diagnose(late, late, RESIDUAL, skill=0.0).verdict == "representation collapse"
    assert diagnose(late, late, jumping, skill=0.0).verdict == "underfitting"


def test_untrained_networks_are_not_called_underfitting():
    """Without a training there is nothing that could have been learned."""
    assert diagnose(reading(), None, RESIDUAL, skill=None).verdict == "healthy"
    assert diagnose(reading(limit=0.1, norm_ratio=0.5), None, PLAIN, skill=None).verdict == "gradient oversmoothing"


def test_an_untrained_network_that_overflows_is_told_of_its_features():
    """Before the first step no rate had a part in it: the advice is to scale the features."""
    low = reading()
    found = diagnose(low, None, RESIDUAL, skill=0.0, non_finite=("output", 1), untrained=True)
    assert "prepare.features=standardize" in found.advice and "optimizer.lr" not in found.advice
    assert "optimizer.lr" in diagnose(low, None, RESIDUAL, skill=0.0, non_finite=("output", 1)).advice
