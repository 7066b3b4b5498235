"""Durations in any unit."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from zoo.recipe.fields import Duration, Length, WholeDuration


@pytest.mark.parametrize(
    ("written", "length", "steps"),
    [
        ("10 epochs", Length(10, "epochs"), 50),
        (10, Length(10, "epochs"), 50),
        ("200 steps", Length(200, "steps"), 200),
        ("1 step", Length(1, "steps"), 1),
        ("5%", Length(5, "%"), 20),
        ("0.5 epoch", Length(0.5, "epochs"), 2),
        ("0.01%", Length(0.01, "%"), 1),
    ],
)
def test_every_unit_becomes_steps(written, length, steps):
    """With 5 steps an epoch and 400 in all, each form gives its number of steps, at least one."""
    read = TypeAdapter(Duration).validate_python(written)
    assert read == length
    assert read.steps(steps_per_epoch=5, total=400) == steps


@pytest.mark.parametrize("wrong", ["ten epochs", "-3 epochs", "0", "5 parsecs", True, [1], None, "5 % epochs"])
def test_what_is_no_duration_is_refused(wrong):
    """Words, negatives, zero and unknown units are errors that show the right form."""
    with pytest.raises(ValidationError, match="expected a duration"):
        TypeAdapter(Duration).validate_python(wrong)


def test_a_whole_cannot_be_a_share_of_itself():
    """The length of the training is not given in percent."""
    with pytest.raises(ValidationError, match="whole length in epochs or steps"):
        TypeAdapter(WholeDuration).validate_python("5%")


def test_a_duration_reads_back_from_its_text():
    """What the resolved recipe writes is read as the same duration."""
    for length in (Length(10, "epochs"), Length(200, "steps"), Length(2.5, "%")):
        assert TypeAdapter(Duration).validate_python(str(length)) == length


def test_long_and_fine_durations_read_back_as_written():
    """Neither a million epochs nor a tenth of a percent is rounded or put into a form that is not read."""
    for written in ("1000000 epochs", "1234567 steps", "0.1%", "12.3456789%"):
        length = TypeAdapter(Duration).validate_python(written)
        assert TypeAdapter(Duration).validate_python(str(length)) == length


@pytest.mark.parametrize(
    "wrong",
    [
        "9" * 400 + " epochs",
        "1e9 epochs",
        10**13,
        10**400,
        1e300,
        math.inf,
        math.nan,
        "１０ epochs",
        "1000000000001 steps",
    ],
)
def test_what_no_training_lasts_is_refused(wrong):
    """Numbers that would lose their ends, or never end, are refused when they are read and not when they are used."""
    with pytest.raises(ValidationError, match="expected a duration"):
        TypeAdapter(Duration).validate_python(wrong)


@given(amount=st.floats(min_value=1e-9, max_value=1e12), unit=st.sampled_from(["epochs", "steps", "%"]))
def test_any_amount_reads_back_as_it_was(amount, unit):
    """However small or long, the text is read as the same number, to the last bit."""
    length = Length(amount / 1e10 if unit == "%" else amount, unit)  # a share is at most the whole
    assert TypeAdapter(Duration).validate_python(str(length)) == length
    assert length.steps(steps_per_epoch=7, total=100) >= 1


@given(st.floats(allow_nan=True) | st.integers() | st.text())
def test_anything_is_a_duration_or_refused(value):
    """No number or text gets through that cannot be turned into steps and text."""
    try:
        length = TypeAdapter(Duration).validate_python(value)
    except ValidationError:
        return
    assert 1 <= length.steps(steps_per_epoch=10, total=1000) <= 10**14
    assert TypeAdapter(Duration).validate_python(str(length)) == length
