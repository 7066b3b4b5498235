"""The verdict on a run, and the outlook of a network: each constructed case is judged as what it is."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo.probes.advice import Situation
from zoo.probes.diagnosis import KEPT, ROSE, ROSE_UNLEARNED, Course, NonFinite, diagnose, outlook
from zoo.probes.facts import EXPANDS, EXPLODES, SMOOTHED, VANISHES
from zoo.probes.reading import Reading
from zoo.recipe.load import load

spec = importlib.util.spec_from_file_location("cases", Path(__file__).with_name("cases.py"))
assert spec is not None
assert spec.loader is not None
cases = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cases)

PLAIN = Situation(depth=64, skips=False, connected=("model.name=res-gcn",))
RESIDUAL = Situation(depth=64, lr=0.005, usual_lr=0.005)
BOUNDED = Situation(depth=64, bound="normalizer.c")
NORMED = Situation(depth=64, rescales=True)


def reading(
    *,
    growth: float = 1.0,
    norm_ratio: float | None = None,
    limit: float = 0.9,
    representation: float = 0.5,
    rank: float = 8.0,
    depth: int = 64,
    loss: float = 1.0,
) -> Reading:
    """What a network would read whose profile is a straight line on a log scale."""
    share = np.linspace(1, 0, depth)
    norms = (growth if norm_ratio is None else norm_ratio) ** share
    return Reading(
        {
            "gradients.mu.plain": growth**share,
            "gradients.norm": norms,
            "gradients.ratio.limit": 0.9 + (limit - 0.9) * share,
            "gradients.finite": np.ones(depth),
            "representations.mu.plain": np.ones(depth),
            "representations.norm": np.ones(depth),
            "representations.ratio.plain": np.full(depth, representation),
            "representations.ratio.limit": np.full(depth, representation),
            "representations.rank.effective": np.full(depth, rank),
            "representations.finite": np.ones(depth),
            "expansion_rate.plain": np.array(math.log(growth) / max(1, depth - 1)),
            "loss": np.array(loss),
        }
    )


def overflowed(side: str = "gradients", block: int = 20) -> Reading:
    """A network that overflows: from a block forward by its outputs, or from one backwards by its gradients."""
    bad = np.arange(1, 65) >= block if side == "representations" else np.arange(1, 65) <= block
    good = reading()
    spoilt = {name: np.where(bad, np.nan, series) for name, series in good.items() if name.startswith(side)}
    return Reading({**good, **spoilt, f"{side}.finite": 1.0 - bad, "expansion_rate.plain": np.array(0.4)})


@pytest.mark.parametrize("case", cases.CASES)
@pytest.mark.parametrize("seed", range(3))
def test_constructed_cases_are_judged_as_what_they_are(case, seed):
    """Real trainings that go wrong in one way each; a hundred seeds of each are in docs/reading-gradients.md."""
    verdict = cases.judged(case, seed)
    assert verdict.verdict == case, str(verdict)
    assert (verdict.block is not None) == (case == "non-finite")
    assert (verdict.advice == "") == (case == "healthy")


@pytest.mark.parametrize("side", ["gradients", "representations"])
def test_overflow_is_never_healthy(side):
    """Before the first step it is named with its block; so it is after the last one of a run that had learned."""
    word = {"gradients": "gradient", "representations": "output"}[side]
    found = outlook(overflowed(side), RESIDUAL)
    assert (found.verdict, found.block) == ("non-finite", 20)
    assert found.because == f"before the first step, the {word} is the first thing that is not finite"
    found = diagnose(reading(), overflowed(side), RESIDUAL, skill=0.9)
    assert (found.verdict, found.block) == ("non-finite", 20)
    assert found.because.startswith("after the last step")


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
    """Just short of a threshold nothing is found, just past it the fault is; before training it is not decided."""
    assert diagnose(low, low, RESIDUAL, skill=0.0).verdict == "underfitting"
    assert diagnose(high, high, RESIDUAL, skill=0.0).verdict == verdict
    assert outlook(low, RESIDUAL).verdict == "healthy"
    assert outlook(high, RESIDUAL).verdict == ("vanishing gradient" if verdict.startswith("van") else "undecided")


def test_the_outlook_alarms_where_nothing_was_seen_to_train():
    """Growth without feature norms, a gradient that is gone, nodes that nothing tells apart; else it says it cannot."""
    assert outlook(reading(growth=1.01 * EXPLODES), RESIDUAL).verdict == "gradient expansion"
    assert outlook(reading(representation=0.0), RESIDUAL).verdict == "representation collapse"
    normed = outlook(reading(growth=1e7), NORMED)
    assert normed.verdict == "undecided" and not normed.changes
    assert "before the first step, μ(G) grows" in normed.because and "a short training tells" in normed.because


def test_a_fault_that_training_mended_does_not_count():
    """Expansion at the start of a run that learned and ended well is healthy; of one that learned nothing it is why."""
    bad, good = reading(growth=1e6), reading()
    assert diagnose(bad, good, RESIDUAL, skill=0.9).verdict == "healthy"
    assert diagnose(good, bad, RESIDUAL, skill=0.9).verdict == "gradient expansion"
    found = diagnose(bad, good, RESIDUAL, skill=0.0)
    assert found.verdict == "gradient expansion" and found.because.startswith("before the first step")


def test_growth_of_a_network_with_norms_counts_only_if_nothing_was_learned():
    """64 blocks with batch or graph normalisation grow by 10 to 10⁶ at the end of a training that went well."""
    bad = reading(growth=1e6)
    assert diagnose(bad, bad, NORMED, skill=0.9).verdict == "healthy"
    assert diagnose(bad, bad, NORMED, skill=0.1).verdict == "gradient expansion"


def test_smoothing_and_collapse_count_only_if_nothing_was_learned():
    """Two blocks on a dense graph smooth and collapse, and learn all the same; nor is who cannot be scored blamed."""
    for fault in (reading(limit=0.05), reading(representation=0.01)):
        assert diagnose(fault, fault, PLAIN, skill=0.5).verdict == "healthy"
        assert diagnose(fault, fault, PLAIN, skill=None).verdict == "healthy"


def test_a_loss_that_rises_is_unstable():
    """Three times the loss before the first step, half as much again where nothing was learned; the epoch is named."""
    for skill, threshold in ((0.9, ROSE), (0.1, ROSE_UNLEARNED)):
        calm = Course(peak_loss=0.99 * threshold, peak_epoch=3, best_loss=0.5, last_val=0.5)
        wild = Course(peak_loss=1.01 * threshold, peak_epoch=3, best_loss=0.5, last_val=0.5)
        assert diagnose(reading(), reading(), RESIDUAL, skill=skill, course=calm).verdict != "unstable training"
        found = diagnose(reading(), reading(), RESIDUAL, skill=skill, course=wild)
        assert found.verdict == "unstable training"
        assert "rose from 1 before the first step" in found.because and "at epoch 3" in found.because
    last = diagnose(reading(), reading(loss=50.0), RESIDUAL, skill=0.9, course=Course(1.0, 1, 0.5, 0.5))
    assert last.verdict == "unstable training" and "to 50 after the last step" in last.because
    grown = diagnose(reading(growth=1e6), reading(), RESIDUAL, skill=0.1, course=Course(9.0, 1, 0.5, 0.5))
    assert grown.verdict == "gradient expansion", "which was there before the loss rose, and is why"


def test_a_run_that_was_much_better_earlier_is_unstable():
    """Half of what it had learned is lost while the training loss rose; if that fell it has merely overfitted."""
    course = Course(peak_loss=1.2, peak_epoch=9, best_loss=0.4, last_val=0.3)
    for kept, last, verdict in (
        (0.9 * KEPT, 1.1, "unstable training"),
        (0.9 * KEPT, 0.1, "healthy"),
        (0.9, 1.1, "healthy"),
    ):
        found = diagnose(reading(), reading(loss=last), RESIDUAL, skill=0.9, course=course, kept=kept)
        assert found.verdict == verdict


def test_overflow_while_training_names_the_step_and_what_led_to_it():
    """Growth before the first step is answered by a bound, a training that was thrown off by a smaller rate."""
    grown = diagnose(reading(growth=1e9), reading(), RESIDUAL, skill=0.0, non_finite=NonFinite(7, "gradient", 3))
    assert (grown.verdict, grown.block) == ("non-finite", 3)
    assert grown.because.startswith("in step 7, the gradient is the first thing that is not finite; μ(G) grows")
    assert "frobenius" in grown.advice
    assert str(grown).startswith("non-finite at block 3 — ")
    fast = diagnose(reading(), reading(), RESIDUAL, skill=0.0, non_finite=NonFinite(7, "output", 3))
    assert fast.changes == (("optimizer.lr=0.0005",),)


def test_overflow_before_training_is_answered_by_a_bound():
    """Scaling the features does not help a deep network; where the first block's output is beyond measure it does."""
    deep = diagnose(reading(), reading(), RESIDUAL, skill=0.0, non_finite=NonFinite(1, "output", 40))
    assert deep.because.startswith("before the first step") and "frobenius" in deep.advice
    huge = Reading({**reading(), "representations.norm": np.full(64, 1e30)})
    scaled = diagnose(huge, reading(), RESIDUAL, skill=0.0, non_finite=NonFinite(1, "output", 3))
    beyond = outlook(Reading({**overflowed(), "representations.norm": np.full(64, np.inf)}), RESIDUAL)
    assert scaled.changes == beyond.changes == (("prepare.features=standardize",),)


