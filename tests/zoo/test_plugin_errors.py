"""Errors that a plug-in's code raises are told as the plug-in's, with its own lines."""

import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from registry import normalizers
from zoo.errors import BuildError, ComponentError
from zoo.normalizers import FeatureNormalizer
from zoo.plugin_errors import told_as_the_plugins

FAILING = '''
import torch
from registry import datasets, normalizers
from zoo.errors import BuildError
from zoo.normalizers import FeatureNormalizer


@normalizers.register("fails")
class Fails(FeatureNormalizer):
    """Fails in a function beside it, which calls PyTorch."""

    def forward(self, graph, x):
        return helper(x)


def helper(x):
    return torch.mm(x, x)


@normalizers.register("later")
class Later(FeatureNormalizer):
    """Fails in training only."""

    seen = 0

    def forward(self, graph, x):
        Later.seen += 1
        return x if Later.seen < 20 else x / undefined


@normalizers.register("wide")
class Wide(FeatureNormalizer):
    """Has words of its own."""

    def __init__(self, width):
        raise BuildError("normalizer.wide — too wide — expected less")

    def forward(self, graph, x):
        return x


@datasets.register("lost")
def lost(store):
    """Reads a file that is not there."""
    return open("edges.csv")
'''


@pytest.fixture
def plugin(tmp_path: Path) -> str:
    """A plug-in file whose components fail."""
    file = tmp_path / "failing.py"
    file.write_text(FAILING)
    return str(file)


def test_an_exception_names_component_file_and_line(plugin: str):
    """The message has the component, the innermost line of the file, the exception, and the file's frames alone."""
    with pytest.raises(ComponentError) as found:
        zoo.build("smoke/res-gcn", ["normalizer=fails"], plugins=[plugin])
    first, *frames = str(found.value).splitlines()
    assert first.startswith(f"normalizer fails ({plugin}:17) — RuntimeError: mat1 and mat2")
    assert [frame.strip() for frame in frames] == [
        f"{plugin}:13 in forward: return helper(x)",
        f"{plugin}:17 in helper: return torch.mm(x, x)",
    ]
    assert isinstance(found.value.__cause__, RuntimeError)


def test_it_is_told_in_training_and_of_functions_too(plugin: str, tmp_path: Path):
    """A normaliser that fails after some steps, and a data set whose file is not there, are named alike."""
    with pytest.raises(ComponentError, match=r"normalizer later .*failing\.py:28\) — NameError: name 'undefined'"):
        zoo.train("smoke/res-gcn", ["normalizer=later"], plugins=[plugin], runs=tmp_path)
    with pytest.raises(ComponentError, match=r"data set lost .*failing\.py:\d+\) — FileNotFoundError"):
        zoo.train("smoke/res-gcn", ["dataset=lost"], plugins=[plugin], runs=tmp_path)


def test_words_of_their_own_are_kept(plugin: str):
    """A mistake of the user's that a plug-in raises itself is passed on as it is."""
    with pytest.raises(BuildError, match=r"^normalizer\.wide — too wide"):
        zoo.build("smoke/res-gcn", ["normalizer=wide"], plugins=[plugin])


def test_a_class_that_a_program_registers_is_a_plugin_too():
    """Without a file that was loaded, a registered class is told by its methods."""

    @normalizers.register("fails-here")
    class FailsHere(FeatureNormalizer):
        """Fails."""

        def forward(self, graph, x):
            raise KeyError("mine")

    try:
        with pytest.raises(ComponentError, match=r"normalizer fails-here .*test_plugin_errors\.py:\d+\) — KeyError"):
            zoo.build("smoke/res-gcn", ["normalizer=fails-here"])
    finally:
        normalizers.unregister("fails-here")


def test_what_no_plugin_had_a_part_in_keeps_its_trace():
    """A bug of the zoo's is not changed, and neither are a lack of memory and a reader who has gone."""
    for error in (KeyError("zoo"), MemoryError(), BrokenPipeError()):
        with pytest.raises(type(error)) as found, told_as_the_plugins():
            raise error
        assert found.value is error


def test_the_command_ends_with_2_and_without_our_trace(plugin: str, tmp_path: Path):
    """`zoo train` prints the message alone."""
    words = ["-m", "zoo", "train", "smoke/res-gcn", "normalizer=fails", "--plugin", plugin, "-q"]
    ended = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 2 and "Traceback" not in ended.stderr
    assert ended.stderr.startswith("error: normalizer fails (failing.py:17) — RuntimeError")
