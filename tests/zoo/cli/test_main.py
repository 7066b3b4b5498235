"""The command as a whole: quick to answer, clear when wrong."""

import resource
import signal
import sys

import pytest

from zoo.cli import main
from zoo.system.stop import Interrupted, Terminated, terminate


def children_seconds() -> float:
    """What processes that have ended took of a processor, however busy the machine is."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
    began = children_seconds()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip().endswith("[]")
    assert done.stdout.strip()
    assert children_seconds() - began < 6, "ten times the promise, for a slow machine"


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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "hello", "a.b=c d"], "to resume: zoo train hello 'a.b=c d' --resume"),
        (["train", "hello", "--resume"], "to resume: zoo train hello --resume\n"),
        (["study", "run", "hello"], "to resume: zoo study run hello\n"),
    ],
)
@pytest.mark.parametrize(
    ("error", "code", "how"), [(Interrupted, 130, "interrupted"), (Terminated, 143, "ended by SIGTERM")]
)
def test_what_was_saved_is_said_with_the_command_that_goes_on(monkeypatch, capsys, words, said, error, code, how):
    """The state, its folder, and the same command, so that it can be copied; also if typer catches the error."""

    def interrupted():
        left = error("the state after step 3 of 9 is saved")
        left.path = "runs/x"
        if isinstance(left, SystemExit):
            raise left
        try:
            raise left
        except KeyboardInterrupt as caught:
            raise SystemExit(130) from caught

    monkeypatch.setattr(main, "app", interrupted)
    monkeypatch.setattr(sys, "argv", ["zoo", *words])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == code
    err = capsys.readouterr().err
    assert f"{how}: the state after step 3 of 9 is saved in runs/x\n" in err and said in err


def test_sigterm_is_left_as_it_was(monkeypatch):
    """The handler of the command is there while it runs, and only then."""
    seen = []
    monkeypatch.setattr(main, "app", lambda: seen.append(signal.getsignal(signal.SIGTERM)))
    before = signal.getsignal(signal.SIGTERM)
    main.main()
    assert seen == [terminate] and signal.getsignal(signal.SIGTERM) is before


def test_an_error_shows_no_control_characters(zoo_here, tmp_path):
    """What is said of a file may hold its name; a terminal is not to obey it."""
    name = "a\x1b[31mb.yaml"
    (tmp_path / name).write_text("extends: hello\n")
    done = zoo_here("validate", name)
    assert done.code == 2
    assert "\x1b" not in done.err
    assert "\\x1b[31mb" in done.err


@pytest.mark.parametrize("words", [["evaluate"], ["compare"], ["plot"]], ids=" ".join)
def test_a_refusal_of_the_system_is_no_trace(words, monkeypatch, capsys):
    """A name that no file system takes is the user's to mend, wherever it is used."""
    monkeypatch.setattr(sys, "argv", ["zoo", *words, "x" * 300])
    with pytest.raises(SystemExit) as left:
        main.main()
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and "Traceback" not in said
