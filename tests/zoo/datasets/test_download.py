"""Downloads: files whole and verified, in parts that fit together, and errors of the network."""

import http.server
import io
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zoo.datasets.digests import git_blob
from zoo.datasets.download import DownloadError, download
from zoo.datasets.store import SourceFile, Store
from zoo.errors import DataMissing
from zoo.system.files import sha256

GOOD = b"a good file\n" * 10_000


def zipped(**members: bytes) -> bytes:
    """A zip archive of these files, below a folder."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"set//{name}", content)
    return made.getvalue()


ARCHIVE = zipped(good=GOOD, other=b"another")


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one file well and in several bad ways; counts what is asked for."""

    asked: list[str]
    released: threading.Event

    def do_GET(self):
        """Answer by the path's last part."""
        self.asked.append(self.path)
        kind = self.path.rpartition("/")[2]
        if kind == "slow":
            self.released.wait(10)
            return
        if kind == "moved":
            self.send_response(302)
            self.send_header("Location", "/good")
            self.end_headers()
            return
        if kind not in ("good", "truncated", "tampered", "unannounced", "archive", "torn"):
            self.send_error(404)
            return
        body = {"tampered": GOOD[:-1] + b"!", "archive": ARCHIVE, "torn": ARCHIVE[:-30]}.get(kind, GOOD)
        self.send_response(200)
        if kind != "unannounced":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if kind in ("truncated", "unannounced") else body)

    def log_message(self, format, *args):
        """Keep quiet."""


class Server:
    """A running server's address, and what it was asked for."""

    def __init__(self, port: int, handler: type[Handler]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.asked = handler.asked


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    """A server on this machine, for the life of one test."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = type("Fresh", (Handler,), {"asked": [], "released": threading.Event()})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield Server(running.server_port, handler)
        handler.released.set()
        running.shutdown()
        thread.join()


def files_below(folder: Path) -> list[Path]:
    """Every file in the folder, hidden ones too, but for the store's lock."""
    return [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]


@pytest.mark.parametrize("path", ["good", "moved"])
def test_a_good_file_arrives_whole(server, tmp_path, path):
    """The target holds the served bytes, and nothing else is left in the folder."""
    target = tmp_path / "deep" / "file"
    download(f"{server.url}/{path}", target, [git_blob(GOOD)], timeout=60)
    assert target.read_bytes() == GOOD
    assert files_below(tmp_path) == [target]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("unannounced", "the file that came has digest sha256:"),
        ("tampered", f"expected {sha256(GOOD)}"),
        ("absent", "the server answered 404"),
        ("slow", "no answer within 0.3 s"),
    ],
)
def test_a_bad_answer_leaves_nothing_behind(server, tmp_path, path, words):
    """Each way of going wrong gives its own reason, and nothing stays that another attempt could not use."""
    with pytest.raises(DownloadError, match=words):
        download(f"{server.url}/{path}", tmp_path / "file", [sha256(GOOD)], timeout=0.3)
    assert files_below(tmp_path) == []


def test_a_truncated_file_is_noticed_without_a_digest(server, tmp_path):
    """Where no digest is known, the announced length still catches a connection that broke; the part is kept."""
    with pytest.raises(DownloadError, match=r"ended early; 60,000 of 120,000 bytes came, the next attempt resumes"):
        download(f"{server.url}/truncated", tmp_path / "file", [], timeout=60)
    assert {file.name for file in files_below(tmp_path)} == {"file.part", "file.part.json"}


def test_an_earlier_file_survives_a_failed_download(server, tmp_path):
    """What was at the target stays as it was."""
    target = tmp_path / "file"
    target.write_bytes(b"before")
    with pytest.raises(DownloadError):
        download(f"{server.url}/tampered", target, [sha256(GOOD)], timeout=60)
    assert target.read_bytes() == b"before"


def test_a_folder_that_cannot_be_made_is_a_reason(server, tmp_path):
    """A file where a folder should be gives a DownloadError, not a trace."""
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(DownloadError, match=r"taken is a file, where a folder is wanted; move it away"):
        download(f"{server.url}/good", tmp_path / "taken" / "file", [], timeout=60)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y", "x"])
