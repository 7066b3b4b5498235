"""The state saved last, and the one before it."""

import os

import pytest
import torch

from zoo.errors import RunError
from zoo.runs import checkpoints as states


def test_a_bit_that_is_turned_is_noticed_or_harmless(tmp_path):
    """Wherever a byte is damaged, what is read is the state as it was saved, or the one before with a reason."""
    older, newer = ({"step": step, "weights": torch.full((8,), float(step))} for step in (1, 2))
    states.save(tmp_path, older)
    states.save(tmp_path, newer)
    whole = (tmp_path / states.STATE).read_bytes()
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        (tmp_path / states.STATE).write_bytes(damaged)
        found = states.read(tmp_path)
        assert found is not None
        state, name, wrong = found
        expected = older if wrong else newer
        assert state["step"] == expected["step"] and torch.equal(state["weights"], expected["weights"]), place
        assert name == (states.PREVIOUS if wrong else states.STATE)


def test_between_its_two_names_the_older_state_is_read(tmp_path, monkeypatch):
    """A kill after the older state made room, before the newer one has its name, costs the newer one alone."""
    states.save(tmp_path, {"step": 1})
    replace, calls = os.replace, []

    def once(source, target):
        calls.append(target)
        if len(calls) == 2:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", once)
    with pytest.raises(KeyboardInterrupt):
        states.save(tmp_path, {"step": 2})
    assert states.read(tmp_path) == ({"step": 1}, states.PREVIOUS, "")


def test_a_state_of_another_form_is_refused(tmp_path):
    """What an older version saved lacks what this one needs; it is not guessed."""
    torch.save({"step": 1}, tmp_path / states.STATE)
    with pytest.raises(RunError, match=r"state\.pt .* another version of the zoo .* without --resume"):
        states.read(tmp_path)


def test_nothing_saved_is_no_error(tmp_path):
    """A run that was killed before its first save has no state."""
    assert states.read(tmp_path) is None
