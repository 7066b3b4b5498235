"""What is fuzzed: each takes bytes, and may refuse them in the way that it says, and in no other."""

import io
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Target = Callable[[bytes], None]


@dataclass(frozen=True)
class Fuzzed:
    """A target, and inputs that are right, to begin with."""

    run: Target
    corpus: Callable[[], list[bytes]]


def _scratch() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-"))


def _recipe(data: bytes) -> None:
    """The reader of recipes, and what follows it: whole, checked, written and read again to the same."""
    from zoo.errors import USER_ERRORS
    from zoo.recipe.check import check
    from zoo.recipe.load import load

    file = _SCRATCH / "fuzzed.yaml"
    file.write_bytes(data)
    try:
        found = load(file)
    except USER_ERRORS as error:
        assert "—" in str(error), "a message that says neither what nor where"
        return
    again = check(found.name, found.plain())
    assert again.plain() == found.plain() and again.identity() == found.identity(), (
        "the recipe does not read back to itself"
    )


def _override(data: bytes) -> None:
    """Words after a recipe, one a line."""
    from zoo.errors import USER_ERRORS
    from zoo.recipe.load import load

    words = data.decode("utf-8", "replace").split("\n")[:8]
    try:
        found = load("smoke/res-gcn", [word for word in words if "=" in word or word.startswith("~")])
    except USER_ERRORS as error:
        assert "—" in str(error), "a message that says neither what nor where"
        return
    json.dumps(found.plain())


def _lines(data: bytes) -> None:
    """metrics.jsonl and result.json of a run, as far as they are read."""
    from zoo.errors import RunError
    from zoo.runs.run import Run

    for name in ("metrics.jsonl", "probes.jsonl", "result.json"):
        (_SCRATCH / name).write_bytes(data)
    for read in (lambda run: run.metrics, lambda run: run.probes, repr, lambda run: run.val):
        try:
            read(Run(_SCRATCH))
        except RunError as error:
            assert str(_SCRATCH) in str(error), "a message that does not name the file"


def _state(data: bytes) -> None:
    """state.pt, with which a run goes on."""
    from zoo.errors import RunError
    from zoo.runs import checkpoints as states

    (_SCRATCH / states.STATE).write_bytes(data)
    try:
        states.read(_SCRATCH)
    except RunError as error:
        assert str(_SCRATCH) in str(error), "a message that does not name the file"


def _pickled(data: bytes) -> None:
    """A pickle of numbers, as old data sets have them."""
    from zoo.datasets.pickled import unpickle
    from zoo.datasets.store import Content, SourceFile
    from zoo.errors import DataBroken

    try:
        unpickle(Content(SourceFile("fuzzed"), _SCRATCH / "fuzzed", data), object)
    except DataBroken as error:
        assert str(_SCRATCH) in str(error), "a message that does not name the file"


def _arrays(data: bytes) -> None:
    """An archive of arrays."""
    from zoo.datasets.readers import Archive
    from zoo.datasets.store import Content, SourceFile
    from zoo.errors import DataBroken

    try:
        dict(Archive(Content(SourceFile("fuzzed"), _SCRATCH / "fuzzed", data)))
    except DataBroken as error:
        assert str(_SCRATCH) in str(error), "a message that does not name the file"


def _recipes() -> list[bytes]:
    from zoo.recipe import recipe_files

    return [
        file.read_bytes() for file in recipe_files.shipped().rglob("*.yaml") if recipe_files.STUDIES not in file.parts
    ]


def _overrides() -> list[bytes]:
    words = (
        "model.depth=2",
        "~training.patience",
        "normalizer={name: frobenius, c: auto}",
        "probes=[quick]",
        "seeds=[0, 1]",
    )
    return [word.encode() for word in words] + ["\n".join(words).encode()]


def _rows() -> list[bytes]:
    row: Mapping[str, Any] = {"epoch": 1, "step": 1, "loss": 0.5, "val": None, "weights.c": [0.5, None]}
    result = {
        "recipe": "x",
        "identity": "0",
        "seed": 0,
        "status": "finished",
        "metric": "accuracy",
        "val": 0.5,
        "test": 0.5,
    }
    return [(json.dumps(row) + "\n").encode() * 2, json.dumps(result).encode(), b"[]", b"{}"]


def _states() -> list[bytes]:
    import torch

    from zoo.runs.checkpoints import FORMAT

    made = io.BytesIO()
    torch.save({"format": FORMAT, "step": 1, "weights": {"w": torch.ones(2)}, "lines": {}}, made)
    return [made.getvalue()]


def _pickles() -> list[bytes]:
    import pickle

    import numpy as np
    from scipy.sparse import csr_matrix

    objects = ({0: [1, 2]}, np.eye(2), csr_matrix(np.eye(3, dtype=np.float32)), [1.5, "x", None])
    return [pickle.dumps(each, protocol=protocol) for each in objects for protocol in (0, 2, 4)]


def _npz() -> list[bytes]:
    import numpy as np

    made = io.BytesIO()
    np.savez(made, a=np.arange(3), b=np.eye(2, dtype=np.float32))
    return [made.getvalue()]


_SCRATCH = _scratch()
TARGETS = {
    "recipe": Fuzzed(_recipe, _recipes),
    "overrides": Fuzzed(_override, _overrides),
    "lines": Fuzzed(_lines, _rows),
    "state": Fuzzed(_state, _states),
    "pickle": Fuzzed(_pickled, _pickles),
    "arrays": Fuzzed(_arrays, _npz),
}
