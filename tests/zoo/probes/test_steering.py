"""`c: adaptive`: the bound follows the gradient, is recorded, and can be somebody else's."""

import json
import math
from typing import Any

import numpy as np
import pytest
import torch

import zoo
from registry import controllers
from zoo.errors import BuildError
from zoo.probes.reading import Reading
from zoo.probes.similarity import Similarity
from zoo.probes.snapshot import snapshot
from zoo.probes.steering import LARGEST, SMALLEST, Band, Controller, steer
from zoo.recipe.fields import Length

ADAPTIVE = {"name": "frobenius", "c": {"name": "adaptive", "every": "1 step"}}


def reading(growth: float, depth: int = 5) -> Reading:
    """A profile that grows by `growth` from the last block to the first."""
    share = np.linspace(1, 0, depth)
    return Reading(
        {"gradients.mu.plain": growth**share, "expansion_rate.plain": np.array(math.log(growth) / (depth - 1))}
    )


@pytest.mark.parametrize(
    ("growth", "factor"),
    [(1.0, 1.0), (1.09, 1.0), (1.2, (1.1 / 1.2) ** 0.5), (100.0, math.exp(-0.05)), (0.01, math.exp(0.05))],
)
@pytest.mark.parametrize("per", ["network", "block"])
def test_band_moves_c_against_the_excess(growth, factor, per):
    """Nothing inside the band; outside, gain × excess on a log scale, and never more than `largest`."""
    moved = Band(per=per).move(reading(growth), np.full(5, 0.5))
    np.testing.assert_allclose(moved, 0.5 * max(factor, math.exp(-0.05)), rtol=1e-12)


def test_each_block_is_moved_by_its_own_growth():
    """With per=block only the block that stretches the gradient is bound more tightly."""
    mu = np.array([8.0, 8.0, 2.0, 2.0, 2.0])  # block 3 takes G_3 = 2 to G_2 = 8
    profile = Reading({"gradients.mu.plain": mu, "expansion_rate.plain": np.array(0.4)})
    c = Band(per="block").move(profile, np.ones(5))
    assert np.argmin(c[1:]) + 1 == 2
    np.testing.assert_array_equal(c[[1, 3, 4]], 1.0)


@pytest.mark.parametrize("per", ["network", "block"])
def test_profiles_that_cannot_be_read_move_nothing(per):
    """Gradients of zero or NaN, and a single block, leave c where it is."""
    for profile, depth in (
        (Reading({"gradients.mu.plain": np.ones(1)}), 1),
        (Reading({"gradients.mu.plain": np.zeros(3)}), 3),
    ):
        np.testing.assert_array_equal(Band(per=per).move(profile, np.full(depth, 0.5)), 0.5)


@pytest.mark.parametrize("mode", ["reparametrize", "project"])
@pytest.mark.parametrize("heads", [1, 2])
def test_steer_writes_what_the_controller_says(mode, heads):
    """The bounds of every matrix are moved, and the effective matrices have them as their norms."""

    class Halve(Controller):
        def move(self, reading: Reading, c: np.ndarray) -> np.ndarray:
            return c / 2

    normalizer = {"name": "frobenius", "c": 0.8, "mode": mode}
    built = zoo.build("smoke/res-gat", {"normalizer": normalizer, "model.conv": {"heads": heads}})
    steer(Halve(), built.network, built.initial)
    matrices, normalization = built.network.block_matrices(), built.network.normalization
    assert normalization is not None
    effective = matrices if mode == "project" else normalization(matrices)
    for matrix in effective.values():
        torch.testing.assert_close(matrix.norm(dim=(-2, -1)), torch.full(matrix.shape[:-2], 0.4))


@pytest.mark.parametrize("per", ["network", "block"])
def test_a_network_that_expands_is_brought_into_the_band(per):
    """From a c that is too large by far, some tens of steps lead back into the band, and into the record."""
    built = zoo.build("smoke/res-gcn", {"model.depth": 24, "normalizer": {"name": "frobenius", "c": 4.0}})
    band = Band(per=per, largest=0.1)

    def measured() -> Reading:
        return snapshot(
            built.network, band.probes(), lambda: built.task.loss(built.network.train(), next(built.task.batches(0)))
        )

    before = math.exp(measured().number("expansion_rate.plain") * 23)
    for _ in range(60):
        steer(band, built.network, measured())
    after = math.exp(measured().number("expansion_rate.plain") * 23)
    assert before > 3
    assert 0.85 < after < 1.15


