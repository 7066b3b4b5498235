"""Names that become folders and files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.untrusted.names import as_file_name, check_name


@pytest.mark.parametrize("name", ["hello", "smoke/res-gcn", "a.b_c", "…", "日本", "-x", "a" * 200])
def test_names_that_stay_are_let_pass(name):
    """Words, parts with a slash between them, letters of any script."""
    check_name(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../x", "leave its folder"),
        ("a/../../x", "leave its folder"),
        ("/etc/x", "leave its folder"),
        ("..", "leave its folder"),
        (".", "leave its folder"),
        ("", "leave its folder"),
        ("a//b", "leave its folder"),
        ("a\\b", "leave its folder"),
        ("a\x00b", r"control character \\x00"),
        ("a\nb", "control character"),
        ("a\x1b[0m", r"control character \\x1b"),
        ("a" * 201, "too long"),
        ("日" * 100, "too long"),
    ],
)
def test_names_that_would_leave_are_refused(name, words):
    """Each with its reason, and what a name is made of."""
    with pytest.raises(ValueError, match=words):
        check_name(name)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_name_that_passes_stays_in_its_folder(name):
    """Whatever the name: it is refused, or its place is below the folder that it is put into."""
    try:
        check_name(name)
    except ValueError:
        return
    place = Path("/runs") / name
    assert Path("/runs") in place.parents
    assert ".." not in place.parts


@given(st.text(st.characters()))
def test_any_text_becomes_a_file_name(text):
    """One part, not empty, short enough, hidden from nobody."""
    name = as_file_name(text)
    assert Path(name).parts == (name,)
    assert name not in (".", "..")
    assert len(name.encode()) <= 200
