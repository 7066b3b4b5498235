"""The table of source files: which files a data set consists of, their digests, and where they are published."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from zoo.datasets.store import Content, SourceFile


@dataclass(frozen=True)
class Repository:
    """A public source repository at one commit, with the licence that it states."""

    name: str
    commit: str
    licence: str

    @property
    def page(self) -> str:
        """Its address for people."""
        return f"https://github.com/{self.name}"

    def raw(self, path: str) -> str:
        """The address of one file's bytes; `path` may be `archive.zip#member`."""
        return f"https://raw.githubusercontent.com/{self.name}/{self.commit}/{path}"


REPOSITORIES = {
    "planetoid": Repository("kimiyoung/planetoid", "af6abf468a772cc055bec88c52e4d6f51b7c37e3", "MIT"),
    "geom-gcn": Repository("graphdml-uiuc-jlu/geom-gcn", "f1fc0d14b3b019c562737240d06ec83b07d16a8f", "none stated"),
    # Cornell's nodes in the repository above are Texas's; an author of it uploaded the right ones here
    "geom-gcn-corrected": Repository("bingzhewei/geom-gcn", "1124af17444d7fd09686504ec46caa3f39f4f632", "none stated"),
    "heterophilous-graphs": Repository(
        "yandex-research/heterophilous-graphs", "a431395582e929d88271309716bea4fe24ce6318", "MIT"
    ),
    "gnn-benchmark": Repository("shchur/gnn-benchmark", "1e72912a0810cdf27ae54fd589a3b43358a2b161", "MIT"),
    "graph-nn": Repository("bknyaz/graph_nn", "72eaa1c6bd70a90fde772ad4a21049ccd6bc97a2", "ECL-2.0"),
}


_NO_FILE = SourceFile("")


@cache
def _table() -> Mapping[str, tuple[SourceFile, ...]]:
    # sha256 is that of the file as commonly redistributed, git the blob id in the source repository: for the files of
    # gnn-benchmark they belong to two encodings of the same arrays, elsewhere to the same bytes
    superseded: dict[str, dict[str, str]] = {}
    for row in _rows("superseded.csv"):
        superseded.setdefault(row["path"], {}).update(dict.fromkeys(_digests(row), row["what"]))
    table: dict[str, tuple[SourceFile, ...]] = {}
    for row in _rows("sources.csv"):
        url = REPOSITORIES[row["repository"]].raw(row["source"])
        file = SourceFile(row["path"], _digests(row), url, superseded.get(row["path"], {}))
        table[row["set"]] = (*table.get(row["set"], ()), file)
    return table


@cache
def _by_path() -> Mapping[str, SourceFile]:
    return {file.path: file for files in _table().values() for file in files}


def _rows(table: str) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(files("zoo.datasets").joinpath(table).read_text(encoding="utf-8").splitlines())


def _digests(row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{kind}:{row[kind]}" for kind in ("sha256", "git") if row[kind])


def source_files(name: str) -> tuple[SourceFile, ...]:
    """The files of a data set (`cora`), or of an optional part of it (`cora/geom-gcn`)."""
    return _table()[name]


def known_content(path: str, digest: str) -> bool:
    """Whether a file of this path and digest is one that a data set consists of."""
    return digest in _by_path().get(path, _NO_FILE).digests


def superseded_content(path: str, digest: str) -> str | None:
    """What is wrong with a file of this path and digest, if it was distributed by mistake."""
    return _by_path().get(path, _NO_FILE).superseded.get(digest)


def source_facts(repository: str, contents: Mapping[str, Content], *, edges: str) -> dict[str, Any]:
    """What a record says of data that was read from files: source, licence, edge direction, digest of each file."""
    source = REPOSITORIES[repository]
    return {
        "source": source.page,
        "licence": source.licence,
        "edges": edges,
        "files": {content.file.path: content.sha256 for content in contents.values()},
    }
