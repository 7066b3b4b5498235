"""Published figures of data sets, and data held against them: a digest identifies bytes, not what they mean.

`published.csv` has counts and homophily with their source, `arrays.csv` digests of the arrays that verified files hold.
A file in another encoding, as a mirror or another library distributes it, is taken where its arrays are those.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import torch

from zoo.datasets.base import D, Data, GraphData, LinkData, NodeData
from zoo.datasets.digests import digest_of_tensor, parts_of
from zoo.datasets.sources import rows
from zoo.datasets.store import Content, Store
from zoo.errors import DataBroken

TOLERANCE = 0.006  # of a homophily that is published with two digits

_COUNTS = ("graphs", "nodes", "edges", "features", "classes", "nodes of each class")


@cache
def published() -> Mapping[str, Mapping[str, str]]:
    """Return the published figures of each data set: text by column, "" where none; `3|21` depends on an option."""
    return {row["set"]: row for row in rows("published.csv")}


def differences(data: Data, *, homophily: bool = True) -> list[str]:
    """Return what differs from the published figures of the data set of this name: `2707 nodes, published 2708`."""
    facts, wrong = published().get(data.name, {}), []
    for what, found in _counts(data).items():
        if (expected := facts.get(what)) and found not in expected.split("|"):
            wrong.append(f"{what} {found}, published {expected}")
    if homophily and facts.get("homophily") and isinstance(data, NodeData):
        found = edge_homophily(data)
        if abs(found - float(facts["homophily"])) > TOLERANCE:
            wrong.append(f"edge homophily {found:.3f}, published {facts['homophily']}")
    return wrong


def edge_homophily(data: NodeData) -> float:
    """Return the share of undirected edges, each counted once and loops left out, whose ends have the same label."""
    one, other = torch.minimum(data.src, data.dst), torch.maximum(data.src, data.dst)
    edges = torch.unique((one * data.nodes + other)[one != other])
    return float((data.labels[edges // data.nodes] == data.labels[edges % data.nodes]).double().mean())


def verified(store: Store, name: str, contents: Iterable[Content], make: Callable[[], D]) -> D:
    """Return the data that `make` reads from these files, held against what is published; `verified` says how.

    Files of known bytes are right where the counts are. Others are where every array is that of the known files or,
    where those were never at hand, the published counts are.
    Raises: DataBroken, which names the files of unknown bytes, if that is not so, or they cannot be read.
    """
    contents = list(contents)
    if not any(content.file.digests for content in contents):  # made-up files, of which nothing is known
        return make()
    unknown = [content for content in contents if not content.is_known]
    return held_against_published(store, name, unknown, len(contents), make)


def held_against_published(store: Store, name: str, unknown: Sequence[Content], files: int, make: Callable[[], D]) -> D:
    """Return `verified` data, where it is known already which of so many files have unknown bytes."""
    try:
        data = make()
    except DataBroken as error:
        if not unknown:
            raise
        raise _broken(store, name, unknown, files, [f"with that, {str(error).partition(' — ')[2]}"]) from error
    wrong = differences(data, homophily=bool(unknown))
    known = _arrays().get(name, {})
    if unknown and not known and not published().get(name):
        wrong = ["nothing is known that they could be held against"]
    if unknown and known and not wrong:
        changed = [array for array, digest in canonical(data) if digest not in known.get(array, ())]
        wrong = [f"{array} differ from those of the known files" for array in changed]
    if wrong:
        raise _broken(store, name, unknown, files, wrong)
    return replace(data, verified=_note(name, unknown, known)) if unknown else data


def canonical(data: Data) -> Iterator[tuple[str, str]]:
    """Yield digests of the arrays by name; of edges without features whatever their order, which is the file's own."""
    parts = parts_of(data)
    if data.edge_features is None:
        yield "edges", digest_of_tensor(torch.sort(data.src * data.nodes + data.dst).values)
        parts = {name: digest for name, digest in parts.items() if name not in ("src", "dst")}
    yield from parts.items()


def _broken(store: Store, name: str, unknown: Sequence[Content], files: int, wrong: Sequence[str]) -> DataBroken:
    head = f"data set {name} — {len(unknown)} of {files} files are broken:"
    if not unknown:
        head = f"data set {name} — its files are the known ones, and what is read from them is not what is published:"
    return DataBroken("\n  ".join([head, *map(store.broken_text, unknown), *wrong]))


def _note(name: str, unknown: Sequence[Content], known: Mapping[str, Any]) -> str:
    names = ", ".join(content.file.name for content in unknown)
    if known:
        how = "every array equals that of the known files"
    else:
        counts = ", ".join(what for what in (*_COUNTS, "homophily") if published().get(name, {}).get(what))
        how = f"as published are {counts}; a change that leaves those as they are would not be seen"
    return f"by content, as the bytes of {names} are not known: {how}"


def _counts(data: Data) -> dict[str, str]:
    counts: dict[str, Any] = {"nodes": data.nodes, "edges": len(data.src), "features": data.features.shape[1]}
    if isinstance(data, GraphData):
        counts["graphs"] = len(data.sizes)
    if not isinstance(data, LinkData):
        counts["classes"] = data.classes
        if data.problem == "classes":
            sizes = torch.bincount(data.labels[data.labels >= 0], minlength=data.classes)
            counts["nodes of each class"] = " ".join(map(str, sizes.tolist()))
    return {what: str(counts[what]) for what in _COUNTS if what in counts}


@cache
def _arrays() -> Mapping[str, Mapping[str, frozenset[str]]]:
    table: dict[str, dict[str, frozenset[str]]] = {}
    for row in rows("arrays.csv"):
        parts = table.setdefault(row["set"], {})
        parts[row["array"]] = parts.get(row["array"], frozenset()) | {row["digest"]}
    return table
