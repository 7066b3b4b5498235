"""The command as a whole: quick to answer, clear when wrong."""

import sys
import time

import pytest

from zoo.cli import main


@pytest.mark.parametrize("words", [["--help"], ["list"], ["list", "normalizers"], ["train", "--help"]], ids=" ".join)
def test_help_and_listings_answer_without_torch(words):
    """Neither torch nor dgl nor pandas is imported for help and listings, which keeps them under 0.6 s."""
    import subprocess

    code = (
        f"import sys; sys.argv = ['zoo', *{words!r}]\n"
        "from zoo.cli.main import app\n"
        "try:\n    app()\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('torch', 'dgl', 'pandas', 'numpy') if m in sys.modules], file=sys.stderr)"
    )
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip().endswith("[]")
    assert done.stdout.strip()
    assert time.perf_counter() - began < 6, "ten times the promise, for a loaded machine"


def test_a_mistake_is_one_message_and_exit_code_2(zoo):
    """Seven mistakes in one recipe are seven lines on standard error, without a trace."""
    done = zoo(
        "train",
        "hello",
        "modle.depth=3",
        "model.depht=3",
        "model.width=0",
        "normalizer=frobenus",
        "training.duration=ten",
        "split=randm",
        "~clip",
    )
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert lines[0] == "error: recipe hello — 7 problems:"
    assert len(lines) == 8
    assert "Traceback" not in done.stderr


def test_an_unknown_verb_or_option_is_exit_code_2(zoo):
    """What typer refuses has the same exit code."""
    assert zoo("trian", "hello").returncode == 2
    assert zoo("train", "hello", "--sedes", "3").returncode == 2


def test_a_bug_keeps_its_trace(monkeypatch, capsys):
    """An error that is not the user's is not hidden."""
    monkeypatch.setattr(main, "app", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main.main()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(130)], ids=["raised", "made by typer"])
def test_interruption_is_said_and_has_its_code(monkeypatch, capsys, error):
    """Ctrl-C ends with 130 and a word on what is kept."""

    def interrupted():
        raise error

    monkeypatch.setattr(main, "app", interrupted)
    with pytest.raises(SystemExit) as left:
        main.main()
    assert left.value.code == 130
    assert "interrupted" in capsys.readouterr().err
