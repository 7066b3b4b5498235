"""Errors of disks, permissions and memory, with their remedies."""

import errno
import os
import re
from pathlib import Path

import pytest
import torch

from zoo.system.os_errors import asked_for, explained, is_of_the_system, os_error_of, shortage_of


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, r"no space is left there \([\d,.]+ (MB|bytes) free\); make room there$"),
        (errno.EDQUOT, "the quota there is used up; make room there, or ask for more$"),
        (errno.EROFS, "the file system can only be read; name a folder that can be written to$"),
        (errno.EACCES, r"not permitted, as .* is user \w+'s; name a folder of your own"),
        (errno.EIO, r"the device or its connection failed \(Input/output error\); look at the system's log"),
        (errno.ESTALE, "the device or its connection failed"),
        (errno.EMFILE, "too many files are open; raise the limit: ulimit -n$"),
        (errno.EXDEV, "^Invalid cross-device link$"),
    ],
)
def test_each_cause_has_its_remedy(tmp_path, number, said):
    """The sentence says what is wrong, with figures where there are some, and what to do."""
    assert re.search(said, explained(OSError(number, os.strerror(number)), tmp_path))


def test_what_is_in_the_way_is_named(tmp_path):
    """A file where a folder is wanted, a folder where a file is, and what is missing, are found on the way there."""
    (tmp_path / "taken").write_text("")
    with pytest.raises((NotADirectoryError, FileExistsError)) as caught:
        (tmp_path / "taken" / "a" / "b").mkdir(parents=True)
    assert explained(caught.value, tmp_path).startswith(f"{tmp_path}/taken is a file, where a folder is wanted")
    with pytest.raises(IsADirectoryError) as caught:
        tmp_path.write_text("")
    assert explained(caught.value, tmp_path) == "a folder is there, where a file is wanted; move it away"
    with pytest.raises(FileNotFoundError) as caught:
        (tmp_path / "none" / "deeper" / "file").write_text("")
    assert explained(caught.value, Path()).startswith(f"{tmp_path}/none is not there, or no longer; was it moved")
    with pytest.raises(OSError, match="too long") as caught:
        (tmp_path / ("é" * 200)).write_text("")
    assert explained(caught.value, Path()).startswith("a name of 400 bytes is too long for this file system")


def test_errors_of_other_libraries():
    """A full disk is found behind PyTorch's RuntimeError and in the words of safetensors; other errors are none."""
    of_torch = RuntimeError("unexpected pos 704 vs 598")
    of_torch.__context__ = OSError(errno.ENOSPC, "No space left on device")
    found = os_error_of(of_torch)
    assert found is of_torch.__context__
    found = os_error_of(ValueError("Error while serializing: I/O error: No space left on device (os error 28)"))
    assert found is not None and found.errno == errno.ENOSPC
    assert os_error_of(ValueError("shapes differ")) is None


def test_the_system_and_the_program():
    """A refusal of the system's is the user's to mend; a file that is not there may be the program's mistake."""
    assert is_of_the_system(OSError(errno.ENAMETOOLONG, "")) and is_of_the_system(PermissionError(errno.EACCES, ""))
    assert not is_of_the_system(FileNotFoundError(errno.ENOENT, "")) and not is_of_the_system(OSError("no number"))


def test_pytorch_itself():
    """What PyTorch really says when it is asked for more than any machine has."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 55, dtype=torch.uint8)
    assert shortage_of(caught.value) is caught.value
    assert asked_for(caught.value) == 1 << 55


def test_a_cause_counts_and_a_neighbour_does_not():
    """An error that was raised from a lack is one; an error that only came after one is not."""
    outer = ValueError("cannot be read")
    outer.__cause__ = lack = MemoryError()
    assert shortage_of(outer) is lack
    after = ValueError("cannot be read")
    after.__context__ = MemoryError()
    assert shortage_of(after) is None


@pytest.mark.parametrize("error", [RuntimeError("sizes differ"), OSError(errno.ENOSPC, "full"), ValueError("memory")])
def test_others_are_none(error):
    """Neither a bug nor a full disk is a lack of memory."""
    assert shortage_of(error) is None and asked_for(error) is None
