"""Store of data files: the user's folders, the cache, the network.

Every file is read once, and the very bytes whose digest was checked are the ones that get parsed.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from platformdirs import user_cache_dir

from zoo.datasets.digests import accepted, git_blob
from zoo.datasets.download import DownloadError, download
from zoo.errors import DataBroken, DataError, DataMissing
from zoo.system.files import expanded, sha256
from zoo.system.lock import waiting
from zoo.untrusted import escape_controls

DATA = "ZOO_DATA"
CACHE = "ZOO_CACHE"
OFFLINE = "ZOO_OFFLINE"
_YES = ("1", "true", "yes", "on")
_NO = ("", "0", "false", "no", "off")


@dataclass(frozen=True)
class SourceFile:
    """File of a data set.

    path: relative to a data folder, with forward slashes. digests: accepted ones, `sha256:…` or `git:…` (of a git
    blob); any content is accepted without. url: to download it from; `…/archive.zip#member` of one in an archive.
    superseded: what is wrong with contents that were distributed under this name, by their digests.
    """

    path: str
    digests: tuple[str, ...] = ()
    url: str | None = None
    superseded: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Content:
    """Bytes of a file that was found, and the path where it lies."""

    file: SourceFile
    place: Path
    data: bytes

    @cached_property
    def sha256(self) -> str:
        """Digest of the bytes, `sha256:…`, whichever digest they were verified by."""
        return sha256(self.data)

    @cached_property
    def is_known(self) -> bool:
        """True if the bytes have one of the file's digests."""
        return accepted(self.data, self.file.digests)

    @property
    def superseded(self) -> str | None:
        """Reason why the content is wrong, if it was distributed by mistake."""
        found = (self.file.superseded.get(digest) for digest in (self.sha256, git_blob(self.data)))
        return next(filter(None, found), None) if self.file.superseded else None

    @contextmanager
    def broken_on(self, *errors: type[Exception]) -> Iterator[None]:
        """Turn these errors of parsing the content, raised in the `with`, into DataBroken."""
        try:
            yield
        except errors as error:
            raise self.broken(error) from error

    def broken(self, reason: object) -> DataBroken:
        """Return the error to raise when the content cannot be parsed."""
        text = escape_controls(reason, keep="\n")  # libraries quote what they found
        return DataBroken(f"{self.place} — cannot be read: {text} — expected the file that its source publishes")


@dataclass(frozen=True)
class Location:
    """Folder where files are looked for, and the reason."""

    folder: Path
    exists: bool
    why: str


