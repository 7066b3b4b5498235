"""One process fills a cache and others wait for it: real processes, and a server on this machine that counts."""

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

from zoo.datasets.digest import sha256
from zoo.datasets.download_lock import in_turn
from zoo.datasets.store import SourceFile, Store
from zoo.errors import DataMissing

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
    server: Server

    def do_GET(self):
        self.server.asked.append(self.path)
        first = len(self.server.asked) == 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY[: len(BODY) // 2])
        self.wfile.flush()
        if first:
            self.server.half.set()
            self.server.go_on.wait(300)
        self.wfile.write(BODY[len(BODY) // 2 :])

    def log_message(self, *args):
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
            with in_turn(order, "demo"):
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
