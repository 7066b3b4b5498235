"""The predictions of a part of the data as a file: NumPy's npz, which needs no pickle, or CSV."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from zoo.errors import RunError
from zoo.runs.folder import rename_aside
from zoo.system.files import expanded, replacing
from zoo.system.os_errors import explained
from zoo.untrusted import check_npz

Form = Literal["npz", "csv"]
Arrays = Mapping[str, np.ndarray]


def write_predictions(file: Path, arrays: Arrays, about: Mapping[str, str | float], form: Form = "npz") -> Path | None:
    """Write arrays with one first dimension so that the file is either whole or not there.

    npz: every array under its name, and `about` as arrays without dimensions. csv: a row for each example, a column for
    each array, of two dimensions `name.0`, `name.1`, …; `about` is left out.
    What is in the way and says something else is given the name `….previous-N`, which is returned; a file that says the
    same is left alone.
    Raises: RunError for another form, or if the file cannot be written.
    """
    if form not in get_args(Form):
        raise RunError(f"predictions {file} — no form {form!r} — expected one of: {', '.join(get_args(Form))}")
    content = _npz(arrays, about) if form == "npz" else _csv(arrays).encode()
    try:
        if file.exists() and file.read_bytes() == content:
            return None
        with replacing(file) as stream:
            stream.write(content)
            aside = rename_aside(file, "previous", file.suffix) if file.exists() else None
    except OSError as error:
        raise RunError(
            f"predictions {file} — cannot be written: {explained(error, file)} — expected a file in a writable folder"
        ) from error
    return aside


def read_predictions(file: str | Path) -> dict[str, np.ndarray]:
    """The arrays of an npz file that `write_predictions` wrote. Raises: RunError if it cannot be read."""
    place = expanded(file)
    try:
        with place.open("rb") as stream:
            with zipfile.ZipFile(stream) as archive:
                check_npz(archive, place.stat().st_size)
            stream.seek(0)
            found = np.load(stream, allow_pickle=False)
            return {name: found[name] for name in found.files}
    except Exception as error:  # NumPy and zipfile have several for a broken file
        raise RunError(f"predictions {file} — cannot be read: {error} — expected what 'zoo evaluate' wrote") from error


def _npz(arrays: Arrays, about: Mapping[str, str | float]) -> bytes:
    contents: dict[str, Any] = {**arrays, **{name: np.array(value) for name, value in about.items()}}
    stream = io.BytesIO()
    np.savez(stream, **contents)
    return stream.getvalue()


def _csv(arrays: Arrays) -> str:
    import pandas as pd

    columns: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        if array.ndim == 1:
            columns[name] = array
        else:
            flat = array.reshape(len(array), -1)
            columns |= {f"{name}.{number}": flat[:, number] for number in range(flat.shape[1])}
    return pd.DataFrame(columns).to_csv(index=False, lineterminator="\n")
