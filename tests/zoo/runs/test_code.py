"""The code that computed a run."""

import re

import pytest

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


@pytest.mark.parametrize("way", ["branch", "packed", "detached", "worktree"])
def test_the_commit_is_what_git_says(way, tmp_path, monkeypatch):
    """HEAD is a branch, one that git has packed, a commit itself, or a branch of a worktree, which lies elsewhere."""
    commit, top, git = "12ab" * 10, tmp_path / "top", tmp_path / "top" / ".git"
    if way == "worktree":
        top.mkdir()
        git.write_text(f"gitdir: {tmp_path / 'main' / 'worktrees' / 'top'}\n")
        git = tmp_path / "main" / "worktrees" / "top"
    git.mkdir(parents=True)
    (git / "HEAD").write_text(f"{commit}\n" if way == "detached" else "ref: refs/heads/own\n")
    if way == "worktree":
        (git / "commondir").write_text("../..\n")
    if way == "packed":
        (git / "packed-refs").write_text(f"# pack-refs with: peeled\n{commit} refs/heads/own\n")
    elif way != "detached":
        heads = (tmp_path / "main" if way == "worktree" else git) / "refs" / "heads"
        heads.mkdir(parents=True)
        (heads / "own").write_text(f"{commit}\n")
    monkeypatch.setattr(module, "_ROOT", top)
    assert module._commit() == commit


def test_without_git_there_is_no_commit(tmp_path, monkeypatch):
    """An installed package has its digest alone."""
    monkeypatch.setattr(module, "_ROOT", tmp_path)
    assert module._commit() is None
