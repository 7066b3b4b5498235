"""What a server may do instead of sending a file."""

import socket
import threading
from collections.abc import Iterator

import pytest

from zoo.datasets.network import DownloadError, answer_to, check_address


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
                asked.append(connection.recv(65536))
                connection.sendall(answer)
                if hangs:
                    done.wait(10)

        threading.Thread(target=once, daemon=True).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}/file"

    asked: list[bytes] = []
    serve.asked = asked
    yield serve
    done.set()
    for listening in sockets:
        listening.close()


def error_of(url: str, timeout: float = 5.0) -> DownloadError:
    with pytest.raises(DownloadError) as caught, answer_to(url, timeout) as answer:
        answer.read()
    return caught.value


def test_an_answer_is_read(says):
    """With the headers that were asked with."""
    url = says(b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nfile")
    with answer_to(url, 5.0, {"Range": "bytes=7-"}) as answer:
        assert answer.read() == b"file"
    assert b"Range: bytes=7-\r\n" in says.asked[0]


def test_a_refusal_has_its_status(says):
    """What the server said, as a number too; it was reached."""
    error = error_of(says(b"HTTP/1.0 416 Range Not Satisfiable\r\n\r\n"))
    assert (str(error), error.status, error.unreachable) == (
        "the server answered 416 Range Not Satisfiable",
        416,
        False,
    )


@pytest.mark.parametrize(
    "begun", [b"", b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nhalf"], ids=["before the answer", "in its midst"]
)
def test_silence_ends_after_the_timeout(begun, says):
    """Whether or not something came before."""
    error = error_of(says(begun, hangs=True), timeout=0.3)
    assert (str(error), error.unreachable) == ("no answer within 0.3 s", True)


@pytest.mark.parametrize(
    "answer",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nhalf"],
    ids=["none", "no HTTP", "half"],
)
def test_a_connection_that_breaks_is_one_error(answer, says):
    """At once, in the answer's first line, or in its body."""
    error = error_of(says(answer))
    assert str(error).startswith("the connection broke: ")
    assert not error.unreachable


def test_nobody_there(monkeypatch):
    """A port on which nothing listens."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    error = error_of("http://127.0.0.1:9/file")
    assert str(error).startswith("the server cannot be reached: ")
    assert error.unreachable


def test_what_the_caller_raises_stays(says):
    """An error that is not of the network passes."""
    url = says(b"HTTP/1.0 200 OK\r\n\r\n")
    with pytest.raises(ValueError, match="mine"), answer_to(url, 5.0):
        raise ValueError("mine")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y", "x"])
def test_only_addresses_of_the_network(url):
    """Files of this machine are not fetched."""
    with pytest.raises(DownloadError, match="only http"):
        check_address(url)
