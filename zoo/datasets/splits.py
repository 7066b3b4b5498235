"""Splits of nodes, or of graphs, into parts to train, validate and test on.

Each split is a function of the data and of the run's seed. Random splits sort the nodes by numbers from PCG64, a stream
that NumPy promises not to change, so that a split stays the same from version to version.
"""

from dataclasses import replace
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from zoo.datasets.base import AnySplit, Data, GraphData, LinkData, LinkSplit, NodeData, Split
from zoo.datasets.link_splits import check_links, shipped_links
from zoo.datasets.validity import check_masks
from zoo.errors import BuildError, DataError, DataMissing
from zoo.recipe.fields import Count, Fraction, Index, Number

Folds = Annotated[int, Field(ge=3)]
Labelled = NodeData | GraphData

_BY_SEED = ", from the run's seed"


def default(data: Data, run_seed: int) -> AnySplit:
    """The public split where the data set ships one, else a random one of 60/20/20 percent; of links, their own."""
    if isinstance(data, LinkData):
        return shipped_links(data)
    if "public" in data.masks:
        return replace(public(data, run_seed), why="the data set ships public splits")
    return replace(random(data, run_seed), why="the data set ships no public split")


def public(data: Data, run_seed: int, *, index: Number | None = None) -> AnySplit:
    """A split that the data set's authors published; without an index, the run's seed goes through them in turn."""
    if isinstance(data, LinkData):
        if index:
            raise BuildError(f"split public — index {index}, but {data.name} ships 1 — expected 0")
        return shipped_links(data)
    return _shipped(data, "public", run_seed, index)


def geom_gcn(data: Labelled, run_seed: int, *, index: Number | None = None) -> Split:
    """One of the ten splits of Geom-GCN (48/32/20 percent for most); without an index, the run's seed chooses.

    Source: Pei et al., "Geom-GCN: Geometric Graph Convolutional Networks", ICLR 2020.
    """
    return _shipped(data, "geom-gcn", run_seed, index)


def random(
    data: Labelled, run_seed: int, *, train: Fraction = 0.6, val: Fraction = 0.2, seed: Number | None = None
) -> Split:
    """A random share of the labelled nodes: train, val, and the rest to test.

    train, val: shares, rounded to whole nodes. seed: of the permutation; without one, the run's seed.
    Raises: BuildError if the shares leave one part empty.
    """
    if train + val >= 1:
        raise BuildError(f"split random — train {train} + val {val} leaves nothing to test — expected a sum below 1")
    seed = run_seed if seed is None else seed
    order = _permutation(data, seed)
    first, second = round(train * len(order)), round((train + val) * len(order))
    family = f"random, train {train}, val {val}, the rest test"
    parts = order[:first], order[first:second], order[second:]
    return _checked(data, Split("random", *parts, number=seed, family=family, facts={"seed": seed}))


def balanced(
    data: Labelled,
    run_seed: int,
    *,
    per_class: Count = 20,
    val: Count = 500,
    test: Count = 1000,
    seed: Number | None = None,
) -> Split:
    """As many training nodes from every class, then val and test at random from the others (Planetoid's protocol).

    per_class, val, test: numbers of nodes. seed: of the permutation; without one, the run's seed.
    Raises: BuildError if a class or the whole graph has too few nodes, or the labels are no classes.
    Source: Yang et al., ICML 2016; with random nodes as in Shchur et al., 2018.
    """
    seed = run_seed if seed is None else seed
    order = _permutation(data, seed)
    if data.problem != "classes":
        raise BuildError(f"split balanced — the labels of {data.name} are no classes — expected classes — split=random")
    classes = data.labels[order]
    sizes = torch.bincount(classes, minlength=data.classes)
    smallest = int(sizes.argmin())
    if sizes[smallest] < per_class:
        wrong = f"class {smallest} of {data.name} has {int(sizes[smallest])} nodes"
        raise BuildError(f"split balanced — {wrong} — expected at least per_class = {per_class}")
    by_class = torch.argsort(classes, stable=True)
    rank = torch.arange(len(order)) - (sizes.cumsum(0) - sizes)[classes[by_class]]
    chosen = torch.zeros(len(order), dtype=torch.bool)
    chosen[by_class[rank < per_class]] = True
    others = order[~chosen]
    if len(others) < val + test:
        wrong = f"{data.name} has {len(others)} nodes left after {per_class} of each class"
        raise BuildError(f"split balanced — {wrong} — expected at least val + test = {val + test}")
    family = f"balanced, {per_class} of each class, {val} val, {test} test"
    parts = order[chosen], others[:val], others[val : val + test]
    return _checked(data, Split("balanced", *parts, number=seed, family=family, facts={"seed": seed}))


def folds(data: Labelled, run_seed: int, *, folds: Folds = 10, fold: Number | None = None, seed: Index = 0) -> Split:
    """Cross-validation: one fold tests, the next one validates, the others train; run it with seeds 0 … folds − 1.

    The labelled nodes or graphs are dealt into folds of equal size (give or take one), those of each class in equal
    numbers (give or take one); labels that are not classes are dealt at random.
    fold: which one tests; without it, the run's seed modulo `folds`. seed: of the deal, the same for all runs.
    Raises: BuildError if there are fewer than `folds` nodes or graphs, or no such fold.
    Source: Xu et al., "How Powerful are Graph Neural Networks?", ICLR 2019, § 7 (the test folds choose the epoch).
    """
    order = _permutation(data, seed)
    if len(order) < folds or (fold is not None and fold >= folds):
        wrong = f"fold {fold} of {folds}" if fold is not None and fold >= folds else f"{folds} folds of {len(order)}"
        raise BuildError(
            f"split folds — {wrong} in {data.name} — expected fold 0 … {folds - 1}, and a member of each at least"
        )
    if data.problem == "classes":
        order = order[torch.argsort(data.labels[order], stable=True)]
    chosen = run_seed % folds if fold is None else fold
    number = torch.arange(len(order)) % folds
    test, val = number == chosen, number == (chosen + 1) % folds
    rule = f"fold {chosen} of {folds} tests{'' if fold is not None else _BY_SEED}; the next validates"
    family = f"folds, one of {folds}, dealt with seed {seed}; the next validates"
    parts, facts = (order[~(test | val)], order[val], order[test]), {"rule": rule, "fold": chosen, "seed": seed}
    return _checked(data, Split("folds", *parts, number=chosen, family=family, facts=facts))


