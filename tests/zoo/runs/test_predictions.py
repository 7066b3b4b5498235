"""Prediction files: whole, without pickle, and never over something else."""

import csv
import zipfile

import numpy as np
import pytest

from zoo.errors import RunError
from zoo.runs.predictions import read_predictions, write_predictions

ARRAYS = {
    "node": np.array([3, 1, 2]),
    "output": np.array([[0.1, -2.5], [float("nan"), 1e-30], [3.0, 4.0]], dtype=np.float32),
}
ABOUT = {"metric": "accuracy", "metric_value": 0.25}


def test_numpy_reads_the_file_without_pickle(tmp_path):
    """Every array as it was, and what is said about them."""
    file = tmp_path / "p.npz"
    assert write_predictions(file, ARRAYS, ABOUT) is None
    with np.load(file, allow_pickle=False) as found:
        assert set(found.files) == {*ARRAYS, *ABOUT}
        for name, array in ARRAYS.items():
            assert np.array_equal(found[name], array, equal_nan=array.dtype.kind == "f")
            assert found[name].dtype == array.dtype
        assert (str(found["metric"]), float(found["metric_value"])) == ("accuracy", 0.25)
    assert zipfile.ZipFile(file).testzip() is None
    assert read_predictions(file)["node"].tolist() == [3, 1, 2]


def test_csv_has_a_row_for_each_example(tmp_path):
    """Columns of matrices are numbered; a number is read back as it was."""
    file = tmp_path / "p.csv"
    write_predictions(file, ARRAYS, ABOUT, "csv")
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert list(rows[0]) == ["node", "output.0", "output.1"]
    assert [row["node"] for row in rows] == ["3", "1", "2"]
    back = [[np.float32(row[f"output.{column}"] or "nan") for column in (0, 1)] for row in rows]
    assert np.array_equal(back, ARRAYS["output"], equal_nan=True)


@pytest.mark.parametrize("form", ["npz", "csv"])
def test_the_same_again_changes_nothing(form, tmp_path):
    """Written twice there is one file, whose time has not changed."""
    file = tmp_path / f"p.{form}"
    write_predictions(file, ARRAYS, ABOUT, form)
    before = file.stat().st_mtime_ns
    assert write_predictions(file, ARRAYS, ABOUT, form) is None
    assert (file.stat().st_mtime_ns, [path.name for path in tmp_path.iterdir()]) == (before, [file.name])


def test_something_else_is_moved_aside(tmp_path):
    """What was there keeps its content under a name of its own, twice over."""
    file = tmp_path / "p.npz"
    for number in (1, 2, 3):
        aside = write_predictions(file, {"node": np.array([number])}, {})
        assert aside == (None if number == 1 else tmp_path / f"p.previous-{number - 1}.npz")
    nodes = [read_predictions(tmp_path / name)["node"].item() for name in ("p.previous-1.npz", "p.previous-2.npz")]
    assert (nodes, read_predictions(file)["node"].item()) == ([1, 2], 3)


def test_what_cannot_be_written_or_read_is_a_mistake(tmp_path):
    """A folder that is not there, a form that there is not, and a file that is no archive; nothing is left behind."""
    with pytest.raises(RunError, match=r"cannot be written: .*none is not there"):
        write_predictions(tmp_path / "none" / "p.npz", ARRAYS, ABOUT)
    with pytest.raises(RunError, match=r"no form 'xls' — expected one of: npz, csv"):
        write_predictions(tmp_path / "p.xls", ARRAYS, ABOUT, "xls")  # pyright: ignore[reportArgumentType]
    assert not list(tmp_path.iterdir())
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(RunError, match=r"bad.npz — cannot be read"):
        read_predictions(tmp_path / "bad.npz")


def test_links_are_not_written_through(tmp_path):
    """Neither a link in the place of the draft nor one in that of the file changes what it points to."""
    other = tmp_path / "precious"
    other.write_text("kept")
    for name in ("p.npz", "p.npz.part"):
        (tmp_path / name).symlink_to(other)
    write_predictions(tmp_path / "p.npz", {"a": np.arange(3)}, {})
    assert other.read_text() == "kept"
    assert not (tmp_path / "p.npz").is_symlink()


def test_an_array_that_claims_more_than_is_there_is_refused(tmp_path):
    """A file of predictions from elsewhere asks for no memory that it has no bytes for."""
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}".ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "p.npz", "w") as made:
        made.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(8))
    with pytest.raises(RunError, match="claims the shape"):
        read_predictions(tmp_path / "p.npz")