def test_other_schemes_are_refused(tmp_path, url):
    """Files of this machine, and other protocols, are not fetched."""
    with pytest.raises(DownloadError, match="only http"):
        download(url, tmp_path / "file", [], timeout=1)


def test_the_store_downloads_into_the_cache_once(server, tmp_path):
    """A missing file is fetched into the cache under its path; the second reading asks the server for nothing."""
    store = Store(folders=[tmp_path / "mine"], cache=tmp_path / "cache", offline=False)
    file = SourceFile("a/b", (sha256(GOOD),), f"{server.url}/good")
    assert store.read("demo", [file])["b"].data == GOOD
    assert store.read("demo", [file])["b"].place == tmp_path / "cache" / "a" / "b"
    assert server.asked == ["/good"]
    assert not (tmp_path / "mine").exists()


def test_the_store_says_why_each_download_failed(server, tmp_path):
    """One DataMissing has every file with its own reason; the one that could be had is kept."""
    store = Store(folders=[], cache=tmp_path, offline=False, timeout=60)
    kinds = ["good", "truncated", "tampered", "absent"]
    files = [SourceFile(f"d/{kind}.bin", (sha256(GOOD),), f"{server.url}/{kind}") for kind in kinds]
    with pytest.raises(DataMissing) as caught:
        store.read("demo", files)
    text = str(caught.value)
    assert "3 of 4 files are missing" in text
    assert "d/good.bin" not in text
    for kind, reason in (("truncated", "ended early"), ("tampered", "digest"), ("absent", "404")):
        (line,) = [line for line in text.splitlines() if line.strip().startswith(f"d/{kind}.bin")]
        assert reason in line
        assert f"{server.url}/{kind}" in line
    assert [path.name for path in files_below(tmp_path) if "part" not in path.name] == ["good.bin"]


def test_a_silent_server_is_waited_for_once(server, tmp_path):
    """After one time-out the store does not wait again for the same server."""
    store = Store(folders=[], cache=tmp_path, offline=False, timeout=0.3)
    files = [SourceFile(f"d/{number}", (), f"{server.url}/{number}/slow") for number in range(5)]
    with pytest.raises(DataMissing, match="5 of 5"):
        store.read("demo", files)
    assert server.asked == ["/0/slow"]


def test_a_closed_port_is_a_reason(tmp_path):
    """No server at all gives a DataMissing that says so."""
    store = Store(folders=[], cache=tmp_path, offline=False, timeout=2)
    with pytest.raises(DataMissing, match="cannot be reached"):
        store.read("demo", [SourceFile("d/x", (), "http://127.0.0.1:9/x")])


def test_offline_asks_nobody(server, tmp_path):
    """With downloads forbidden the server is not asked, and the message names the variable and the address."""
    store = Store(folders=[], cache=tmp_path, offline=True)
    with pytest.raises(DataMissing, match=r"ZOO_OFFLINE.*/good"):
        store.read("demo", [SourceFile("d/x", (), f"{server.url}/good")])
    assert server.asked == []
    assert files_below(tmp_path) == []


def test_a_member_of_an_archive_is_taken_out(server, tmp_path):
    """Only the member is written; a second one of the same archive needs no second download."""
    archives: dict[str, bytes] = {}
    for name, content in (("good", GOOD), ("other", b"another")):
        url = f"{server.url}/archive#set//{name}"
        download(url, tmp_path / name, [git_blob(content)], timeout=60, archives=archives)
        assert (tmp_path / name).read_bytes() == content
    assert server.asked == ["/archive"]
    assert len(files_below(tmp_path)) == 2


@pytest.mark.parametrize(
    ("path", "digest", "words"),
    [
        ("archive#set//none", git_blob(GOOD), "no item named"),
        ("torn#set//good", git_blob(GOOD), "not a zip file"),
        ("archive#set//other", git_blob(GOOD), "digest"),
        ("missing#set//good", git_blob(GOOD), "404"),
    ],
)
def test_a_bad_archive_leaves_nothing(server, tmp_path, path, digest, words):
    """An archive that is torn, lacks the member or holds another: one reason, no file."""
    with pytest.raises(DownloadError, match=words):
        download(f"{server.url}/{path}", tmp_path / "file", [digest], timeout=60)
    assert files_below(tmp_path) == []


