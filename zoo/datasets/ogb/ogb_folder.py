"""The folder of one OGB data set: its place, and digests of its files held against the known ones."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zoo import ogb_backend
from zoo.datasets.base import D, Official
from zoo.datasets.download import DownloadError
from zoo.datasets.ogb.archive import obtain, record_of
from zoo.datasets.published import held_against_published
from zoo.datasets.sources import known_digests
from zoo.datasets.store import OFFLINE, Content, Location, SourceFile, Store
from zoo.errors import DataBroken, DataMissing
from zoo.system.files import sha256_of

LICENCE = "see https://ogb.stanford.edu"
_SPLIT = ("train", "valid", "test")
_RAW_OF_KIND = {"ogbn": ["node-label"], "ogbg": ["graph-label"], "ogbl": []}
_BOTH = "undirected, one row each in the file; both directions listed, one after the other"


@dataclass(frozen=True)
class Folder:
    """A complete folder, every file of it verified once.

    digests: of each file, by its path in the folder, as `sha256:…`. meta: the row of OGB's table for the data set.
    trusted: what the digests were held against. unknown: files that have another digest than the known one.
    """

    name: str
    place: Path
    digests: Mapping[str, str]
    meta: Mapping[str, str]
    trusted: str
    unknown: Mapping[str, str] = field(default_factory=dict)

    @property
    def doubled(self) -> bool:
        """True if the file lists each undirected edge once, and both directions are wanted."""
        return self.meta["add_inverse_edge"] == "True"

    def verified(self, store: Store, make: Callable[[], D]) -> D:
        """Return the data that `make` makes of these files, as `published.verified` does."""
        if not known_digests(self.name):  # taken as they are, or as they were first downloaded
            return make()
        unknown = [self._content(path, (digest,)) for path, digest in self.unknown.items()]
        return held_against_published(store, self.name, unknown, len(self.digests), make)

    def read(self, path: str) -> Content:
        """Return one file's bytes. Raises: DataBroken if it has changed since it was verified."""
        content = self._content(path)
        if content.sha256 != self.digests[path]:
            raise content.broken("it has changed since it was verified, a moment ago")
        return content

    def _content(self, path: str, digests: tuple[str, ...] = ()) -> Content:
        data = _readable(Path.read_bytes, self.place / path)
        return Content(SourceFile(path, digests, self.meta["url"]), self.place / path, data)

    def has(self, path: str) -> bool:
        """Tell whether the data set consists of this file, among others."""
        return path in self.digests

    def split(self, part: str) -> str:
        """Return the path of a part of the official split without its ending: "split/scaffold/train"."""
        return f"split/{self.meta['split']}/{part}"

    def facts(self, licence: str = LICENCE) -> dict[str, Any]:
        """Return the record of the data."""
        return {
            "source": self.meta["url"],
            "licence": licence,
            "edges": _BOTH if self.doubled else "directed, as in the file",
            "files": dict(self.digests),
            "digests": self.trusted,
        }

    def scored(self, data: D, **changes: Any) -> D:
        """Return the data with OGB's own scoring, and these fields."""
        metric, higher_is_better, score = ogb_backend.evaluator(self.name)
        official = Official(metric, higher_is_better, "OGB's Evaluator", score)
        return replace(data, metric=metric, official=official, published=True, **changes)

    def cache_key(self, version: int) -> str:
        """Return the key of the parsed arrays; it changes with each byte of the files, and with the parser."""
        text = json.dumps([version, self.name, sorted(self.digests.items())])
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def open_folder(store: Store, name: str) -> Folder:
    """Find a data set's folder, or download it into the cache, and verify each of its files.

    Looked for as `ogb/<name>` and `<name>`, hyphens as underscores, in the folders of the store, then in its cache;
    the first complete one is taken.
    Raises: DataMissing if there is none and none can be downloaded; DataBroken, once for all files with a wrong digest.
    """
    meta = ogb_backend.meta(name)
    folder = name.replace("-", "_")
    places = [(at.folder / middle / folder, at) for at in store.locations() for middle in ("ogb", "")]
    found = next((place for place, _ in places if not _missing(name, meta, place)), None)
    if found is None:
        found = store.cache / "ogb" / folder
        why = _download(store, name, meta, found)
        if why:
            raise DataMissing(_missing_text(name, meta, places, found, why))
    return _verified(store, name, meta, found)


