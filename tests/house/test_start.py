"""A training starts with what it uses, and no more."""

import json
import subprocess
import sys

import pytest

# As many modules of ours as a training of a residual GCN may load, and what of others' it does without.
MODULES = 165
NOT_NEEDED = ("dgl", "ogb", "pandas", "networkx", "sklearn", "matplotlib", "scipy.stats", "ray", "optuna")
CODE = """
import json, sys
import zoo
zoo.train("hello", ["training.duration=1", "model.depth=4"], runs=sys.argv[1])
print(json.dumps([name for name, module in sys.modules.items() if module is not None]))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> list[str]:
    """The names of all modules that a process has loaded when it has trained."""
    words = [sys.executable, "-c", CODE, str(tmp_path_factory.mktemp("runs"))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_training_loads_few_modules_of_ours(loaded):
    """A new import at the top of a file that everybody loads is noticed."""
    ours = [name for name in loaded if name.split(".")[0] in ("zoo", "registry")]
    assert len(ours) <= MODULES, "\n".join(sorted(ours))


def test_a_training_waits_for_no_library_that_it_does_without(loaded):
    """DGL is not loaded where compiled loops run, nor what data sets, tables and pictures need."""
    assert [name for name in NOT_NEEDED if name in loaded] == []
