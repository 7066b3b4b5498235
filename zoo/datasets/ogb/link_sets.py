"""OGB's graphs with links to predict: ogbl-*. The split, with the pairs that are no links, is the official one."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.datasets.base import LinkData, LinkSplit
from zoo.datasets.ogb.ogb_folder import Folder, open_folder
from zoo.datasets.ogb.raw_arrays import PARTS, Arrays, edge_values, edges, floats, parse_graphs, parse_links, parsed
from zoo.datasets.store import Store

_ENTRIES = ("edge", "edge_neg", "source_node", "target_node", "target_node_neg")


def ogbl_ddi(store: Store) -> LinkData:
    """Drugs that interact: 4,267 nodes without features, 1,334,889 undirected links; Hits@20.

    Each node's own number is its feature.
    """
    return _links(store, "ogbl-ddi")


def ogbl_collab(store: Store, *, edge_features: bool = False) -> LinkData:
    """Authors who work together: 235,868 nodes, 1,285,465 undirected links, one for each year; Hits@50, split by time.

    A pair may have worked together before, so that some links of val and test are edges of the training graph as well.
    edge_features: keep the number of common papers in that year as each edge's feature; the year itself is left out.
    """
    repeats = "two authors that worked together in several years"
    return _links(store, "ogbl-collab", repeats=repeats, edge_features=edge_features)


def ogbl_ppa(store: Store) -> LinkData:
    """Proteins that are associated: 576,289 nodes with their species, 30,326,273 undirected links; Hits@100."""
    return _links(store, "ogbl-ppa")


def ogbl_citation2(store: Store) -> LinkData:
    """Papers and their citations: 2,927,963 nodes, 30,561,187 directed links; MRR among 1,000 others for each link."""
    return _links(store, "ogbl-citation2", repeats="two papers that cite each other")


def _links(store: Store, name: str, *, repeats: str = "", edge_features: bool = False) -> LinkData:
    folder = open_folder(store, name)

    def make() -> LinkData:
        arrays = parsed(store, folder, _parse)
        nodes = int(arrays["nodes"].sum())
        src, dst = edges(folder, arrays)
        features, categories = torch.arange(nodes)[:, None], (nodes,)
        if "node-feat" in arrays:
            features, categories = floats(arrays["node-feat"]), None
        on_edges = edge_values(folder, arrays["edge_weight"]).float() if edge_features else None
        links, facts = _split(folder, arrays, torch.stack([src, dst]), repeats), folder.facts()
        data = LinkData(name, src, dst, features, links, categories=categories, facts=facts)
        return folder.scored(data, edge_features=on_edges)

    return folder.verified(store, make)


def _split(folder: Folder, arrays: Arrays, message: Tensor, repeats: str) -> LinkSplit:
    train, val, test = (torch.from_numpy(_positive(arrays, part)) for part in PARTS)
    others = torch.from_numpy(_negative(arrays, "valid")), torch.from_numpy(_negative(arrays, "test"))
    facts = {"rule": f"official, by {folder.meta['split']}"}
    parts = train, val, test, *others
    return LinkSplit("public", *parts, message, directed=not folder.doubled, facts=facts, repeats=repeats)


def _parse(folder: Folder) -> dict[str, NDArray]:
    """Return the arrays of the graph and of the split.

    Raises: DataBroken if a part has links or others of another form than OGB's.
    """
    arrays = parse_graphs(folder)
    arrays |= parse_links(folder, int(arrays["nodes"].sum()))
    for part in PARTS:
        entries = {name: arrays[f"{part}.{name}"].shape for name in _ENTRIES if f"{part}.{name}" in arrays}
        if not _well_formed(entries, others=part != "train"):
            shapes = ", ".join(f"{name} {list(shape)}" for name, shape in entries.items())
            raise folder.read(f"{folder.split(part)}.pt").broken(f"no links of OGB's form in it, but {shapes}")
    return arrays


def _well_formed(entries: Mapping[str, tuple[int, ...]], *, others: bool) -> bool:
    """Tell whether these shapes are those of links and, with `others`, of pairs that are none."""
    if "edge" in entries:
        needed = ["edge", "edge_neg"] if others else ["edge"]
        return all(len(entries.get(name, ())) == 2 and entries[name][1] == 2 for name in needed)
    source, target, negative = (entries.get(name, ()) for name in _ENTRIES[2:])
    own = not others or (len(negative) == 2 and negative[:1] == source)
    return len(source) == 1 and source == target and own


def _positive(arrays: Arrays, part: str) -> NDArray:
    """Return [2, links]."""
    if f"{part}.edge" in arrays:
        return np.ascontiguousarray(arrays[f"{part}.edge"].T)
    return np.stack([arrays[f"{part}.source_node"], arrays[f"{part}.target_node"]])


def _negative(arrays: Arrays, part: str) -> NDArray:
    """Return [2, others], or [2, links, others] where each link has its own."""
    if f"{part}.edge_neg" in arrays:
        return np.ascontiguousarray(arrays[f"{part}.edge_neg"].T)
    others = arrays[f"{part}.target_node_neg"]
    return np.stack([np.broadcast_to(arrays[f"{part}.source_node"][:, None], others.shape), others])
