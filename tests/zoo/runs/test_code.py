"""The code that computed a run."""

import re

from zoo.runs.code import code, other_code


def test_the_code_has_a_digest_and_a_commit_if_there_is_git():
    """Sixteen hex digits of the source files, and git's forty of a checkout."""
    found = code()
    assert re.fullmatch("[0-9a-f]{16}", found["code"])
    assert found["commit"] is None or re.fullmatch("[0-9a-f]{40}", found["commit"])


def test_a_record_of_this_code_needs_no_word():
    """The same files are the same code, whatever the commit; others are named by commit, else by digest."""
    assert other_code({**code(), "commit": "another"}) is None
    assert other_code({"code": "0" * 16, "commit": "1234567890abcdef"}) == "other code, commit 1234567890"
    assert other_code({"code": "0" * 16, "commit": None}) == "other code, 0000000000000000"
    assert other_code({}) == "code of a version that did not note which"