def wanted(name: str, meta: Mapping[str, str], place: Path) -> list[str]:
    """Return the files that a data set is read from, as paths in its folder `place`."""
    raw = ["edge", "num-node-list", "num-edge-list", *_RAW_OF_KIND[name.partition("-")[0]]]
    raw += ["node-feat"] if meta["has_node_attr"] == "True" else []
    raw += ["edge-feat"] if meta["has_edge_attr"] == "True" else []
    raw += ["edge_weight"] if "edge_weight" in meta["additional edge files"] else []
    scheme, links = f"split/{meta['split']}", name.startswith("ogbl-")
    if not links and os.path.isfile(place / scheme / "split_dict.pt"):  # noqa: PTH113 (which never raises)
        split = ["split_dict.pt"]  # OGB takes it in place of the others
    else:
        split = [f"{part}{'.pt' if links else '.csv.gz'}" for part in _SPLIT]
    return [*(f"raw/{file}.csv.gz" for file in raw), *(f"{scheme}/{file}" for file in split)]


def _missing(name: str, meta: Mapping[str, str], place: Path) -> list[str]:
    return [path for path in wanted(name, meta, place) if not os.path.isfile(place / path)]  # noqa: PTH113 (as above)


def _download(store: Store, name: str, meta: Mapping[str, str], place: Path) -> str | None:
    """Bring the folder into the cache; return the reason if that failed."""
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
    here = sorted(file.stem.partition("_v")[2] for file in place.glob("RELEASE_v*.txt"))
    if here and meta["version"] not in here:
        release = f"release {', '.join(here)} of {name} — expected release {meta['version']}"
        raise DataBroken(f"{place} — {release} — get {meta['url']}")
    cached = store.cache in place.parents
    known, recorded = known_digests(name), record_of(place) if cached else {}
    digests = {path: _readable(sha256_of, place / path) for path in wanted(name, meta, place)}
    unknown = {path: known[path] for path, digest in digests.items() if known.get(path, digest) != digest}
    remedy = f"remove {place}, and it is downloaded again" if cached else f"get {meta['url']} again"
    problems = [
        f"{place / path} — wrong content: digest {digest} — expected {recorded[path]} — changed: {remedy}"
        for path, digest in digests.items()
        if path not in known and recorded.get(path, digest) != digest
    ]
    if problems:
        raise DataBroken(
            "\n  ".join([f"data set {name} — {len(problems)} of {len(digests)} files are broken:", *problems])
        )
    if unknown:
        trusted = "what the files hold"
    elif set(digests) <= set(known):
        trusted = "known beforehand"
    else:
        trusted = "of the first download" if recorded else "of what was found"
    return Folder(name, place, digests, meta, trusted, unknown)


def _missing_text(
    name: str, meta: Mapping[str, str], places: Sequence[tuple[Path, Location]], cache: Path, why: str
) -> str:
    nearest = min((place for place, _ in places), key=lambda place: len(_missing(name, meta, place)))
    missing = _missing(name, meta, nearest)
    return "\n".join(
        [
            f"data set {name} — {len(missing)} of {len(wanted(name, meta, nearest))} files are missing:",
            *(f"  {path}" for path in missing),
            "looked in:",
            *(f"  {place} ({at.why}{'' if place.is_dir() else ', does not exist'})" for place, at in places),
            f"expected OGB's folder of that name, with these files in it — OGB publishes it as {meta['url']}, which "
            f"has it as {meta['download_name']}; {why}; put it there as {cache}, or set ZOO_DATA to the folder "
            f"that has {nearest.name} in it",
        ]
    )


def _readable(read: Callable[[Path], Any], file: Path) -> Any:
    try:
        return read(file)
    except OSError as error:
        raise DataBroken(f"{file} — cannot be read: {error.strerror} — expected a readable file") from error
