"""What is read from outside is read in a few places, each of which refuses to run it; found in the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*ROOT.glob("zoo/**/*.py"), *ROOT.glob("registry/**/*.py")])

# Where each reader of other people's bytes may be called, and with which word.
ALLOWED = {
    "torch.load": {"zoo/datasets/ogb/pickled.py", "zoo/runs/checkpoints.py"},
    "np.load": {"zoo/datasets/archive.py", "zoo/datasets/ogb/parsed.py", "zoo/runs/predictions.py"},
    "yaml.load": {"zoo/recipe/text.py"},
    "pickle.Unpickler": {"zoo/datasets/unpickle.py"},
    "spec.loader.exec_module": {"registry/plugins.py", "zoo/ogb_backend.py"},
    "importlib.import_module": {"registry/core.py", "zoo/dgl_backend.py", "zoo/system/team.py"},
}
WORDS = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}
# What runs or makes anything that it is told to; nowhere.
FORBIDDEN = {
    *("pickle.load", "pickle.loads", "torch.jit.load", "np.fromfile", "joblib.load", "pd.read_pickle", "marshal.loads"),
    *("yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "yaml.safe_load", "shelve.open", "dill.load", "os.system"),
    *("eval", "exec", "compile", "__import__", "subprocess.run", "subprocess.Popen", "tarfile.open", "torch.hub.load"),
    *("shutil.unpack_archive",),
}


def calls(file: Path) -> Iterator[tuple[str, ast.AST, dict[str, ast.expr]]]:
    """Every call and base class in a file: its dotted name, its place, its keyword arguments."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node, {str(word.arg): word.value for word in node.keywords}
        elif isinstance(node, ast.ClassDef):
            for base in node.bases:
                yield ast.unparse(base), node, {}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_readers_stand_where_they_are_guarded(file):
    """Each reader of files is called in its own places alone, and told there to run nothing."""
    place = file.relative_to(ROOT).as_posix()
    for name, node, words in calls(file):
        line = f"{place}:{getattr(node, 'lineno', 0)}: {name}"
        assert name not in FORBIDDEN, line
        if name in ALLOWED:
            assert place in ALLOWED[name], line
        if name in WORDS:
            word, value = WORDS[name]
            assert ast.unparse(words[word]) == str(value), line


def test_the_places_are_there():
    """A place that reads no longer is taken from the list."""
    found = {(name, file.relative_to(ROOT).as_posix()) for file in FILES for name, *_ in calls(file)}
    for name, places in ALLOWED.items():
        assert {(name, place) for place in places} <= found, name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_no_reader_comes_in_by_another_name(file):
    """`from torch import load` would hide what the rule above looks for."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module in ("torch", "numpy", "pickle", "yaml", "os", "subprocess"):
            hidden = {f"{node.module}.{alias.name}" for alias in node.names}
            hidden |= {name.replace("numpy.", "np.") for name in hidden}
            assert not hidden & (FORBIDDEN | set(ALLOWED)), f"{file.name}:{node.lineno}"