def test_sentences_are_readable_and_say_when():
    """64 blocks that grow 1.41× each; a rate of millions in powers of ten; the whole verdict as kept."""
    bad = reading(growth=1.41**63)
    found = diagnose(bad, bad, RESIDUAL, skill=0.0)
    assert "after the last step, μ(G) grows 1.41× per block toward the input (2.5e+09× over 64 blocks)" in str(found)
    wild = outlook(Reading({**bad, "expansion_rate.plain": np.array(20.4)}), RESIDUAL)
    assert "grows 7.2e+08× per block" in str(wild)
    kept = found.plain()
    assert kept["changes"][0] == ["normalizer={name: frobenius, c: auto}"] and kept["sentence"] == str(found)
    assert outlook(reading(depth=1), Situation(depth=1)).because.endswith("(one block)")
    one = Reading({**reading(), "expansion_rate.plain": np.array(math.nan)})
    assert "no two blocks to compare" in outlook(one, RESIDUAL).because


def test_advice_fits_the_network():
    """Bounds that are there are moved, skips are added where there are none, unreached blocks are named."""
    bad, gone = reading(growth=1e6), reading(norm_ratio=1e-9)
    assert outlook(bad, BOUNDED).changes == (("normalizer.c=auto",), ("normalizer.c=adaptive",))
    assert outlook(gone, PLAIN).changes[0][0] == "model.name=res-gcn"
    detached = Reading({**reading(), "gradients.finite": np.where(np.arange(64) < 2, np.nan, 1.0)})
    assert "no gradient comes to blocks 1 to 2 at all" in outlook(detached, RESIDUAL).because


