"""Sources of data sets: where they are published, under which licence, and the digests that their files have.

`sources.csv` has the files of the zoo's own data sets, and `superseded.csv` contents that were distributed by mistake.
A data set beside them may list its files itself, as `SourceFile`s.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from zoo.datasets.store import Content, SourceFile


@dataclass(frozen=True)
class Source:
    """Publisher of a data set. page: its address for people. licence: as stated there. files: address of its folder."""

    page: str
    licence: str
    files: str = ""

    def facts(self, contents: Iterable[Content], *, edges: str) -> dict[str, Any]:
        """Return the record of data that were read from these files: source, licence, edge direction, digests."""
        digests = {content.file.path: content.sha256 for content in contents}
        return {"source": self.page, "licence": self.licence, "edges": edges, "files": digests}


def github(repository: str, commit: str, licence: str) -> Source:
    """Return a public repository at one commit as a source, with the licence that it states."""
    files = f"https://raw.githubusercontent.com/{repository}/{commit}"
    return Source(f"https://github.com/{repository}", licence, files)


def source_files(name: str, source: Source | None = None) -> tuple[SourceFile, ...]:
    """Return the files of a data set (`cora`), or of an optional part of it (`cora/geom-gcn`), at their source."""
    found = []
    for row in _files()[name]:
        superseded = {digest: what for path, digest, what in _superseded() if path == row["path"]}
        url = f"{source.files}/{row['source']}" if source else None
        found.append(SourceFile(row["path"], _digests(row), url, superseded))
    return tuple(found)


def known_digests(name: str) -> Mapping[str, str]:
    """Return the digests that the files of a data set have, `sha256:…` by path; empty where none are known."""
    return {row["path"]: f"sha256:{row['sha256']}" for row in _files().get(name, ()) if row["sha256"]}


def known_content(name: str, path: str, digest: str) -> bool:
    """Tell whether a file of this path and digest is one that the data set consists of, optional parts included."""
    rows = (row for part, rows in _files().items() if part.partition("/")[0] == name for row in rows)
    return any(row["path"] == path and digest in _digests(row) for row in rows)


def superseded_content(path: str, digest: str) -> str | None:
    """Return what is wrong with a file of this path and digest, if it was distributed by mistake."""
    return next((what for known, bad, what in _superseded() if (known, bad) == (path, digest)), None)


def rows(table: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a table that lies beside this module."""
    yield from csv.DictReader(files("zoo.datasets").joinpath(table).read_text(encoding="utf-8").splitlines())


@cache
def _files() -> Mapping[str, list[dict[str, str]]]:
    table: dict[str, list[dict[str, str]]] = {}
    for row in rows("sources.csv"):
        table.setdefault(row["set"], []).append(row)
    return table


@cache
def _superseded() -> list[tuple[str, str, str]]:
    return [(row["path"], digest, row["what"]) for row in rows("superseded.csv") for digest in _digests(row)]


def _digests(row: Mapping[str, str]) -> tuple[str, ...]:
    # sha256 is that of the file as commonly redistributed, git the blob id in the source repository: for the files of
    # gnn-benchmark they belong to two encodings of the same arrays, elsewhere to the same bytes
    return tuple(f"{kind}:{row[kind]}" for kind in ("sha256", "git") if row[kind])
