"""Paths, digests, and files that are whole or absent."""

import os
from pathlib import Path

import pytest

from zoo.system.files import absolute, drafted, expanded, replacing


def test_a_home_is_put_in_place_and_one_of_nobody_stays(monkeypatch):
    """As a shell expands `~`, also where it is handed on unexpanded."""
    monkeypatch.setenv("HOME", "/somewhere")
    assert expanded("~/runs") == Path("/somewhere/runs")
    assert expanded("~nobody-here/runs") == Path("~nobody-here/runs")


def test_a_link_keeps_its_own_name_and_folder(tmp_path, monkeypatch):
    """The folders above are whole, links in them followed; a file that is a link is not."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "3f2a9c").write_text("")
    (tmp_path / "named").mkdir()
    (tmp_path / "named" / "mine.yaml").symlink_to("../store/3f2a9c")
    (tmp_path / "way").symlink_to("named")
    monkeypatch.chdir(tmp_path)
    assert absolute("way/mine.yaml") == tmp_path / "named" / "mine.yaml"


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
