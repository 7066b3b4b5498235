"""Text of unknown origin."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.untrusted.text import escape_controls, first_control


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb", "a\\x0ab"),
        ("\x9b2J\x7f", "\\x9b2J\\x7f"),
        ("a\u202egnp.exe", "a\\u202egnp.exe"),
        ("\ud800", "\\ud800"),
        ("μ(G) – 0.5 日本", "μ(G) – 0.5 日本"),
    ],
)
def test_control_characters_are_written_out(text, shown):
    """What a terminal would obey is seen instead; other letters stay."""
    assert escape_controls(text) == shown


@given(st.text(st.characters()))
def test_nothing_is_left_that_acts(text):
    """Whatever comes in, no control character, half of a pair or turn of direction comes out; and it can be encoded."""
    shown = escape_controls(text)
    shown.encode()
    assert not any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in shown)
    assert first_control(shown) is None


def test_line_ends_are_kept_where_that_is_asked_for():
    """A message has lines of its own."""
    assert escape_controls("a\nb\tc\x1b", keep="\n\t") == "a\nb\tc\\x1b"


def test_the_first_control_character_is_named():
    """Line ends and tabs belong to texts of several lines, and are none."""
    assert first_control("two\nlines\tof text") is None
    assert first_control("a\x00b\x1b") == "\\x00"