def test_the_store_fetches_an_archive_once(server, tmp_path):
    """All files of a data set that are in one archive come by one download, and are read from the cache after it."""
    files = [
        SourceFile(f"set/{name}", (git_blob(content),), f"{server.url}/archive#set//{name}")
        for name, content in (("good", GOOD), ("other", b"another"))
    ]
    store = Store(folders=[], cache=tmp_path, offline=False)
    for _ in range(2):
        assert {name: content.data for name, content in store.read("set", files).items()} == {
            "good": GOOD,
            "other": b"another",
        }
    assert server.asked == ["/archive"]


@pytest.fixture
def says(monkeypatch) -> Iterator:
    """Starts a server that answers one request with these bytes, and then hangs up or, if told so, keeps silent."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    sockets, done = [], threading.Event()

    def serve(answer: bytes, *, hangs: bool = False) -> str:
        listening = socket.create_server(("127.0.0.1", 0))
        sockets.append(listening)

        def once() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
                if hangs:
                    done.wait(10)

        threading.Thread(target=once, daemon=True).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}/file"

    yield serve
    done.set()
    for listening in sockets:
        listening.close()


@pytest.fixture
def error_of(tmp_path) -> Callable[..., DownloadError]:
    """A function that returns the error of one attempt at a download."""

    def attempt(url: str, timeout: float = 5.0) -> DownloadError:
        with pytest.raises(DownloadError) as caught:
            download(url, tmp_path / "file", timeout=timeout, attempts=1)
        return caught.value

    return attempt


def test_a_refusal_has_its_status(says, error_of):
    """The server's answer, as a number too; it was reached."""
    error = error_of(says(b"HTTP/1.0 410 Gone\r\n\r\n"))
    assert (str(error), error.status, error.unreachable) == ("the server answered 410 Gone", 410, False)


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nhalf"], ids=["before", "within"])
def test_silence_ends_after_the_timeout(begun, says, error_of):
    """A server that keeps silent is given up; if it has sent some of the file, another attempt is worthwhile."""
    error = error_of(says(begun, hangs=True), timeout=0.3)
    assert str(error).startswith("no answer within 0.3 s")
    assert error.unreachable is not bool(begun)


@pytest.mark.parametrize(
    "answer",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nhalf"],
    ids=["none", "no HTTP", "half"],
)
def test_a_connection_that_breaks_is_one_error(answer, says, error_of):
    """At once, in the answer's first line, or in its body."""
    error = error_of(says(answer))
    assert str(error).startswith(("the connection broke: ", "the connection ended early; 4 of 9 bytes came"))
    assert not error.unreachable


def test_nobody_there(monkeypatch, error_of):
    """A port on which nothing listens."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    error = error_of("http://127.0.0.1:9/file")
    assert str(error).startswith("the server cannot be reached: ")
    assert error.unreachable


BODY = bytes(range(256)) * 4000


class PartsHandler(http.server.BaseHTTPRequestHandler):
    """Serves one file; `ranges`: whether in parts, `stops`: how many bytes each answer gives before it hangs up."""

    body = BODY
    ranges = True
    stops: list[int]
    tag: str | None = '"one"'
    asked: list[str | None]

    def do_GET(self):
        """Answer, if asked so with a part."""
        wanted = self.headers.get("Range")
        self.asked.append(wanted)
        start, body = 0, self.body
        fresh = self.headers.get("If-Range") in (None, self.tag)
        if wanted and self.ranges and fresh:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        if self.tag:
            self.send_header("ETag", self.tag)
        self.end_headers()
        stop = self.stops.pop(0) if self.stops else len(body)
        self.wfile.write(body[start : start + stop])

    def log_message(self, format, *args):
        """Keep quiet."""


@pytest.fixture
def parts(monkeypatch) -> Iterator[type[PartsHandler]]:
    """The handler of a server on this machine; its attributes say how it behaves."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = type("Fresh", (PartsHandler,), {"asked": [], "stops": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        handler.url = f"http://127.0.0.1:{running.server_port}/data.zip"  # type: ignore[attr-defined]
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield handler
        running.shutdown()
        thread.join()


