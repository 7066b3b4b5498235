"""Facts of one moment: numbers that every comparison has a meaning for."""

import itertools
import math

import numpy as np
import pytest

import zoo
from zoo.probes.facts import COLLAPSED, EXPANDS, SMOOTHED, VANISHES, Facts
from zoo.probes.reading import Reading

DEPTH = 5
NAMES = (
    *("gradients.mu.plain", "gradients.norm", "gradients.ratio.limit"),
    *("representations.mu.plain", "representations.norm"),
    *("representations.ratio.plain", "representations.ratio.limit", "representations.rank.effective"),
)


def reading(**changed) -> Reading:
    """Of a network in which nothing is wrong, with some series in place of others; `_` stands for a dot."""
    values = {name: np.full(DEPTH, 1.0) for name in NAMES}
    values |= {f"{side}.finite": np.ones(DEPTH) for side in ("gradients", "representations")}
    values["representations.rank.effective"] = np.full(DEPTH, 8.0)
    values |= {"expansion_rate.plain": np.array(0.0), "loss": np.array(1.5)}
    given = {name.replace("_", ".", 2): np.asarray(series, dtype=float) for name, series in changed.items()}
    return Reading(values | given)


def test_what_is_read_is_what_is_said():
    """First over last block, μ and norm each; the smaller of both ratios of X_L; the loss."""
    facts = Facts.of(
        reading(
            gradients_mu_plain=[8, 4, 2, 1, 1],
            gradients_norm=[3, 1, 1, 1, 2],
            gradients_ratio_limit=[0.3, 1, 1, 1, 0.9],
            representations_ratio_limit=[0.7, 1, 1, 1, 0.2],
        )
    )
    assert (facts.growth, facts.norm_ratio) == (8, 1.5)
    assert (facts.first_limit_ratio, facts.last_limit_ratio) == (0.3, 0.9)
    assert (facts.input_ratio, facts.representation_ratio, facts.loss) == (0.7, 0.2, 1.5)
    assert facts.non_finite is None and not facts.unreached


@pytest.mark.parametrize("places", list(itertools.product([math.nan, math.inf, 0.0, 1.0], repeat=2)))
@pytest.mark.parametrize("name", NAMES)
def test_no_fact_is_nan(name, places):
    """Whatever is 0, infinite or NaN at the first and the last block, each comparison is with a number."""
    series = [places[0], 1, 1, 1, places[1]]
    facts = Facts.of(reading(**{name.replace(".", "_"): series}))
    assert isinstance(facts.expands or facts.vanishes or facts.smoothed or facts.collapsed, bool)
    with pytest.raises(AssertionError, match="NaN"):
        Facts(growth=math.nan)


def test_what_is_not_finite_is_named_by_its_block():
    """The first output, and if all are finite the gradient that back-propagation came to first; then nothing else."""
    forward = Facts.of(reading(representations_finite=[1, 1, 0, 0, 0], gradients_finite=[0, 0, 0, 0, 0]))
    assert forward.non_finite == ("output", 3)
    backward = Facts.of(reading(gradients_finite=[0, 0, 1, 1, 1], gradients_mu_plain=[math.nan, math.inf, 3, 2, 1]))
    assert backward.non_finite == ("gradient", 2)
    assert not (backward.expands or backward.vanishes or backward.collapsed)


def test_a_gradient_of_zero():
    """At the first block alone it has vanished; everywhere there is nothing to have grown; nothing is smoothed."""
    nothing = [0, 1, 1, 1, 1]
    facts = Facts.of(
        reading(gradients_mu_plain=nothing, gradients_norm=nothing, gradients_ratio_limit=[math.nan, 1, 1, 1, 1])
    )
    assert facts.vanishes and not facts.expands and not facts.loses_directions
    zeros = [0.0] * DEPTH
    facts = Facts.of(reading(gradients_mu_plain=zeros, gradients_norm=zeros, gradients_ratio_limit=[math.nan] * DEPTH))
    assert facts.vanishes and facts.growth == 1
    facts = Facts.of(reading(gradients_mu_plain=[1, 1, 1, 1, 0]))
    assert facts.growth == math.inf and facts.expands


def test_a_gradient_that_does_not_come():
    """Blocks that none reaches are counted, and are no overflow; the others are compared among themselves."""
    there = [math.nan, math.nan, 1, 1, 1]
    facts = Facts.of(reading(gradients_finite=there, gradients_mu_plain=[math.nan, math.nan, 6, 1, 2]))
    assert (facts.unreached, facts.non_finite, facts.growth) == (2, None, 3)
    assert facts.vanishes
    nowhere = Facts.of(reading(gradients_finite=[math.nan] * DEPTH))
    assert nowhere.unreached == DEPTH and nowhere.vanishes


def test_outputs_of_zero_are_alike():
    """A network that died says the same of all nodes."""
    dead = [1, 1, 1, 1, math.nan]
    facts = Facts.of(reading(representations_ratio_plain=dead, representations_rank_effective=dead))
    assert facts.representation_ratio == 0 and facts.effective_rank == 0 and facts.collapsed


def test_where_the_head_reads_all_blocks_the_best_of_them_counts():
    """Jumping knowledge still has the others where the last one has collapsed."""
    late = reading(representations_ratio_limit=[0.5, 0.1, 0.01, 0.01, 0.001])
    assert Facts.of(late).collapsed
    assert not Facts.of(late, reads_all_blocks=True).collapsed


@pytest.mark.parametrize(
    ("name", "threshold", "fault"),
    [
        ("gradients_mu_plain", EXPANDS, "expands"),
        ("gradients_norm", VANISHES, "vanishes"),
        ("gradients_ratio_limit", SMOOTHED, "smoothed"),
    ],
)
def test_thresholds_stand_where_they_are_said_to(name, threshold, fault):
    """Just short of it the fault is not there, just past it it is; infinity is past, and 0 too."""
    sign = 1 if fault == "expands" else -1
    for factor, there in ((1 - sign * 0.01, False), (1 + sign * 0.01, True)):
        assert getattr(Facts.of(reading(**{name: [threshold * factor, 1, 1, 1, 1]})), fault) is there
    end = reading(representations_ratio_plain=[1, 1, 1, 1, 0.99 * COLLAPSED])
    assert Facts.of(end).collapsed


def test_the_reading_of_a_network_that_overflows():
    """256 attention blocks without a bound: the block is named where torch's own numbers stop being finite."""
    found = zoo.build("smoke/res-gat", ["model.depth=256", "normalizer=none", "probes=none"])
    facts = Facts.of(found.initial)
    assert facts.non_finite is not None
    what, block = facts.non_finite
    norms = found.initial["representations.norm" if what == "output" else "gradients.norm"]
    assert not np.isfinite(norms[block - 1])
    assert np.isfinite(norms[: block - 1] if what == "output" else norms[block:]).all()
