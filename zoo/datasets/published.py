"""What is published of the data sets, and data held against it: a digest tells which bytes, not that they are right.

`published.csv` has counts and homophily with their source, `arrays.csv` digests of the arrays that verified files hold.
A file in another encoding, as a mirror or another library distributes it, is taken where its arrays are those.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import torch
from torch import Tensor

from zoo.datasets.base import GraphData, LinkData, NodeData
from zoo.datasets.content import digest_of_tensor, parts_of
from zoo.datasets.store import Content, Store
from zoo.errors import DataBroken

D = TypeVar("D", NodeData, LinkData, GraphData)
TOLERANCE = 0.006  # of a homophily that is published with two digits

_COUNTS = ("graphs", "nodes", "edges", "features", "classes", "nodes of each class")


@cache
def published() -> Mapping[str, Mapping[str, str]]:
    """What is published of each data set: text by column, "" where nothing is; what depends on an option is `3|21`."""
    return {row["set"]: row for row in _rows("published.csv")}


def differences(data: NodeData | LinkData | GraphData, *, homophily: bool = True) -> list[str]:
    """In what the data differ from what is published of the data set of their name: `2707 nodes, published 2708`."""
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
    """The share of undirected edges, each counted once and loops left out, whose ends have the same label."""
    one, other = torch.minimum(data.src, data.dst), torch.maximum(data.src, data.dst)
    edges = torch.unique((one * data.nodes + other)[one != other])
    return float((data.labels[edges // data.nodes] == data.labels[edges % data.nodes]).double().mean())


def verified(store: Store, name: str, contents: Iterable[Content], make: Callable[[], D]) -> D:
    """The data that `make` makes of these files, held against what is published; a note in their facts says how.

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
    """As `verified`, where it is known already which of so many files have unknown bytes."""
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
        wrong = [
            f"{array} differ from those of the known files"
            for array, digest in canonical(data)
            if digest not in known.get(array, ())
        ]
    if wrong:
        raise _broken(store, name, unknown, files, wrong)
    return replace(data, facts={**data.facts, "verified": _note(name, unknown, known)}) if unknown else data


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


def canonical(data: NodeData | LinkData | GraphData) -> Iterator[tuple[str, str]]:
    """Digests of the arrays by name; of edges without features whatever their order, which is the file's own."""
    parts = parts_of(data)
    if data.edge_features is None:
        yield "edges", digest_of_tensor(torch.sort(data.src * data.nodes + data.dst).values)
        parts = {name: digest for name, digest in parts.items() if name not in ("src", "dst")}
    yield from parts.items()


def _counts(data: NodeData | LinkData | GraphData) -> dict[str, str]:
    counts: dict[str, Any] = {"nodes": data.nodes, "edges": len(data.src), "features": data.features.shape[1]}
    if isinstance(data, GraphData):
        counts["graphs"] = len(data.sizes)
    if not isinstance(data, LinkData):
        counts["classes"] = data.classes
        if data.problem == "classes":
            counts["nodes of each class"] = " ".join(map(str, _of_each_class(data.labels, data.classes)))
    return {what: str(counts[what]) for what in _COUNTS if what in counts}


def _of_each_class(labels: Tensor, classes: int) -> list[int]:
    return torch.bincount(labels[labels >= 0], minlength=classes).tolist()


@cache
def _arrays() -> Mapping[str, Mapping[str, frozenset[str]]]:
    table: dict[str, dict[str, frozenset[str]]] = {}
    for row in _rows("arrays.csv"):
        parts = table.setdefault(row["set"], {})
        parts[row["array"]] = parts.get(row["array"], frozenset()) | {row["digest"]}
    return table


def _rows(table: str) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(files("zoo.datasets").joinpath(table).read_text(encoding="utf-8").splitlines())
