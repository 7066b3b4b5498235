"""The code that computed a run."""

import re
import subprocess

from zoo.runs import code as module
from zoo.runs.code import code, other_code
from zoo.runs.record import Environment


def test_the_code_has_a_digest_and_a_commit_if_there_is_git():
    """Sixteen hex digits of the source files, and git's forty of a checkout."""
    found = code()
    assert re.fullmatch("[0-9a-f]{16}", found["code"])
    assert found["commit"] is None or re.fullmatch("[0-9a-f]{40}", found["commit"])


def test_a_record_of_this_code_needs_no_word():
    """The same files are the same code, whatever the commit; others are named by commit, else by digest."""
    assert other_code(Environment(**{**code(), "commit": "another"})) is None
    assert other_code(Environment(code="0" * 16, commit="1234567890abcdef")) == "other code, commit 1234567890"
    assert other_code(Environment(code="0" * 16)) == "other code, 0000000000000000"
    assert other_code(Environment()) == "code of a version that did not note which"


def test_the_commit_is_what_git_says(tmp_path, monkeypatch):
    """HEAD of the checkout that the package lies in; of a package inside another repository there is none."""

    def git(*words: str) -> str:
        own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", "-C", tmp_path, *own, *words], check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    monkeypatch.setattr(module, "_ROOT", tmp_path.resolve())
    assert module._commit() == git("rev-parse", "HEAD").strip()
    (tmp_path / "site-packages").mkdir()
    monkeypatch.setattr(module, "_ROOT", (tmp_path / "site-packages").resolve())
    assert module._commit() is None


def test_without_git_there_is_no_commit(tmp_path, monkeypatch):
    """An installed package has its digest alone."""
    monkeypatch.setattr(module, "_ROOT", tmp_path)
    assert module._commit() is None
