import os
from pathlib import Path

import pytest

from zoo.datasets.digest import git_blob, sha256
from zoo.datasets.store import SourceFile, Store
from zoo.errors import DataBroken, DataError, DataMissing


def put(folder: Path, path: str, content: bytes) -> Path:
    """Write a file below a folder."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return target


def test_the_users_folders_come_before_the_cache(tmp_path):
    """A file is taken from the first folder that has it; files of one data set may lie in different folders."""
    first, second, cache = (tmp_path / name for name in ("first", "second", "cache"))
    put(second, "d/a", b"second")
    put(cache, "d/a", b"cache")
    put(cache, "d/b", b"only cache")
    store = Store(folders=[first, second], cache=cache, offline=True)
    found = store.read("demo", [SourceFile("d/a"), SourceFile("d/b")])
    assert {name: content.data for name, content in found.items()} == {"a": b"second", "b": b"only cache"}
    assert [store.in_cache(found[name]) for name in ("a", "b")] == [False, True]


def test_the_environment_names_the_folders(tmp_path, monkeypatch):
    """ZOO_DATA may hold several folders, ZOO_CACHE replaces the user's cache, ZOO_OFFLINE forbids downloads."""
    monkeypatch.setenv("ZOO_DATA", os.pathsep.join([str(tmp_path), str(tmp_path / "gone")]))
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    store = Store()
    assert store.offline
    assert [(at.folder, at.exists) for at in store.locations()] == [
        (tmp_path, True),
        (tmp_path / "gone", False),
        (tmp_path / "cache", False),
    ]
    assert "ZOO_DATA" in store.locations()[0].why
    assert "ZOO_CACHE" in store.locations()[2].why


@pytest.mark.parametrize("word", ["", "0", "false", "False", "NO", "off", " off "])
def test_words_for_no_do_not_switch_downloads_off(monkeypatch, word):
    """ZOO_OFFLINE is a switch, which the usual words for no leave off."""
    monkeypatch.setenv("ZOO_OFFLINE", word)
    assert not Store().offline


@pytest.mark.parametrize("word", ["1", "true", "True", "YES", "on"])
def test_words_for_yes_switch_downloads_off(monkeypatch, word):
    """The usual words for yes do."""
    monkeypatch.setenv("ZOO_OFFLINE", word)
    assert Store().offline


@pytest.mark.parametrize("word", ["2", "flase", "n"])
def test_other_words_are_no_answer(monkeypatch, word):
    """A word that is neither is refused with all that are, and not taken for yes."""
    monkeypatch.setenv("ZOO_OFFLINE", word)
    with pytest.raises(DataError, match=r"ZOO_OFFLINE.*1, true, yes, on for yes, or 0, false, no, off or nothing"):
        Store()


def test_without_environment_the_users_cache_is_used(tmp_path, monkeypatch):
    """Only the platform's cache folder is looked at, and downloads are allowed."""
    for name in ("ZOO_DATA", "ZOO_CACHE", "ZOO_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    store = Store()
    assert not store.offline
    assert [at.folder.name for at in store.locations()] == ["gnn-zoo"]


def test_looking_makes_no_folder(tmp_path):
    """A store that finds nothing leaves no trace on the disk."""
    store = Store(folders=[tmp_path / "data"], cache=tmp_path / "cache", offline=True)
    store.locations()
    with pytest.raises(DataMissing):
        store.read("demo", [SourceFile("d/a")])
    assert list(tmp_path.iterdir()) == []


def test_one_error_lists_all_that_is_missing(tmp_path):
    """The message has each missing file, each folder looked at and how to help, and not the file that is there."""
    put(tmp_path / "data", "d/there", b"x")
    store = Store(folders=[tmp_path / "data"], cache=tmp_path / "cache", offline=True)
    files = [SourceFile("d/there"), SourceFile("d/one", (), "https://example.org/one"), SourceFile("d/two")]
    with pytest.raises(DataMissing) as caught:
        store.read("demo", files)
    text = str(caught.value)
    assert text.startswith("data set demo — 2 of 3 files are missing:")
    assert "d/there" not in text
    for words in (
        "d/one",
        "https://example.org/one",
        "d/two",
        str(tmp_path / "data"),
        str(tmp_path / "cache"),
        "ZOO_DATA",
    ):
        assert words in text
    assert "does not exist" in text


@pytest.mark.parametrize("change", [lambda good: good[:-1], lambda good: good[:-1] + b"?", lambda good: b""])
@pytest.mark.parametrize("digest", [sha256, git_blob])
def test_a_changed_file_is_never_handed_out(tmp_path, change, digest):
    """Truncated, tampered and empty files raise DataBroken with path, expected digest, found digest and remedy."""
    good = b"good content"
    place = put(tmp_path, "d/a", change(good))
    store = Store(folders=[tmp_path], cache=tmp_path / "cache", offline=True)
    with pytest.raises(DataBroken) as caught:
        store.read("demo", [SourceFile("d/a", (digest(good),), "https://example.org/a")])
    for words in (str(place), digest(good), digest(change(good)), "get it again from https://example.org/a"):
        assert words in str(caught.value)


def test_a_changed_file_in_the_cache_may_be_deleted(tmp_path):
    """For the zoo's own cache the remedy is to delete the file."""
    put(tmp_path, "d/a", b"bad")
    store = Store(folders=[], cache=tmp_path, offline=True)
    with pytest.raises(DataBroken, match="delete it, and it is downloaded again"):
        store.read("demo", [SourceFile("d/a", (sha256(b"good"),))])


def test_one_error_lists_all_that_is_broken(tmp_path):
    """Several bad files are named together."""
    for name in "abc":
        put(tmp_path, f"d/{name}", b"bad" if name != "b" else b"good")
    store = Store(folders=[tmp_path], cache=tmp_path / "cache", offline=True)
    with pytest.raises(DataBroken, match="2 of 3 files are broken") as caught:
        store.read("demo", [SourceFile(f"d/{name}", (sha256(b"good"),)) for name in "abc"])
    assert str(tmp_path / "d" / "b") not in str(caught.value)


def test_a_folder_in_place_of_a_file_is_broken(tmp_path):
    """What cannot be read as a file is a user's error, not a trace."""
    (tmp_path / "d" / "a").mkdir(parents=True)
    store = Store(folders=[tmp_path], cache=tmp_path / "cache", offline=True)
    with pytest.raises(DataBroken, match="cannot be read"):
        store.read("demo", [SourceFile("d/a")])


def test_optional_files_may_be_absent_but_not_wrong(tmp_path):
    """read_optional gives None where a file is missing, and refuses a wrong one."""
    store = Store(folders=[tmp_path], cache=tmp_path / "cache", offline=True)
    files = [SourceFile("d/a", (sha256(b"good"),)), SourceFile("d/b")]
    put(tmp_path, "d/a", b"good")
    assert store.read_optional("demo", files, fetch=True) is None
    assert store.read_optional("demo", files, fetch=False) is None
    put(tmp_path, "d/b", b"anything")
    assert set(store.read_optional("demo", files, fetch=False) or ()) == {"a", "b"}
    put(tmp_path, "d/a", b"bad")
    with pytest.raises(DataBroken):
        store.read_optional("demo", files, fetch=False)
