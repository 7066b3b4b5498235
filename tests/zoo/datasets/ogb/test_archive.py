"""archive: an OGB archive becomes a whole, verified folder in the cache, or nothing does."""

import errno
import http.server
import io
import json
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator

import pytest

from zoo import ogb_backend
from zoo.datasets.download import DownloadError
from zoo.datasets.ogb import archive
from zoo.datasets.ogb.archive import unpack
from zoo.datasets.ogb.labelled import ogbg_moltox21
from zoo.datasets.store import Store
from zoo.errors import DataBroken, DataMissing

NAME = "ogbg-moltox21"


def zipped(made, *more) -> bytes:
    """The folder as OGB zips it, under its download name, with `more` members (name or ZipInfo, content)."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(made.folder.rglob("*")):
            archive.write(file, f"{made.meta['download_name']}/{file.relative_to(made.folder)}")
        for member, content in more:
            archive.writestr(member, content)
    return stream.getvalue()


@pytest.fixture
def online(tiny, tmp_path, monkeypatch) -> Iterator[tuple[Store, dict]]:
    """A store with an empty cache that may download, and a dictionary whose "body" a server sends for the archive."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made = tiny.graphs(NAME)
    state: dict = {"body": zipped(made), "asked": 0, "made": made}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            state["asked"] += 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(state["body"])))
            self.end_headers()
            self.wfile.write(state["body"][: state.get("stop")])

        def log_message(self, format, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        meta = {**made.meta, "url": f"http://127.0.0.1:{running.server_port}/tox21.zip"}
        monkeypatch.setattr(ogb_backend, "meta", lambda name: meta)
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield Store(folders=[], cache=tmp_path / "online", offline=False, timeout=60), state
        running.shutdown()
        thread.join()


def left_in(store) -> set[str]:
    """What is in the cache, but for the lock."""
    names = {str(file.relative_to(store.cache)) for file in store.cache.rglob("*") if file.is_file()}
    return names - {"ogb/.ogbg_moltox21.lock"}


def test_downloaded_set_is_the_original(online, tiny):
    """The set from an archive equals that from the folder, is asked for once, and its digests are recorded."""
    store, state = online
    first, again = ogbg_moltox21(store), ogbg_moltox21(store)
    assert state["asked"] == 1
    expected = ogbg_moltox21(tiny.store)
    for data in (first, again):
        assert data.src.equal(expected.src)
        assert data.features.equal(expected.features)
        assert data.facts["files"] == expected.facts["files"]
    record = json.loads((store.cache / "ogb" / "ogbg_moltox21.json").read_text())
    assert record["bytes"] == len(state["body"])
    assert record["files"].items() >= first.facts["files"].items()
    assert first.facts["digests"] == "of the first download"
    assert not list((store.cache / "ogb").glob("*.zip*"))


def test_changed_after_the_download(online):
    """A downloaded file that changes later is refused against the record of the first download."""
    store, _ = online
    ogbg_moltox21(store)
    file = store.cache / "ogb" / "ogbg_moltox21" / "raw" / "num-node-list.csv.gz"
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    with pytest.raises(DataBroken, match="1 of 9 files are broken") as error:
        ogbg_moltox21(store)
    assert "remove" in str(error.value)


def test_hangs_up_midway(online):
    """A server that ends early gives one error, and no folder; the part that came is all that stays."""
    store, state = online
    state["stop"] = len(state["body"]) // 2
    with pytest.raises(DataMissing, match="ended early"):
        ogbg_moltox21(store)
    assert left_in(store) == {"ogb/ogbg_moltox21.zip.part", "ogb/ogbg_moltox21.zip.part.json"}
    del state["stop"]
    ogbg_moltox21(store)


def test_known_digests_hold_for_archives(online, monkeypatch):
    """An archive whose file differs from its known digest never becomes a folder."""
    store, _ = online
    monkeypatch.setattr("zoo.datasets.ogb.ogb_folder.known_digests", lambda name: {"raw/edge.csv.gz": "sha256:00"})
    with pytest.raises(DataMissing, match=r"raw/edge\.csv\.gz in it has digest"):
        ogbg_moltox21(store)
    assert left_in(store) == set()


def link(name: str) -> zipfile.ZipInfo:
    """A member that is a symbolic link."""
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


@pytest.mark.parametrize(
    ("member", "content", "wrong"),
    [
        ("../outside", b"x", "would leave its folder"),
        ("tox21/../../outside", b"x", "would leave its folder"),
        ("/outside", b"x", "would leave its folder"),
        ("C:/outside", b"x", "would leave its folder"),
        ("tox21\\..\\..\\outside", b"x", "would leave its folder"),
        (link("tox21/raw/link"), b"/etc/passwd", "link or a device"),
        ("tox21/bomb", b"0" * 10_000_000, "would unpack to"),
    ],
)
def test_members_without_use(online, tmp_path, member, content, wrong):
    """Members outside the folder, links and bombs refuse the archive; nothing of it stays, inside or outside."""
    store, state = online
    state["body"] = zipped(state["made"], (member, content))
    with pytest.raises(DataMissing, match=wrong):
        ogbg_moltox21(store)
    assert left_in(store) == set()
    assert not list(tmp_path.rglob("outside"))


def test_no_zip_and_a_wrong_zip(online):
    """A page in place of the archive, a damaged one, or one of another set is said to be so; nothing stays of it."""
    store, state = online
    good = state["body"]
    middle = len(good) // 3
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("bace/raw/edge.csv.gz", b"x")
    lacking = io.BytesIO()
    with zipfile.ZipFile(lacking, "w") as archive:
        archive.writestr("tox21/raw/edge.csv.gz", b"x")
    for body, wrong in (
        (b"<html>sorry</html>", "cannot be read as a zip"),
        (good[:middle] + bytes(64) + good[middle + 64 :], "cannot be read as a zip|has no"),
        (other.getvalue(), "has no folder tox21"),
        (lacking.getvalue(), "has no tox21/raw/num-node-list"),
    ):
        state["body"] = body
        with pytest.raises(DataMissing, match=wrong):
            ogbg_moltox21(store)
        assert left_in(store) == set()


def test_offline_asks_nobody(online, tmp_path):
    """With downloads switched off no server is asked."""
    _, state = online
    with pytest.raises(DataMissing, match="switched off"):
        ogbg_moltox21(Store(folders=[], cache=tmp_path / "other", offline=True))
    assert state["asked"] == 0


def test_incomplete_folder_in_the_cache_is_left_alone(online):
    """What somebody put into the cache is not overwritten by a download; the error says what to do."""
    store, state = online
    (store.cache / "ogb" / "ogbg_moltox21" / "raw").mkdir(parents=True)
    with pytest.raises(DataMissing, match="remove it first"):
        ogbg_moltox21(store)
    assert state["asked"] == 0


def test_too_many_members(tmp_path):
    """An archive of thousands of members is none of OGB's."""
    file = tmp_path / "many.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(1001):
            archive.writestr(f"many/{number}", b"")
    with pytest.raises(DownloadError, match="more than 1000 members"):
        unpack(file, "many", tmp_path / "into")
    assert not (tmp_path / "into").exists()


READER = """
import json, os, signal, sys
from pathlib import Path
from zoo import ogb_backend
from zoo.datasets.ogb import archive, labelled
from zoo.datasets.store import Store

cache, meta, die = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3] == "die"
ogb_backend.meta = lambda name: meta
extract, parse = archive._extract, labelled._parse
count = {"files": 0, "parsed": 0}

def counted_extract(*arguments):
    count["files"] += 1
    if die and count["files"] == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return extract(*arguments)

def counted_parse(folder):
    count["parsed"] += 1
    return parse(folder)

archive._extract, labelled._parse = counted_extract, counted_parse
data = labelled.ogbg_moltox21(Store(folders=[], cache=cache, offline=False, timeout=60))
print(json.dumps([count["parsed"], len(data.src)]))
"""


def reader(store, *, die: bool = False) -> subprocess.Popen[str]:
    """A process that loads the set; with `die` it is killed while it unpacks."""
    words = [str(store.cache), json.dumps(ogb_backend.meta(NAME)), "die" if die else "live"]
    return subprocess.Popen([sys.executable, "-c", READER, *words], stdout=subprocess.PIPE, text=True)


def test_processes_load_one_set_at_one_time(online):
    """One downloads, unpacks and parses; the other waits, and reads what the first has made."""
    store, state = online
    processes = [reader(store) for _ in range(2)]
    found = [json.loads(process.communicate(timeout=300)[0].splitlines()[-1]) for process in processes]
    assert state["asked"] == 1
    assert sorted(parsed for parsed, _ in found) == [0, 1]
    assert found[0][1] == found[1][1] > 0


def test_killed_while_unpacking(online):
    """Half a folder is never taken for it: the next process unpacks again, asks for nothing again, and cleans up."""
    store, state = online
    process = reader(store, die=True)
    process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL
    folder = store.cache / "ogb"
    assert not (folder / "ogbg_moltox21").exists()
    assert list(folder.glob(".ogbg_moltox21.unpacking-*"))
    assert len(ogbg_moltox21(store).src) > 0
    assert state["asked"] == 1
    assert {file.name for file in folder.iterdir()} == {"ogbg_moltox21", "ogbg_moltox21.json", ".ogbg_moltox21.lock"}


def test_no_room_to_unpack(online, monkeypatch):
    """A full disk says so, and keeps the archive: with room it is unpacked without another download."""
    store, state = online
    extract = archive._extract

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archive, "_extract", full)
    with pytest.raises(DataMissing, match=r"no space is left there \(.* free\); make room there"):
        ogbg_moltox21(store)
    assert left_in(store) == {"ogb/ogbg_moltox21.zip"}
    monkeypatch.setattr(archive, "_extract", extract)
    assert len(ogbg_moltox21(store).src) > 0
    assert state["asked"] == 1
    assert not (store.cache / "ogb" / "ogbg_moltox21.zip").exists()
