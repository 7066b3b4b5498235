"""fetch: a file comes whole or in parts that fit together, never mixed with another one."""

import http.server
import threading
from collections.abc import Iterator

import pytest

from zoo.datasets.network import DownloadError
from zoo.datasets.ogb.fetch import fetch

BODY = bytes(range(256)) * 4000


class Handler(http.server.BaseHTTPRequestHandler):
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

    def log_message(self, *args):
        """Keep quiet."""


@pytest.fixture
def server(monkeypatch) -> Iterator[type[Handler]]:
    """The handler of a server on this machine; its attributes say how it behaves."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = type("Fresh", (Handler,), {"asked": [], "stops": []})
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


def test_whole_file_states_its_size(server, tmp_path, capsys):
    """The file arrives, its size is said on standard error, nothing else is left."""
    fetch(server.url, tmp_path / "new" / "data.zip", timeout=60)
    assert (tmp_path / "new" / "data.zip").read_bytes() == BODY
    assert names(tmp_path / "new") == {"data.zip"}
    said = capsys.readouterr()
    assert "1.0 MB" in said.err
    assert said.out == ""


def test_goes_on_where_the_server_hung_up(server, tmp_path):
    """Within one call the rest is asked for, and the parts make the whole."""
    server.stops = [300_000, 300_001]
    fetch(server.url, tmp_path / "data.zip", timeout=60)
    assert (tmp_path / "data.zip").read_bytes() == BODY
    assert server.asked == [None, "bytes=300000-", "bytes=600001-"]


def test_goes_on_in_a_later_call(server, tmp_path):
    """What came before a call failed is said, kept, and completed by the next call."""
    server.stops = [300_000]
    with pytest.raises(DownloadError, match=r"ended early; 0\.3 of 1\.0 MB came, the next attempt goes on"):
        fetch(server.url, tmp_path / "data.zip", timeout=60, attempts=1)
    assert names(tmp_path) == {"data.zip.part", "data.zip.part.json"}
    fetch(server.url, tmp_path / "data.zip", timeout=60)
    assert (tmp_path / "data.zip").read_bytes() == BODY
    assert server.asked == [None, "bytes=300000-"]
    assert names(tmp_path) == {"data.zip"}


def test_server_without_parts(server, tmp_path):
    """A server that only sends whole files is taken from the start."""
    server.ranges = False
    server.stops = [300_000]
    fetch(server.url, tmp_path / "data.zip", timeout=60)
    assert (tmp_path / "data.zip").read_bytes() == BODY


@pytest.mark.parametrize("tag", ['"two"', None])
@pytest.mark.parametrize("size", [len(BODY), len(BODY) + 7, 1000])
def test_another_file_by_then(server, tmp_path, tag, size):
    """Parts of two files are never joined, whether the server tells by its tag or only the size does."""
    if tag is None and size == len(BODY):
        pytest.skip("a server without tags hides that; the archive's own checksums find it")
    server.tag = '"one"' if tag else None
    server.stops = [300_000]
    with pytest.raises(DownloadError):
        fetch(server.url, tmp_path / "data.zip", timeout=60, attempts=1)
    server.tag, server.body = tag, (BODY[::-1] * 2)[:size]
    for _ in range(2):
        try:
            fetch(server.url, tmp_path / "data.zip", timeout=60)
            break
        except DownloadError:
            assert not (tmp_path / "data.zip").exists()
    assert (tmp_path / "data.zip").read_bytes() == server.body


def test_nothing_comes(server, tmp_path):
    """A server that sends nothing is not asked for ever."""
    server.stops = [0] * 100
    with pytest.raises(DownloadError, match="ended early"):
        fetch(server.url, tmp_path / "data.zip", timeout=60)
    assert len(server.asked) <= 4


def test_no_server(tmp_path, monkeypatch):
    """A dead address is an error that says so, and leaves nothing."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(DownloadError, match="cannot be reached") as error:
        fetch("http://127.0.0.1:9/data.zip", tmp_path / "data.zip", timeout=2)
    assert error.value.unreachable
    assert names(tmp_path) == set()


def test_no_room(server, tmp_path, monkeypatch):
    """A file that does not fit on the disk is not begun."""
    monkeypatch.setattr("zoo.datasets.ogb.fetch.shutil.disk_usage", lambda folder: type("", (), {"free": 1000})())
    with pytest.raises(DownloadError, match="has room for"):
        fetch(server.url, tmp_path / "data.zip", timeout=60)
    assert not (tmp_path / "data.zip").exists()


def test_only_http():
    """Other schemes are refused."""
    with pytest.raises(DownloadError, match="only http"):
        fetch("file:///etc/passwd", None, timeout=1)  # type: ignore[arg-type]
