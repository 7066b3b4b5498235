"""Asking a server for a file, and whatever goes wrong on the way as one error."""

import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse


class DownloadError(Exception):
    """A file could not be fetched; the text says why.

    unreachable: the host itself did not answer. stuck: nothing can be written where files are kept. status: what the
    server answered, if it refused.
    """

    def __init__(
        self, reason: str, *, unreachable: bool = False, stuck: bool = False, status: int | None = None
    ) -> None:
        super().__init__(reason)
        self.unreachable, self.stuck, self.status = unreachable, stuck, status


def check_address(url: str) -> None:
    """Raises: DownloadError for an address that is not of the network, such as one of a file."""
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(f"{url}: only http and https addresses are fetched")


@contextmanager
def answer_to(url: str, timeout: float, headers: dict[str, str] | None = None) -> Iterator[HTTPResponse]:
    """The answer to a request, to be read during the `with`; errors in reading count as errors of the network, too.

    url: one that `check_address` lets pass. timeout: seconds without any byte after which it ends.
    Raises: DownloadError.
    """
    request = urllib.request.Request(url, headers=headers or {})  # noqa: S310 (scheme checked)
    silent = f"no answer within {timeout:g} s"
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            yield answer
    except urllib.error.HTTPError as error:
        error.close()
        raise DownloadError(f"the server answered {error.code} {error.reason}", status=error.code) from error
    except TimeoutError as error:
        raise DownloadError(silent, unreachable=True) from error
    except urllib.error.URLError as error:
        late = isinstance(error.reason, TimeoutError)
        said = silent if late else f"the server cannot be reached: {error.reason}"
        raise DownloadError(said, unreachable=True) from error
    except (http.client.HTTPException, ConnectionError) as error:
        raise DownloadError(f"the connection broke: {error!r}") from error
