"""The folder of one OGB data set: where it is, and that its files are the right ones."""

import csv
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from zoo import ogb_backend
from zoo.datasets.network import DownloadError
from zoo.datasets.ogb.archive import obtain, record_of
from zoo.datasets.published import D, held_against_published
from zoo.datasets.store import OFFLINE, Content, Location, SourceFile, Store
from zoo.errors import DataBroken, DataMissing
from zoo.system.files import sha256_of

_SPLIT = ("train", "valid", "test")
_LICENCES = {"ogbn-arxiv": "ODC-BY", "ogbg-ppa": "CC0-1.0"}


@dataclass(frozen=True)
class Folder:
    """A complete folder, every file of it looked at once.

    digests: of each file, by its path in the folder, as `sha256:…`. meta: what OGB's table says of the data set.
    trusted: what the digests were held against. unknown: the files that have another digest than the known one.
    """

    name: str
    place: Path
    digests: Mapping[str, str]
    meta: Mapping[str, str]
    trusted: str
    unknown: Mapping[str, str] = field(default_factory=dict)

    def verified(self, store: Store, make: Callable[[], D]) -> D:
        """The data that `make` makes of these files, as `published.verified` says."""
        if not known_digests(self.name):  # taken as they are, or as they were first downloaded
            return make()
        unknown = [
            Content(SourceFile(path, (expected,), self.meta["url"]), self.place / path, _bytes(self.place / path))
            for path, expected in self.unknown.items()
        ]
        return held_against_published(store, self.name, unknown, len(self.digests), make)

    def read(self, path: str) -> Content:
        """One file's bytes. Raises: DataBroken if it is no longer what was verified."""
        content = Content(SourceFile(path), self.place / path, _bytes(self.place / path))
        if content.sha256 != self.digests[path]:
            raise content.broken("it has changed since it was verified, a moment ago")
        return content

    def has(self, path: str) -> bool:
        """Whether the data set consists of this file, among others."""
        return path in self.digests

    def split(self, part: str) -> str:
        """The path of a part of the official split without its ending: "split/scaffold/train"."""
        return f"split/{self.meta['split']}/{part}"

    def facts(self, edges: str) -> dict[str, Any]:
        """What a record says of the data."""
        molecules = "MIT" if self.name.startswith("ogbg-mol") else "see https://ogb.stanford.edu"
        return {
            "source": self.meta["url"],
            "licence": _LICENCES.get(self.name, molecules),
            "edges": edges,
            "files": dict(self.digests),
            "digests": self.trusted,
        }


def open_folder(store: Store, name: str) -> Folder:
    """Find a data set's folder, or download it into the cache, and verify each of its files.

    Looked for as `ogb/<name>` and `<name>`, hyphens as underscores, in the folders of the store, then in its cache;
    the first complete one is taken.
    Raises: DataMissing if there is none and none can be downloaded; DataBroken, once for all files with a wrong digest.
    """
    meta = ogb_backend.meta(name)
    places = _places(store, name)
    found = next((place for place, _ in places if not _missing(name, meta, place)), None)
    if found is None:
        found = store.cache / "ogb" / name.replace("-", "_")
        why = _download(store, name, meta, found)
        if why:
            raise DataMissing(_missing_text(name, meta, places, found, why))
    return _verified(store, name, meta, found)


def wanted(name: str, meta: Mapping[str, str], place: Path) -> list[str]:
    """The files that a data set is read from, as paths in its folder `place`."""
    raw = ["edge", "num-node-list", "num-edge-list"]
    raw += [
        file for key, file in (("has_node_attr", "node-feat"), ("has_edge_attr", "edge-feat")) if meta[key] == "True"
    ]
    raw += {"ogbn": ["node-label"], "ogbg": ["graph-label"], "ogbl": []}[name.partition("-")[0]]
    raw += ["edge_weight"] if "edge_weight" in meta["additional edge files"] else []
    scheme, links = f"split/{meta['split']}", name.startswith("ogbl-")
    if not links and os.path.isfile(place / scheme / "split_dict.pt"):  # noqa: PTH113 (which never raises)
        split = ["split_dict.pt"]  # OGB takes it in place of the others
    else:
        split = [f"{part}{'.pt' if links else '.csv.gz'}" for part in _SPLIT]
    return [*(f"raw/{file}.csv.gz" for file in raw), *(f"{scheme}/{file}" for file in split)]