NETWORKS = {
    "none": "none",
    "frobenius": {"name": "frobenius", "c": 0.5},
    "frobenius auto": {"name": "frobenius", "c": "auto"},
    "spectral auto": {"name": "spectral", "c": "auto", "method": "power"},
    **{name: name for name in ("layer", "batch", "pair", "graph")},
}
# Of 60 epochs on this graph at 64 blocks (docs/reading-gradients.md); all that is not named trained, as did two blocks.
FAIL = {("res-gcn", "none"), ("res-gat", "none")}
FAIL |= {("gcn", name) for name in NETWORKS if name not in ("pair", "graph")}
SICK = {("res-gcn", "none"), ("res-gat", "none"), ("gcn", "none"), ("gcn", "frobenius")}
SMALL = [
    "dataset={name: block-model, nodes: 240, classes: 4, features: 32, degree: 5.0, homophily: 0.8, signal: 2.0}",
    *("model.width=32", "model.dropout=0.0", "execution.device=cpu"),
]


@pytest.mark.parametrize("model", ["gcn", "res-gcn", "res-gat"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_outlook_is_right_on_our_own_normalizers(model, name):
    """No network that trains is called sick before its first step, and none that fails is called healthy."""
    two, deep = zoo.probe(load(f"smoke/{model}", SMALL), {"normalizer": NETWORKS[name]}, depths=[2, 64])
    assert two.outlook.verdict == "healthy"
    verdict = deep.outlook.verdict
    if (model, name) in SICK:
        assert verdict in ("gradient expansion", "vanishing gradient", "non-finite")
    elif (model, name) in FAIL:
        assert verdict == "undecided"
    else:
        assert verdict in ("healthy", "undecided")
        assert verdict == "healthy" or name in ("layer", "pair", "graph"), str(deep.outlook)


def test_peak_best_and_last():
    """The largest loss with its epoch, the loss at the best validation, the last metric; as plain values too."""
    course = Course()
    assert math.isinf(course.peak_loss) and math.isnan(course.last_val)
    for epoch, (loss, val, best) in enumerate([(2.0, 0.1, True), (9.0, 0.5, True), (3.0, 0.2, False)], start=1):
        course.take(epoch, loss, val, best=best)
    assert course == Course(peak_loss=9.0, peak_epoch=2, best_loss=9.0, last_val=0.2)
    assert Course(**course.state_dict()) == course
