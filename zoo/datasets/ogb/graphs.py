"""OGB's sets of graphs with labels: ogbg-*. The public split is the official one, by scaffold or by species.

Molecules have nine integers for each atom and three for each bond, made for the embedding `atom` and its counterpart of
bonds. Both directions of a bond are listed, and carry the same integers.
Source of the molecules: Wu et al., "MoleculeNet: a benchmark for molecular machine learning", Chemical Science, 2018.
"""

from functools import partial

import torch
from numpy.typing import NDArray

from zoo import ogb_backend
from zoo.datasets.base import GraphData
from zoo.datasets.ogb import assemble
from zoo.datasets.ogb.folder import Folder, open_folder
from zoo.datasets.ogb.parsed import parsed
from zoo.datasets.ogb.raw import parse_graphs, parse_labels, parse_split
from zoo.datasets.store import Store


def ogbg_molhiv(store: Store) -> GraphData:
    """Whether a molecule inhibits HIV: 41,127 molecules, 1,443 of them do; ROC AUC."""
    return _graphs(store, "ogbg-molhiv")


def ogbg_molpcba(store: Store) -> GraphData:
    """Which of 128 bioassays a molecule is active in: 437,929 molecules, labels in part unknown; average precision."""
    return _graphs(store, "ogbg-molpcba")


def ogbg_molbace(store: Store) -> GraphData:
    """Whether a molecule inhibits human β-secretase 1: 1,513 molecules; ROC AUC."""
    return _graphs(store, "ogbg-molbace")


def ogbg_molbbbp(store: Store) -> GraphData:
    """Whether a molecule passes the blood-brain barrier: 2,039 molecules; ROC AUC."""
    return _graphs(store, "ogbg-molbbbp")


def ogbg_molclintox(store: Store) -> GraphData:
    """Whether a drug was approved, and whether it failed for being toxic: 1,477 molecules, 2 labels each; ROC AUC."""
    return _graphs(store, "ogbg-molclintox")


def ogbg_molmuv(store: Store) -> GraphData:
    """Virtual screening: 93,087 molecules, 17 labels each, most unknown; average precision."""
    return _graphs(store, "ogbg-molmuv")


def ogbg_molsider(store: Store) -> GraphData:
    """Side effects of drugs by organ: 1,427 molecules, 27 labels each; ROC AUC."""
    return _graphs(store, "ogbg-molsider")


def ogbg_moltox21(store: Store) -> GraphData:
    """Toxicity on 12 targets: 7,831 molecules, 12 labels each, in part unknown; ROC AUC."""
    return _graphs(store, "ogbg-moltox21")


def ogbg_moltoxcast(store: Store) -> GraphData:
    """Toxicity in 617 experiments: 8,576 molecules, 617 labels each, in part unknown; ROC AUC."""
    return _graphs(store, "ogbg-moltoxcast")


def ogbg_molesol(store: Store) -> GraphData:
    """Solubility in water, the logarithm of mol per litre: 1,128 molecules; root mean square error."""
    return _graphs(store, "ogbg-molesol")


def ogbg_molfreesolv(store: Store) -> GraphData:
    """Free energy of hydration: 642 molecules; root mean square error."""
    return _graphs(store, "ogbg-molfreesolv")


def ogbg_mollipo(store: Store) -> GraphData:
    """Lipophilicity: 4,200 molecules; root mean square error."""
    return _graphs(store, "ogbg-mollipo")


def ogbg_ppa(store: Store) -> GraphData:
    """Neighbourhoods in protein networks, which of 37 groups of species they are from: 158,100 graphs; accuracy.

    The edges have seven features, the nodes none: they are all of one category, as in OGB's own examples. The nodes'
    numbers, which stand for themselves in one graph, mean nothing across graphs.
    """
    return _graphs(store, "ogbg-ppa")


def _graphs(store: Store, name: str) -> GraphData:
    folder = open_folder(store, name)
    return folder.verified(store, partial(_data, store, name, folder))


def _data(store: Store, name: str, folder: Folder) -> GraphData:
    arrays = parsed(store, folder, _parse)
    sizes = torch.from_numpy(arrays["nodes"])
    src, dst = assemble.edges(folder, arrays)
    labels, classes, problem = assemble.labels(folder, arrays, lambda: folder.read("raw/graph-label.csv.gz"))
    molecules = folder.meta["data type"] == "mol"
    if molecules:
        features, categories = torch.from_numpy(arrays["node-feat"]), ogb_backend.atom_categories()
    else:
        features, categories = torch.zeros(int(sizes.sum()), 1, dtype=torch.int64), (1,)
    scoring = assemble.official(name)
    return GraphData(
        published=True,
        name=name,
        src=src,
        dst=dst,
        sizes=sizes,
        features=features,
        labels=labels,
        classes=classes,
        metric=scoring.metric,
        masks=assemble.masks(arrays, len(sizes)),
        facts=folder.facts(assemble.how(folder)),
        problem=problem,
        categories=categories,
        embedding="atom" if molecules else None,
        official=scoring,
        edge_features=assemble.edge_values(folder, arrays["edge-feat"]),
    )


def _parse(folder: Folder) -> dict[str, NDArray]:
    arrays = parse_graphs(folder)
    if folder.meta["data type"] == "mol":
        for file, categories in (
            ("node-feat", ogb_backend.atom_categories()),
            ("edge-feat", ogb_backend.bond_categories()),
        ):
            values = arrays[file]
            if values.dtype.kind != "i" or values.shape[1] != len(categories) or (values < 0).any():
                raise folder.read(f"raw/{file}.csv.gz").broken(f"expected {len(categories)} columns of categories")
            if (values >= categories).any():
                raise folder.read(f"raw/{file}.csv.gz").broken(f"a category is beyond those of OGB's, {categories}")
    count = len(arrays["nodes"])
    arrays["label"] = parse_labels(folder, "graph-label", count, int(folder.meta["num tasks"]))
    return {**arrays, **parse_split(folder, count)}