def _places(store: Store, name: str) -> list[tuple[Path, Location]]:
    folder = name.replace("-", "_")
    return [(at.folder / middle / folder, at) for at in store.locations() for middle in ("ogb", "")]


def _missing(name: str, meta: Mapping[str, str], place: Path) -> list[str]:
    return [path for path in wanted(name, meta, place) if not os.path.isfile(place / path)]  # noqa: PTH113 (as above)


def _download(store: Store, name: str, meta: Mapping[str, str], place: Path) -> str | None:
    """Bring the folder into the cache; return why that did not go, or None."""
    if place.exists():
        return f"not downloaded over {place}, which is there but not complete: remove it first"
    if store.offline:
        return f"downloads are switched off ({OFFLINE})"
    try:
        obtain(
            meta["url"],
            place,
            inner=meta["download_name"],
            digests=known_digests(name),
            wanted=lambda folder: wanted(name, meta, folder),
            timeout=store.timeout,
        )
    except DownloadError as error:
        return f"its download failed: {error}"
    return None


def _verified(store: Store, name: str, meta: Mapping[str, str], place: Path) -> Folder:
    _check_release(name, meta, place)
    known = known_digests(name)
    recorded = record_of(place) if store.cache in place.parents else {}
    digests, problems, unknown = {}, [], {}
    for path in wanted(name, meta, place):
        file = place / path
        digest = digests[path] = _digest(file)
        expected = known.get(path) or recorded.get(path)
        if expected and digest != expected and path in known:
            unknown[path] = expected
        elif expected and digest != expected:
            again = f"get {meta['url']} again"
            remedy = f"remove {place}, and it is downloaded again" if store.cache in place.parents else again
            problems.append(f"{file} — wrong content: digest {digest} — expected {expected} — changed: {remedy}")
    if problems:
        head = f"data set {name} — {len(problems)} of {len(digests)} files are broken:"
        raise DataBroken("\n".join([head, *_indent(problems)]))
    trusted = (
        "known beforehand"
        if set(digests) <= set(known) and not unknown
        else "what the files hold"
        if unknown
        else "of the first download"
        if recorded
        else "of what was found"
    )
    return Folder(name, place, digests, meta, trusted, unknown)


def _check_release(name: str, meta: Mapping[str, str], place: Path) -> None:
    here = sorted(file.stem.partition("_v")[2] for file in place.glob("RELEASE_v*.txt"))
    if here and meta["version"] not in here:
        raise DataBroken(
            f"{place} — release {', '.join(here)} of {name} — expected release {meta['version']} — get {meta['url']}"
        )


def _missing_text(
    name: str, meta: Mapping[str, str], places: Sequence[tuple[Path, Location]], cache: Path, why: str
) -> str:
    nearest = min((place for place, _ in places), key=lambda place: len(_missing(name, meta, place)))
    missing = _missing(name, meta, nearest)
    total = len(wanted(name, meta, nearest))
    looked = [f"{place} ({at.why}{'' if place.is_dir() else ', does not exist'})" for place, at in places]
    return "\n".join(
        [
            f"data set {name} — {len(missing)} of {total} files are missing:",
            *_indent(missing),
            "looked in:",
            *_indent(looked),
            f"expected OGB's folder of that name, with these files in it — OGB publishes it as {meta['url']}, which "
            f"holds it as {meta['download_name']}; {why}; put it there as {cache}, or set ZOO_DATA to the folder "
            f"that holds {nearest.name}",
        ]
    )


@cache
def known_digests(name: str) -> Mapping[str, str]:
    """The digests that are known beforehand, `sha256:…` by path in the folder; empty for most data sets."""
    text = files("zoo.datasets.ogb").joinpath("sources.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {row["path"]: f"sha256:{row['sha256']}" for row in rows if row["set"] == name}


def _digest(file: Path) -> str:
    try:
        return sha256_of(file)
    except OSError as error:
        raise _unreadable(file, error) from error


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: OSError) -> DataBroken:
    return DataBroken(f"{file} — cannot be read: {error.strerror} — expected a readable file")


def _indent(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def cache_key(folder: Folder, version: int) -> str:
    """What the parsed arrays of a folder are kept under; changes with each byte of the files, and with the parser."""
    text = json.dumps([version, folder.name, sorted(folder.digests.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:24]