def names(folder) -> set[str]:
    """What is in the folder."""
    return {file.name for file in folder.iterdir()}


def test_whole_file_states_its_size(parts, tmp_path, capsys):
    """The file arrives, its size is said on standard error, nothing else is left."""
    download(parts.url, tmp_path / "new" / "data.zip", timeout=60)
    assert (tmp_path / "new" / "data.zip").read_bytes() == BODY
    assert names(tmp_path / "new") == {"data.zip"}
    said = capsys.readouterr()
    assert "1.0 MB" in said.err
    assert said.out == ""


def test_goes_on_where_the_server_hung_up(parts, tmp_path):
    """Within one call the rest is asked for, and the parts make the whole."""
    parts.stops = [300_000, 300_001]
    download(parts.url, tmp_path / "data.zip", timeout=60)
    assert (tmp_path / "data.zip").read_bytes() == BODY
    assert parts.asked == [None, "bytes=300000-", "bytes=600001-"]


def test_goes_on_in_a_later_call(parts, tmp_path):
    """What came before a call failed is said, kept, and completed by the next call."""
    parts.stops = [300_000]
    with pytest.raises(DownloadError, match=r"ended early; 300,000 of 1,024,000 bytes came, the next attempt resumes"):
        download(parts.url, tmp_path / "data.zip", timeout=60, attempts=1)
    assert names(tmp_path) == {"data.zip.part", "data.zip.part.json"}
    download(parts.url, tmp_path / "data.zip", timeout=60)
    assert (tmp_path / "data.zip").read_bytes() == BODY
    assert parts.asked == [None, "bytes=300000-"]
    assert names(tmp_path) == {"data.zip"}


def test_server_without_parts(parts, tmp_path):
    """A server that only sends whole files is taken from the start."""
    parts.ranges = False
    parts.stops = [300_000]
    download(parts.url, tmp_path / "data.zip", timeout=60)
    assert (tmp_path / "data.zip").read_bytes() == BODY


@pytest.mark.parametrize("tag", ['"two"', None])
@pytest.mark.parametrize("size", [len(BODY), len(BODY) + 7, 1000])
def test_another_file_by_then(parts, tmp_path, tag, size):
    """Parts of two files are never joined, whether the server tells by its tag or only the size does."""
    if tag is None and size == len(BODY):
        pytest.skip("a server without tags hides that; the archive's own checksums find it")
    parts.tag = '"one"' if tag else None
    parts.stops = [300_000]
    with pytest.raises(DownloadError):
        download(parts.url, tmp_path / "data.zip", timeout=60, attempts=1)
    parts.tag, parts.body = tag, (BODY[::-1] * 2)[:size]
    for _ in range(2):
        try:
            download(parts.url, tmp_path / "data.zip", timeout=60)
            break
        except DownloadError:
            assert not (tmp_path / "data.zip").exists()
    assert (tmp_path / "data.zip").read_bytes() == parts.body


def test_nothing_comes(parts, tmp_path):
    """A server that sends nothing is not asked for ever."""
    parts.stops = [0] * 100
    with pytest.raises(DownloadError, match="ended early"):
        download(parts.url, tmp_path / "data.zip", timeout=60)
    assert len(parts.asked) <= 4


def test_no_room(parts, tmp_path, monkeypatch):
    """A file that does not fit on the disk is not begun."""
    monkeypatch.setattr("zoo.datasets.download.shutil.disk_usage", lambda folder: type("", (), {"free": 1000})())
    with pytest.raises(DownloadError, match="has room for"):
        download(parts.url, tmp_path / "data.zip", timeout=60)
    assert not (tmp_path / "data.zip").exists()
