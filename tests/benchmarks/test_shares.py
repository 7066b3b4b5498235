"""The shares: each part keeps to its time, and says how many rounds its figures are of."""

import argparse

import pytest

import probe_overhead
import shares
import study_throughput
from compared import rounds as clock


@pytest.fixture
def given(tmp_path):
    """Options as the command line gives them; a look at the clock takes a second."""
    return argparse.Namespace(
        what=["studies"], recipe="smoke/res-gcn", rounds=15, budget=1.5, threads=1, out=tmp_path / "shares"
    )


@pytest.fixture(autouse=True)
def ticking(monkeypatch):
    """Each look at the rounds' clock is a second later than the one before."""
    monkeypatch.setattr(clock.time, "perf_counter", iter(range(1000)).__next__)


def test_studies_take_turns_within_their_time(given, monkeypatch):
    """Who is first changes with each round, no round begins after the budget, and the ratio has its quartiles."""
    order: list[str] = []
    monkeypatch.setattr(study_throughput, "sequential", lambda *_: order.append("alone") or 3.0)
    monkeypatch.setattr(study_throughput, "study", lambda *_: order.append("study") or 2.0)
    said: list[str] = []
    found = shares.studies(given, said.append)
    assert order == ["alone", "study", "study", "alone", "alone", "study"]
    assert said[:3] == ["round 1, alone", "round 1, study", "round 2, study"]
    assert found["ratio"] == [1.5, 1.5, 1.5]
    given.budget = 0.0
    assert len(shares.studies(given, said.append)["alone"]) == 2


def test_the_memory_of_probes_is_measured_in_turns(monkeypatch):
    """A process of each case in each round, three rounds at most, one at least."""
    order: list[str] = []
    monkeypatch.setattr(probe_overhead, "_peak", lambda recipe, case: order.append(case) or 100.0)
    found = probe_overhead.peaks("hello", 100.0)
    assert order == [*probe_overhead.CASES] * 3
    assert found["deep"] == [100.0] * 3
    assert len(probe_overhead.peaks("hello", 0.0)["none"]) == 1


def test_the_page_says_how_many_rounds_there_were(given, monkeypatch, capsys):
    """Figures of parts that are measured are shown with their rounds; the files lie where they were asked for."""
    monkeypatch.setattr(probe_overhead, "times", lambda *_: {case: [1.0, 1.1, 1.2] for case in probe_overhead.CASES})
    monkeypatch.setattr(probe_overhead, "peaks", lambda *_: {case: [100.0, 110.0] for case in probe_overhead.CASES})
    given.what = ["probes"]
    shares.measure(given)
    written = given.out.with_suffix(".md").read_text()
    assert "| deep | 1.100 × (1.050–1.150) | 105 MiB, 1.000 × |" in written
    assert "Median and quartiles of 3 rounds. Memory: the median of 2 processes each." in written
    assert given.out.with_suffix(".json").exists()
    assert written in capsys.readouterr().out