class Store:
    """Finder of the source files of data sets.

    Looked at, in this order: the folders named in the environment variable ZOO_DATA (never written to), the cache
    folder (ZOO_CACHE, or the user's cache folder of this system), the network.
    ZOO_OFFLINE=1 (or true, yes, on) forbids the network.

    folders, cache, offline: given here, they take the place of the environment variables.
    timeout: seconds to wait for a silent server.
    """

    def __init__(
        self,
        *,
        folders: Sequence[Path] | None = None,
        cache: Path | None = None,
        offline: bool | None = None,
        timeout: float = 20.0,
    ) -> None:
        named = [expanded(part) for part in os.environ.get(DATA, "").split(os.pathsep) if part]
        self.folders = tuple(named if folders is None else folders)
        own_cache = os.environ.get(CACHE)
        self.cache = cache or (expanded(own_cache) if own_cache else Path(user_cache_dir("gnn-zoo")))
        self.offline = is_switched_on(OFFLINE) if offline is None else offline
        self.timeout = timeout
        self._cache_why = f"cache, named by {CACHE}" if own_cache and cache is None else "cache, filled by downloads"

    def locations(self) -> list[Location]:
        """Return the folders that are looked at, in order."""
        return [
            *(Location(folder, folder.is_dir(), f"named by {DATA}, only read") for folder in self.folders),
            Location(self.cache, self.cache.is_dir(), self._cache_why),
        ]

    def read(self, dataset: str, files: Sequence[SourceFile], *, by_content: bool = False) -> dict[str, Content]:
        """Find, verify and read all these files; the result maps each file's name to its content.

        by_content: return files of unknown digests too, for a caller who verifies their content.
        Raises: DataMissing, once for all files that could not be had; DataBroken, once for all with a wrong digest.
        """
        reasons = self._fetch(dataset, files)
        if reasons:
            raise DataMissing(self._missing_text(dataset, len(files), reasons))
        return self._load(dataset, files, by_content=by_content)

    def read_optional(
        self, dataset: str, files: Sequence[SourceFile], *, fetch: bool, by_content: bool = False
    ) -> dict[str, Content] | None:
        """Return as `read`, but None if any of the files is missing. fetch: whether missing ones may be downloaded.

        Raises: DataBroken, as `read` does: a file that is there has to be right.
        """
        if self._fetch(dataset, files) if fetch else any(self._place(file) is None for file in files):
            return None
        return self._load(dataset, files, by_content=by_content)

    def in_cache(self, content: Content) -> bool:
        """Tell whether the content was read from the cache, so that the network is this user's source."""
        return self.cache in content.place.parents

    def _place(self, file: SourceFile) -> Path | None:
        for folder in (*self.folders, self.cache):
            place = folder.joinpath(*file.path.split("/"))
            if os.path.exists(place):  # noqa: PTH110 (Path.exists raises where it may not look)
                return place
        return None

    def _load(self, dataset: str, files: Sequence[SourceFile], *, by_content: bool) -> dict[str, Content]:
        found: dict[str, Content] = {}
        problems = []
        for file in files:
            place = self._place(file)
            if place is None:
                problems.append(f"{file.path} — was there a moment ago, and is gone — expected a folder that stays")
                continue
            try:
                content = Content(file, place, place.read_bytes())
            except OSError as error:
                problems.append(f"{place} — cannot be read: {error.strerror} — expected a readable file")
                continue
            if content.is_known or (by_content and not content.superseded):
                found[file.name] = content
            else:
                problems.append(self.broken_text(content))
        if problems:
            head = f"data set {dataset} — {len(problems)} of {len(files)} files are broken:"
            raise DataBroken("\n  ".join([head, *problems]))
        return found

    def _fetch(self, dataset: str, files: Sequence[SourceFile]) -> dict[SourceFile, str]:
        """Download missing files, one process at a time; return the reason for each that is still missing."""
        missing = [file for file in files if self._place(file) is None]
        reasons = {file: "no address to download it from is known" for file in missing if file.url is None}
        if self.offline:
            off = f"downloads are switched off ({OFFLINE}); it is at"
            return {file: reasons.get(file, f"{off} {file.url}") for file in missing}
        wanted = {file: self.cache.joinpath(*file.path.split("/")) for file in missing if file.url is not None}
        try:
            with waiting((target.with_name(".lock") for target in wanted.values()), f"data set {dataset}"):
                reasons |= self._download({file: at for file, at in wanted.items() if self._place(file) is None})
        except OSError as error:
            reason = f"but {error.filename} cannot be written: {error.strerror}"
            reasons |= {file: f"it is at {file.url}, {reason}" for file in wanted}
        return {file: reasons[file] for file in files if file in reasons}

    def _download(self, wanted: Mapping[SourceFile, Path]) -> dict[SourceFile, str]:
        reasons: dict[SourceFile, str] = {}
        silent: set[str] = set()  # one wait for a dead server is enough
        archives: dict[str, bytes] = {}  # and one download of an archive
        stuck = False  # and one attempt at a disk that takes nothing
        for file, target in wanted.items():
            address = file.url or ""
            host = urlsplit(address).netloc
            if stuck or host in silent:
                reasons[file] = f"not tried again; it is at {address}"
                continue
            try:
                download(address, target, file.digests, timeout=self.timeout, archives=archives)
            except DownloadError as error:
                reasons[file] = f"download of {address} failed: {error}"
                stuck = error.stuck
                silent |= {host} if error.unreachable else set()
        return reasons

    def _missing_text(self, dataset: str, total: int, reasons: dict[SourceFile, str]) -> str:
        return "\n".join(
            [
                f"data set {dataset} — {len(reasons)} of {total} files are missing:",
                *(f"  {file.path} — {reason}" for file, reason in reasons.items()),
                "looked in:",
                *(f"  {at.folder} ({at.why}{'' if at.exists else ', does not exist'})" for at in self.locations()),
                f"expected each file at the path above, below one of these folders — put them into {self.cache}, or "
                f"set {DATA} to the folder that holds them",
            ]
        )

    def broken_text(self, content: Content) -> str:
        """Return what is wrong with a file whose digest is not known, and what to do."""
        source = content.file.url or "its source"
        remedy = "delete it, and it is downloaded again" if self.in_cache(content) else f"get it again from {source}"
        expected = " or ".join(content.file.digests)
        if content.superseded:
            return f"{content.place} — superseded: {content.superseded} — expected {expected} — {remedy}"
        by_git_only = all(digest.startswith("git:") for digest in content.file.digests)
        found = git_blob(content.data) if by_git_only else content.sha256
        return (
            f"{content.place} — wrong content ({len(content.data)} bytes): digest {found} — expected {expected} — "
            f"truncated or changed: {remedy}"
        )


def is_switched_on(variable: str) -> bool:
    """Tell whether an environment variable that is a switch says yes. Raises: DataError for a word that is neither."""
    word = os.environ.get(variable, "").strip().lower()
    if word not in (*_YES, *_NO):
        raise DataError(
            f"environment — {variable} is {escape_controls(word)!r} — expected one of {', '.join(_YES)} for yes, or "
            f"{', '.join(filter(None, _NO))} or nothing for no"
        )
    return word in _YES
