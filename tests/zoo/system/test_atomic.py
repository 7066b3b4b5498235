"""A file is whole or not there."""

import os
from pathlib import Path

import pytest

from zoo.system.atomic import drafted, replacing


def test_a_break_half_way_leaves_what_was_there(tmp_path):
    """The older content stays whole; the draft that is left is no obstacle to the next attempt."""
    file = tmp_path / "file"
    file.write_text("old")
    with pytest.raises(ValueError, match="half way"), replacing(file) as stream:
        stream.write(b"ne")
        raise ValueError("half way")
    assert file.read_text() == "old"
    with replacing(file) as stream:
        stream.write(b"new")
    assert file.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_the_content_is_on_the_disk_before_the_name(tmp_path, monkeypatch):
    """The draft is forced out, then named, then the folder is forced out: also a power cut leaves one or the other."""
    calls = []
    fsync, replace = os.fsync, os.replace

    def synced(handle):
        calls.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        fsync(handle)

    def replaced(source, target):
        calls.append("renamed")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    with drafted(tmp_path / "file") as draft:
        draft.write_text("new")
    assert calls == ["file.part", "renamed", tmp_path.name]
