"""OGB's data sets with labels: graphs whose nodes have them, ogbn-*, and sets of graphs that have them, ogbg-*.

The public split is the official one: by time, sales rank or species, and by scaffold of molecules. Molecules have nine
integers for each atom and three for each bond, made for the embedding `atom` and its counterpart of bonds. Both
directions of a bond are listed, and carry the same integers.
Source of the molecules: Wu et al., "MoleculeNet: a benchmark for molecular machine learning", Chemical Science, 2018.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo import ogb_backend
from zoo.datasets.base import GraphData, LabelKind, Masks, NodeData
from zoo.datasets.ogb.ogb_folder import LICENCE, Folder, open_folder
from zoo.datasets.ogb.raw_arrays import (
    PARTS,
    Arrays,
    edge_values,
    edges,
    floats,
    parse_graphs,
    parse_labels,
    parse_split,
    parsed,
)
from zoo.datasets.store import Store

_PROBLEMS: dict[str, LabelKind] = {
    "multiclass classification": "classes",
    "binary classification": "binary",
    "regression": "values",
}


def ogbn_arxiv(store: Store) -> NodeData:
    """Papers on computer science: 169,343 nodes, 1,166,243 directed citations, 40 subjects; accuracy, split by time."""
    return _nodes(store, "ogbn-arxiv", licence="ODC-BY")


def ogbn_products(store: Store) -> NodeData:
    """Products bought together: 2,449,029 nodes, 61,859,140 undirected edges, 47 categories; accuracy."""
    return _nodes(store, "ogbn-products")


def ogbn_proteins(store: Store, *, edge_features: bool = False) -> NodeData:
    """Proteins of eight species: 132,534 nodes, 39,561,252 undirected edges, 112 binary functions; ROC AUC, by species.

    The nodes have no features, the edges eight; a node's features are the means of those of its edges, as in OGB's
    own examples. edge_features: keep those of the edges as well, for convolutions that take them.
    """
    return _nodes(store, "ogbn-proteins", edge_features=edge_features)


def ogbg_molhiv(store: Store) -> GraphData:
    """Inhibition of HIV: 41,127 molecules, 1,443 of them do; ROC AUC."""
    return _graphs(store, "ogbg-molhiv", licence="MIT")


def ogbg_molpcba(store: Store) -> GraphData:
    """Activity in 128 bioassays: 437,929 molecules, labels in part unknown; average precision."""
    return _graphs(store, "ogbg-molpcba", licence="MIT")


def ogbg_molbace(store: Store) -> GraphData:
    """Inhibition of human β-secretase 1: 1,513 molecules; ROC AUC."""
    return _graphs(store, "ogbg-molbace", licence="MIT")


def ogbg_molbbbp(store: Store) -> GraphData:
    """Permeability of the blood-brain barrier: 2,039 molecules; ROC AUC."""
    return _graphs(store, "ogbg-molbbbp", licence="MIT")


def ogbg_molclintox(store: Store) -> GraphData:
    """Approval of drugs, and failure in trials for toxicity: 1,477 molecules, 2 labels each; ROC AUC."""
    return _graphs(store, "ogbg-molclintox", licence="MIT")


def ogbg_molmuv(store: Store) -> GraphData:
    """Virtual screening: 93,087 molecules, 17 labels each, most unknown; average precision."""
    return _graphs(store, "ogbg-molmuv", licence="MIT")


def ogbg_molsider(store: Store) -> GraphData:
    """Side effects of drugs by organ: 1,427 molecules, 27 labels each; ROC AUC."""
    return _graphs(store, "ogbg-molsider", licence="MIT")


def ogbg_moltox21(store: Store) -> GraphData:
    """Toxicity on 12 targets: 7,831 molecules, 12 labels each, in part unknown; ROC AUC."""
    return _graphs(store, "ogbg-moltox21", licence="MIT")


def ogbg_moltoxcast(store: Store) -> GraphData:
    """Toxicity in 617 experiments: 8,576 molecules, 617 labels each, in part unknown; ROC AUC."""
    return _graphs(store, "ogbg-moltoxcast", licence="MIT")


def ogbg_molesol(store: Store) -> GraphData:
    """Solubility in water, the logarithm of mol per litre: 1,128 molecules; root mean square error."""
    return _graphs(store, "ogbg-molesol", licence="MIT")


def ogbg_molfreesolv(store: Store) -> GraphData:
    """Free energy of hydration: 642 molecules; root mean square error."""
    return _graphs(store, "ogbg-molfreesolv", licence="MIT")


def ogbg_mollipo(store: Store) -> GraphData:
    """Lipophilicity: 4,200 molecules; root mean square error."""
    return _graphs(store, "ogbg-mollipo", licence="MIT")


def ogbg_ppa(store: Store) -> GraphData:
    """Neighbourhoods in protein networks of 37 groups of species: 158,100 graphs; accuracy.

    The edges have seven features, the nodes none: they are all of one category, as in OGB's own examples. The nodes'
    numbers, which stand for themselves in one graph, mean nothing across graphs.
    """
    return _graphs(store, "ogbg-ppa", licence="CC0-1.0")


def _nodes(store: Store, name: str, *, licence: str = LICENCE, edge_features: bool = False) -> NodeData:
    folder = open_folder(store, name)

    def make() -> NodeData:
        arrays = parsed(store, folder, _parse)
        count = int(arrays["nodes"].sum())
        src, dst = edges(folder, arrays)
        on_edges = edge_values(folder, arrays["edge-feat"]) if "edge-feat" in arrays else None
        facts = folder.facts(licence)
        if "node-feat" in arrays:
            features = floats(arrays["node-feat"])
        else:
            assert on_edges is not None
            total = torch.zeros(count, on_edges.shape[1]).index_add_(0, dst, on_edges)
            features = total / torch.bincount(dst, minlength=count).clamp(min=1)[:, None]
            facts["features"] = "the mean of the features of a node's edges, as in OGB's own examples"
        labels, classes, problem = _labels(folder, arrays)
        data = NodeData(name, src, dst, features, labels, classes, problem=problem, facts=facts)
        return folder.scored(data, masks=_masks(arrays, count), edge_features=on_edges if edge_features else None)

    return folder.verified(store, make)


def _graphs(store: Store, name: str, *, licence: str = LICENCE) -> GraphData:
    folder = open_folder(store, name)

    def make() -> GraphData:
        arrays = parsed(store, folder, _parse)
        sizes = torch.from_numpy(arrays["nodes"])
        src, dst = edges(folder, arrays)
        labels, classes, problem = _labels(folder, arrays)
        molecules = folder.meta["data type"] == "mol"
        if molecules:
            features, categories = torch.from_numpy(arrays["node-feat"]), ogb_backend.atom_categories()
        else:
            features, categories = torch.zeros(int(sizes.sum()), 1, dtype=torch.int64), (1,)
        data = GraphData(name, src, dst, sizes, features, labels, classes, problem=problem, facts=folder.facts(licence))
        data = replace(data, categories=categories, embedding="atom" if molecules else None)
        on_edges = edge_values(folder, arrays["edge-feat"])
        return folder.scored(data, masks=_masks(arrays, len(sizes)), edge_features=on_edges)

    return folder.verified(store, make)


def _parse(folder: Folder) -> dict[str, NDArray]:
    arrays = parse_graphs(folder)
    if folder.meta.get("data type") == "mol":  # which the table of nodes does not have
        of_atoms, of_bonds = ogb_backend.atom_categories(), ogb_backend.bond_categories()
        for file, categories in (("node-feat", of_atoms), ("edge-feat", of_bonds)):
            values = arrays[file]
            if values.dtype.kind != "i" or values.shape[1] != len(categories) or (values < 0).any():
                raise folder.read(f"raw/{file}.csv.gz").broken(f"expected {len(categories)} columns of categories")
            if (values >= categories).any():
                raise folder.read(f"raw/{file}.csv.gz").broken(f"a category is beyond those of OGB's, {categories}")
    count = int(arrays["nodes"].sum()) if _kind(folder) == "node" else len(arrays["nodes"])
    arrays["label"] = parse_labels(folder, f"{_kind(folder)}-label", count, int(folder.meta["num tasks"]))
    return {**arrays, **parse_split(folder, count)}


def _kind(folder: Folder) -> str:
    return "node" if folder.name.startswith("ogbn-") else "graph"


def _labels(folder: Folder, arrays: Arrays) -> tuple[Tensor, int, LabelKind]:
    """Return labels as the zoo has them, the number of classes or of labels each, and the problem that they pose.

    Raises: DataBroken if one is none of the classes, or a binary one neither 0 nor 1.
    """
    file = f"raw/{_kind(folder)}-label.csv.gz"
    problem, values = _PROBLEMS[folder.meta["task type"]], arrays["label"]
    if problem == "classes":
        classes, whole = int(folder.meta["num classes"]), np.nan_to_num(values[:, 0], nan=-1)
        if (whole != whole.astype(np.int64)).any() or whole.max(initial=-1) >= classes or whole.min(initial=0) < -1:
            raise folder.read(file).broken(f"a label is not in 0 … {classes - 1}")
        return torch.from_numpy(whole.astype(np.int64)), classes, problem
    if problem == "binary" and not np.isin(values[~np.isnan(values)], (0, 1)).all():
        raise folder.read(file).broken("a binary label is neither 0 nor 1")
    return floats(values), int(folder.meta["num tasks"]), problem


def _masks(arrays: Arrays, count: int) -> dict[str, Masks]:
    """Return the official split, as the one public one."""
    made = []
    for part in PARTS:
        mask = torch.zeros(1, count, dtype=torch.bool)
        mask[0, torch.from_numpy(arrays[part])] = True
        made.append(mask)
    return {"public": Masks(*made)}