def _shipped(data: Labelled, kind: str, run_seed: int, index: int | None) -> Split:
    _no_links(data, kind)
    masks = data.masks.get(kind)
    has = ", ".join([*data.masks, "random", "balanced"])
    if masks is None:
        if absent := data.absent.get(kind):
            expected = f"below a folder that ZOO_DATA names — other splits of {data.name}: {has}"
            raise DataMissing(f"split {kind} — its files for {data.name} are missing: {absent} — expected {expected}")
        raise BuildError(f"split {kind} — {data.name} ships no such split — expected one of: {has}")
    check_masks(data, kind, masks)
    shipped = len(masks.train)
    if index is not None and index >= shipped:
        raise BuildError(f"split {kind} — index {index}, but {data.name} ships {shipped} — expected 0 … {shipped - 1}")
    chosen = run_seed % shipped if index is None else index
    rule = f"{kind}, number {chosen} of {shipped}{'' if index is not None else _BY_SEED}"
    parts = (mask[chosen].nonzero().flatten() for mask in (masks.train, masks.val, masks.test))
    family, facts = f"{kind}, one of {shipped}", {"rule": rule, "index": chosen}
    return _checked(data, Split(kind, *parts, number=chosen, family=family, facts=facts))


def _permutation(data: Labelled, seed: int) -> Tensor:
    """Return the labelled nodes or graphs in an order that only the seed and their number decide."""
    _no_links(data, "of nodes or graphs")
    labelled = _known(data).nonzero().flatten()
    keys = np.random.PCG64(seed).random_raw(len(labelled))
    return labelled[torch.from_numpy(np.argsort(keys, kind="stable"))]


def _no_links(data: Data, split: str) -> None:
    if isinstance(data, LinkData):
        raise BuildError(f"split {split} — {data.name} has links to find, no labels — expected its own — split=default")


def _known(data: Labelled) -> Tensor:
    """Return a mask of the nodes or graphs with a label, or at least one of several."""
    return data.labels >= 0 if data.problem == "classes" else ~data.labels.isnan().all(dim=1)


def check_any_split(data: Data, split: AnySplit) -> None:
    """Call `check_split` or `check_links`; a split that fits no data of this kind is left to the task to refuse."""
    if isinstance(split, LinkSplit) and not isinstance(data, GraphData):
        check_links(data, split)
    elif isinstance(split, Split) and not isinstance(data, LinkData):
        check_split(data, split)


def check_split(data: Labelled, split: Split) -> None:
    """Refuse a split that cannot be trained with, or whose scores would mean nothing.

    Raises: BuildError if a part is empty; DataError if it is not an int64 index of nodes or graphs that have a label,
    each once, or if parts overlap.
    """
    of, known = data.item, _known(data)
    where, seen = f"split {split.name}", torch.full((len(known),), -1)
    names = ("train", "val", "test")
    for number, (part, nodes) in enumerate(zip(names, (split.train, split.val, split.test), strict=True)):
        if nodes.ndim != 1 or nodes.dtype != torch.int64:
            wrong = f"{part} is {nodes.dtype} {list(nodes.shape)}"
            nearest = " — mask.nonzero().flatten()" if nodes.dtype == torch.bool else ""
            raise DataError(f"{where} — {wrong} — expected the numbers of {of}s, int64 [count]{nearest}")
        if not len(nodes):
            raise BuildError(f"{where} — no {part} {of}s in {data.name} — expected at least one")
        if bool((bad := (nodes < 0) | (nodes >= len(known))).any()):
            raise DataError(f"{where} — {part} has {of} {int(nodes[bad][0])} — expected 0 … {len(known) - 1}")
        if bool((bad := ~known[nodes]).any()):
            wrong = (
                f"{int(bad.sum())} {part} {of}s of {data.name} have no label, {of} {int(nodes[bad][0])} is the first"
            )
            raise DataError(f"{where} — {wrong} — expected labelled {of}s")
        if len(twice := nodes[seen[nodes] >= 0]):
            others = ", ".join(names[int(other)] for other in seen[twice].unique())
            wrong = (
                f"{len(twice)} {part} {of}s of {data.name} are in {others}, too: {of} {int(twice.min())} is the first"
            )
            raise DataError(f"{where} — {wrong} — expected parts without overlap")
        seen[nodes] = number
        if int((seen == number).sum()) < len(nodes):
            raise DataError(f"{where} — {part} has {of}s of {data.name} several times — expected each once")


def _checked(data: Labelled, split: Split) -> Split:
    """Return the split with its rule, by default its family, and its sizes; raise as `check_split` does."""
    check_split(data, split)
    sizes = {"train": len(split.train), "val": len(split.val), "test": len(split.test)}
    return replace(split, facts={"rule": split.family, **split.facts, "sizes": sizes})
