"""What is read from outside is read in a few places, each of which refuses to run it; found in the source."""

import ast
from collections.abc import Iterator

from source import SOURCES, Source

# Where each reader of other people's bytes may be called, and with which word.
ALLOWED = {
    "torch.load": {"zoo/datasets/pickled.py", "zoo/runs/checkpoints.py"},
    "np.load": {"zoo/datasets/readers.py", "zoo/datasets/ogb/raw_arrays.py", "zoo/runs/predictions.py"},
    "yaml.parse": {"zoo/recipe/yaml_text.py"},
    "pickle.Unpickler": {"zoo/datasets/pickled.py"},
    "spec.loader.exec_module": {"registry/plugins.py", "zoo/ogb_backend.py"},
    "importlib.import_module": {
        *(
            "registry/core.py",
            "zoo/dgl_backend.py",
            "zoo/system/team.py",
            "zoo/system/private.py",
            "zoo/engine/kernel_choice.py",
        ),
    },
}
MODULES = ("torch", "numpy", "pickle", "yaml", "os", "subprocess")
WORDS = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}
# What runs or makes anything that it is told to; nowhere.
FORBIDDEN = {
    *("pickle.load", "pickle.loads", "torch.jit.load", "np.fromfile", "joblib.load", "pd.read_pickle", "marshal.loads"),
    *(
        "yaml.load",
        "yaml.unsafe_load",
        "yaml.full_load",
        "yaml.load_all",
        "yaml.safe_load",
        "shelve.open",
        "dill.load",
        "os.system",
    ),
    *("eval", "exec", "compile", "__import__", "subprocess.run", "subprocess.Popen", "tarfile.open", "torch.hub.load"),
    *("shutil.unpack_archive",),
}


def calls(source: Source) -> Iterator[tuple[str, int, dict[str, ast.expr]]]:
    """Every call and base class in a file: its dotted name, its line, its keyword arguments."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno, {str(word.arg): word.value for word in node.keywords}
        elif isinstance(node, ast.ClassDef):
            for base in node.bases:
                yield ast.unparse(base), node.lineno, {}


CALLS = [(source.place, *call) for source in SOURCES for call in calls(source)]


def test_readers_stand_where_they_are_guarded():
    """Each reader of files is called in its own places alone, and none that runs what it reads anywhere."""
    offenders = [
        f"{place}:{line}: {name}"
        for place, name, line, _ in CALLS
        if name in FORBIDDEN or place not in ALLOWED.get(name, {place})
    ]
    assert offenders == []


def test_readers_are_told_to_run_nothing():
    """`weights_only=True`, `allow_pickle=False`, at every call."""
    offenders = [
        f"{place}:{line}: {name}"
        for place, name, line, words in CALLS
        if name in WORDS and (WORDS[name][0] not in words or ast.unparse(words[WORDS[name][0]]) != str(WORDS[name][1]))
    ]
    assert offenders == []


def test_the_places_are_there():
    """A place that reads no longer is taken from the list."""
    found = {(name, place) for place, name, *_ in CALLS}
    assert {(name, place) for name, places in ALLOWED.items() for place in places} - found == set()


def test_no_reader_comes_in_by_another_name():
    """`from torch import load` would hide what the rules above look for."""
    offenders = []
    for source in SOURCES:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ImportFrom) and node.module in (
                "torch",
                "numpy",
                "pickle",
                "yaml",
                "os",
                "subprocess",
            ):
                names = {f"{node.module}.{alias.name}".replace("numpy.", "np.") for alias in node.names}
                offenders += [f"{source.place}:{node.lineno}: {name}" for name in names & (FORBIDDEN | set(ALLOWED))]
    assert offenders == []
