"""Store: data folders, cache and downloads, also of several processes at one time."""

import errno
import http.server
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from zoo.datasets.digests import git_blob
from zoo.datasets.store import SourceFile, Store
from zoo.errors import DataBroken, DataError, DataMissing
from zoo.system.files import sha256
from zoo.system.lock import waiting


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


BODY = b"what is served\n" * 20_000

READER = """
import sys
from pathlib import Path
from zoo.datasets.store import SourceFile, Store

url, digest, cache = sys.argv[1:]
files = [SourceFile(f"set/{name}", (digest,), f"{url}/{name}") for name in ("one", "two")]
print("ready", flush=True)
found = Store(folders=[], cache=Path(cache), offline=False, timeout=300).read("demo", files)
print(sorted(found), flush=True)
"""


class Server(http.server.ThreadingHTTPServer):
    """Serves BODY under every name; the first answer stops in its middle until it is told to go on."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.half, self.go_on = threading.Event(), threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader that was killed is expected."""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        assert isinstance(server, Server)
        server.asked.append(self.path)
        first = len(server.asked) == 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY[: len(BODY) // 2])
        self.wfile.flush()
        if first:
            server.half.set()
            server.go_on.wait(300)
        self.wfile.write(BODY[len(BODY) // 2 :])

    def log_message(self, format, *args):
        pass


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    """A server on this machine, for the life of one test."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.go_on.set()
        running.shutdown()
        thread.join()


def reader(server: Server, cache: Path) -> subprocess.Popen[str]:
    """A process that reads two files through a store with this cache."""
    return subprocess.Popen(
        [sys.executable, "-c", READER, server.url, sha256(BODY), str(cache)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ.copy(),
    )


def files_in(cache: Path) -> set[str]:
    return {str(file.relative_to(cache)) for file in cache.rglob("*") if file.is_file()}


def test_one_downloads_and_the_others_wait(server, tmp_path):
    """Of three processes that need two files at one time one asks the server, once for each; all read the same."""
    first = reader(server, tmp_path)
    assert server.half.wait(300)
    others = [reader(server, tmp_path) for _ in range(2)]
    for other in others:
        assert other.stderr is not None
        said = other.stderr.readline()
        assert said.startswith(f"data set demo: another process brings it, and is waited for: process {first.pid} on ")
    server.go_on.set()
    for process in (first, *others):
        out, _ = process.communicate(timeout=300)
        assert process.returncode == 0 and out.endswith("['one', 'two']\n")
    assert server.asked == ["/one", "/two"]
    assert files_in(tmp_path) == {"set/one", "set/two", "set/.lock"}


def test_a_downloader_that_is_killed(server, tmp_path):
    """What it leaves is taken for nothing: who waits for it goes on at once, by itself, and cleans up."""
    first = reader(server, tmp_path)
    assert server.half.wait(300)
    second = reader(server, tmp_path)
    assert second.stderr is not None and "is waited for" in second.stderr.readline()
    first.send_signal(signal.SIGKILL)
    assert first.communicate(timeout=300) is not None and first.returncode == -signal.SIGKILL
    out, _ = second.communicate(timeout=300)
    assert second.returncode == 0 and out.endswith("['one', 'two']\n")
    assert server.asked == ["/one", "/one", "/two"]
    assert files_in(tmp_path) == {"set/one", "set/two", "set/.lock"}


def test_what_a_killed_one_leaves_alone(server, tmp_path):
    """Without a second process too: the next one to come finds the half, does not read it, and writes it anew."""
    first = reader(server, tmp_path)
    assert server.half.wait(300)
    part = tmp_path / "set" / "one.part"
    while not (part.exists() and part.stat().st_size):
        time.sleep(0.01)
    first.kill()
    first.communicate(timeout=300)
    file = SourceFile("set/one", (sha256(BODY),), f"{server.url}/one")
    with pytest.raises(DataMissing, match="switched off"):
        Store(folders=[], cache=tmp_path, offline=True).read("demo", [file])
    found = Store(folders=[], cache=tmp_path, offline=False, timeout=300).read("demo", [file])
    assert found["one"].data == BODY
    assert "set/one.part" not in files_in(tmp_path)


def test_locks_of_several_folders_are_taken_in_one_order(tmp_path):
    """Two threads that need the same two folders, named in opposite orders, never wait for each other for good."""
    locks = [tmp_path / "a" / ".lock", tmp_path / "b" / ".lock"]
    done = []

    def fill(order: list[Path]) -> None:
        for _ in range(20):
            with waiting(order, "demo"):
                done.append(1)

    threads = [threading.Thread(target=fill, args=(order,), daemon=True) for order in (locks, locks[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(done) == 40


def test_a_cache_that_takes_nothing(server, tmp_path):
    """A file where the cache should be is told once for all files, with what to do; no server is asked."""
    (tmp_path / "cache").write_text("in the way")
    store = Store(folders=[], cache=tmp_path / "cache", offline=False, timeout=60)
    files = [SourceFile(f"set/{name}", (), f"{server.url}/{name}") for name in ("one", "two")]
    with pytest.raises(DataMissing, match="cache is a file, where a folder is wanted; move it away") as caught:
        store.read("demo", files)
    assert "2 of 2 files are missing" in str(caught.value)
    assert server.asked == []


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "no space is left there"),
        (errno.EDQUOT, "the quota there is used up"),
        (errno.EIO, "the device or its connection failed"),
        (errno.EROFS, "can only be read"),
    ],
)
def test_a_disk_that_is_full(server, tmp_path, monkeypatch, number, said):
    """A write that fails gives a reason and what to do, is tried once, and leaves no part; with room it goes on."""
    server.go_on.set()
    store = Store(folders=[], cache=tmp_path, offline=False, timeout=60)
    files = [SourceFile(f"set/{name}", (sha256(BODY),), f"{server.url}/{name}") for name in ("one", "two", "three")]
    assert store.read("demo", files[:1])
    fsync, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataMissing, match=said) as caught:
        store.read("demo", files)
    assert "2 of 3 files are missing" in str(caught.value) and "not tried again" in str(caught.value)
    assert len(calls) == 1
    assert files_in(tmp_path) == {"set/one", "set/.lock"}
    monkeypatch.setattr(os, "fsync", fsync)
    assert len(store.read("demo", files)) == 3


def test_a_file_that_goes_while_it_is_looked_for(tmp_path, monkeypatch):
    """A data folder that is unmounted between finding a file and reading it gives an error, not a trace."""
    (tmp_path / "one").write_bytes(BODY)
    store = Store(folders=[tmp_path], cache=tmp_path / "cache", offline=True)
    fetch = store._fetch

    def fetch_and_lose(*arguments):
        reasons = fetch(*arguments)
        (tmp_path / "one").unlink()
        return reasons

    monkeypatch.setattr(store, "_fetch", fetch_and_lose)
    with pytest.raises(Exception, match="one — was there a moment ago, and is gone") as caught:
        store.read("demo", [SourceFile("one")])
    assert type(caught.value).__name__ == "DataBroken"