def test_adaptive_is_calibrated_recorded_and_loaded(tmp_path):
    """C starts at the calibrated value, moves in probes.jsonl, and comes back with the weights."""
    changes = {"normalizer": ADAPTIVE, "training.duration": 12, "optimizer.lr": 0.05, "model.depth": 12}
    run = zoo.train("smoke/res-gcn", changes, runs=tmp_path)
    cs = [row["weights.c"][0] for row in run.probes]
    assert cs[0] == pytest.approx(run.result["c"], rel=1e-5)
    assert len(set(cs)) > 1
    network = zoo.load(run.path)
    low, high = run.result["c_range"]
    assert all(low <= float(c.max()) <= high for _, c in network.bounds())


@pytest.mark.parametrize("per", ["network", "block"])
def test_a_broken_off_adaptive_run_resumes_bitwise(tmp_path, per):
    """Bounds, averages and probes go on from the saved state as if nothing had happened."""
    changes = {
        "normalizer": {"name": "frobenius", "c": {"name": "adaptive", "every": "1 step", "per": per, "low": 1.09}},
        "training.duration": 10,
        "training.save": "1 epoch",
        "model.dropout": 0.5,
        "model.depth": 12,
        "optimizer.lr": 0.05,
    }
    whole = zoo.train("smoke/res-gcn", changes, runs=tmp_path / "whole")

    class Stop:
        def __init__(self, after: int) -> None:
            self.after = after

        def measured(self, row: Any) -> None:
            if row["step"] == self.after:
                raise KeyboardInterrupt

        def probed(self, row: dict) -> None:
            pass

    with pytest.raises(KeyboardInterrupt):
        zoo.train("smoke/res-gcn", changes, runs=tmp_path / "broken", watch=lambda built: Stop(6))
    resumed = zoo.train("smoke/res-gcn", changes, runs=tmp_path / "broken", resume=True)
    assert resumed.probes == whole.probes
    assert (resumed.path / "model.safetensors").read_bytes() == (whole.path / "model.safetensors").read_bytes()
    assert len({json.dumps(row["weights.c"]) for row in whole.probes}) > 1


def test_a_plug_in_brings_its_own_controller(tmp_path):
    """A class of a few lines, registered by name, is what c names; its options are checked."""

    @controllers.register("shrink")
    class Shrink(Controller):
        """c shrinks by a factor each time."""

        def __init__(self, *, factor: float = 0.9) -> None:
            super().__init__(every=Length(1, "steps"))
            self.factor = factor

        def move(self, reading: Reading, c: np.ndarray) -> np.ndarray:
            return c * self.factor

    run = zoo.train(
        "smoke/res-gcn", {"normalizer": {"name": "frobenius", "c": {"shrink": {"factor": 0.5}}}}, runs=tmp_path
    )
    cs = [row["weights.c"][0] for row in run.probes]
    np.testing.assert_allclose(np.diff(np.log2(cs)), -1, rtol=1e-5)


def test_two_controllers_are_refused():
    """They would pull at one gradient from two sides."""
    with pytest.raises(BuildError, match="2 normalisers have a controller"):
        zoo.build("smoke/res-gcn", {"normalizer": [ADAPTIVE, {**ADAPTIVE, "name": "spectral"}]})


def test_steering_probes_are_enough_for_the_band():
    """What `Band` reads is what its probes measure, on a real network."""
    built = zoo.build("smoke/res-gcn")
    found = snapshot(
        built.network, Band().probes(), lambda: built.task.loss(built.network.train(), next(built.task.batches(0)))
    )
    assert {"gradients.mu.plain", "expansion_rate.plain"} <= set(found)
    assert any(isinstance(probe, Similarity) for probe in Band().probes())


@pytest.mark.parametrize("factor", [1e-200, 1e200, 0.0, math.inf])
def test_a_bound_that_is_moved_for_ever_stays_a_number(factor):
    """A controller that only lowers or only raises c ends at a bound of its own, not at 0, infinity or NaN."""

    class Always(Controller):
        def move(self, reading, c):
            return c * factor

    network = zoo.build("smoke/res-gcn").network
    for _ in range(3):
        steer(Always(), network, Reading({}))
    ((_, c),) = network.bounds()
    assert c.isfinite().all() and (c > 0).all()
    torch.testing.assert_close(c, torch.full_like(c, SMALLEST if factor < 1 else LARGEST))


def test_a_band_is_between_two_numbers():
    """A controller with its ends the wrong way round would move c without end."""
    with pytest.raises(BuildError, match=r"low 3.* high 1.* expected low below high"):
        Band(low=3.0, high=1.0)
