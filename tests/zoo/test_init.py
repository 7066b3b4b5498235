"""The front door: three verbs, and nothing heavy before they are used."""

import subprocess
import sys

import pytest

import zoo


def run(code: str) -> str:
    """What a fresh interpreter prints for that code."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_public_names_are_the_verbs():
    """Each callable, and the version; nothing else is offered."""
    assert zoo.__all__ == ["build", "evaluate", "load", "probe", "probe_run", "train", "train_together"]
    assert dir(zoo) == ["__version__", "build", "evaluate", "load", "probe", "probe_run", "train", "train_together"]
    assert all(callable(getattr(zoo, name)) for name in zoo.__all__)


def test_importing_imports_nothing_heavy():
    """`import zoo` alone brings in neither torch nor dgl nor anything slow."""
    heavy = ("torch", "dgl", "numpy", "pandas", "scipy", "pydantic", "yaml", "rich", "sklearn", "zoo.api")
    assert run(f"import sys, zoo; print([m for m in {heavy!r} if m in sys.modules])") == "[]"


@pytest.mark.parametrize("first", ["import zoo.builder, zoo.recipe.load, zoo.training.trainer", "from zoo import *"])
def test_a_verb_stays_a_verb_whatever_was_imported(first):
    """Submodules of similar names do not take the place of the functions."""
    code = f"{first}\nimport zoo\nprint([callable(getattr(zoo, name)) for name in ('build', 'load', 'train')])"
    assert run(code) == "[True, True, True]"


def test_the_verbs_are_those_of_the_api():
    """The names lead to the functions of zoo.api and zoo.evaluation."""
    from zoo import api, evaluation

    assert (zoo.build, zoo.load, zoo.train) == (api.build, api.load, api.train)
    assert zoo.evaluate is evaluation.evaluate


def test_other_names_are_attribute_errors():
    """A name that is not there is said to be missing from zoo."""
    with pytest.raises(AttributeError, match=r"module 'zoo' has no attribute 'trian'"):
        _ = zoo.trian  # pyright: ignore[reportAttributeAccessIssue]


def test_dgl_can_be_imported_after_zoo():
    """`import zoo` makes a plain `import dgl` work beside this PyTorch, without a warning of ours."""
    assert run("import zoo, warnings; warnings.simplefilter('ignore'); import dgl; print(dgl.__name__)") == "dgl"
