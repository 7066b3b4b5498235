"""Digests of the user's own code behind a recipe."""

import sys

import pytest

from registry import load_plugin, normalizers
from zoo.api import resolve
from zoo.own_code import own_code

PLUGIN = """
from registry import normalizers
from zoo.normalizers.frobenius import Frobenius

def factor():
    import {helper}_later
    from {helper} import FACTOR
    return FACTOR

@normalizers.register("{helper}")
class Mine(Frobenius):
    "Frobenius."
"""


def code_of(name: str, plugins=()) -> list[str]:
    return own_code(resolve("smoke/res-gcn", {"normalizer": name}, None, plugins))


@pytest.fixture
def clean():
    """Names and modules of a test are gone after it."""
    before = set(normalizers.registered()), set(sys.modules)
    yield
    for name in set(normalizers.registered()) - before[0]:
        normalizers.unregister(name)
    for name in {name for name in sys.modules if name.startswith("helper_of_a_test")} - before[1]:
        del sys.modules[name]


def test_shipped_names_have_no_code_of_the_users(clean):
    """The zoo's own files are told by its version."""
    assert code_of("frobenius") == []


def test_modules_without_a_file_count_for_nothing(clean, tmp_path):
    """What is compiled into Python, such as time, is not the user's."""
    (tmp_path / "plugin.py").write_text("import sys, time\n" + PLUGIN.format(helper="helper_of_a_test"))
    load_plugin(tmp_path / "plugin.py")
    assert code_of("helper_of_a_test", [tmp_path / "plugin.py"]) == []


def test_a_plug_in_is_what_was_run(clean, tmp_path):
    """Also when its file is gone, as on the machine that a study sends its content to."""
    text = PLUGIN.format(helper="helper_of_a_test")
    for name in ("plugin.py", "copy.py"):
        (tmp_path / name).write_text(text)
    load_plugin(tmp_path / "plugin.py")
    (tmp_path / "plugin.py").unlink()
    assert code_of("helper_of_a_test", [tmp_path / "copy.py"]) == []


def test_what_a_plug_in_imports_counts(clean, tmp_path, monkeypatch):
    """A module beside a plug-in counts, and what that imports, also where a function imports it later."""
    monkeypatch.syspath_prepend(tmp_path)
    helper = "helper_of_a_test"
    (tmp_path / f"{helper}.py").write_text("from helper_of_a_test_inner import FACTOR\n")
    (tmp_path / f"{helper}_inner.py").write_text("import math, torch\nFACTOR = 1\n")
    (tmp_path / f"{helper}_later.py").write_text("")
    (tmp_path / "plugin.py").write_text(PLUGIN.format(helper=helper) + f"import {helper}\n")
    load_plugin(tmp_path / "plugin.py")
    before = code_of(helper, [tmp_path / "plugin.py"])
    assert len(before) == 3  # the plug-in's own file is counted as a plug-in
    for name in ("_inner", "_later"):
        (tmp_path / f"{helper}{name}.py").write_text("FACTOR = 2\n" + name[1:])
        after = code_of(helper, [tmp_path / "plugin.py"])
        assert after != before
        before = after


def in_a_session(factor: int) -> None:
    """Register what a notebook would: code without a file, a class that calls a function of its own."""
    text = (
        "from zoo.normalizers.frobenius import Frobenius\n"
        f"def factor():\n    return {factor}\n"
        "class Mine(Frobenius):\n    'Frobenius.'\n    def project(self):\n        return factor()\n"
    )
    names = {"__name__": "session_of_a_test"}
    exec(text, names)
    normalizers.unregister("session-of-a-test")
    normalizers.register("session-of-a-test")(names["Mine"])


def test_classes_of_a_session_count_with_what_they_call(clean):
    """The same code again has the same digest; another constant in a function that the class calls has another."""
    found = []
    for factor in (2, 2, 3):
        in_a_session(factor)
        found.append(code_of("session-of-a-test"))
    assert found[0] == found[1] != found[2]
    assert len(found[0]) == 1
