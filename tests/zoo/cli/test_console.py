"""Output of the verbs."""

from pathlib import Path

import pytest
from rich.table import Table

from zoo.cli.console import print_table, say_left_out
from zoo.errors import RunError


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch):
    """Nothing in the environment makes rich believe in a terminal, or changes its width."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


def test_a_table_goes_to_standard_output_only(capsys):
    """Wide enough to be whole where it is no terminal, without control characters."""
    made = Table("recipe", "test")
    made.add_row("smoke/res-gcn" * 10, "0.823 ± 0.007 (3)")
    print_table(made)
    out, err = capsys.readouterr()
    assert err == ""
    assert "smoke/res-gcn" * 10 in out and "0.823 ± 0.007 (3)" in out
    assert all(character.isprintable() or character == "\n" for character in out)


def test_runs_that_are_left_out_are_named(capsys):
    """Each with its error, if others are done; else the first error is the command's."""
    left: list[tuple[Path, Exception]] = [(Path("a"), RunError("broken")), (Path("b"), RunError("torn"))]
    say_left_out(left, ["done"])
    assert capsys.readouterr() == ("", "left out: a: broken\nleft out: b: torn\n")
    with pytest.raises(RunError, match="broken"):
        say_left_out(left, [])
