from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.datasets import splits
from zoo.datasets.base import AnySplit, GraphData, Masks, NodeData, Split
from zoo.datasets.store import Store
from zoo.datasets.synthetic import overlapping_blocks
from zoo.errors import BuildError, DataError, DataMissing


def data(nodes: int = 3000, classes: int = 3, **changes) -> NodeData:
    """Nodes without edges; every tenth has no label."""
    labels = torch.arange(nodes) % classes
    labels[::10] = -1
    none = torch.zeros(0, dtype=torch.int64)
    return replace(NodeData("demo", none, none, torch.ones(nodes, 1), labels, classes), **changes)


def masks(*rows: str) -> Masks:
    """Splits written as one letter per node: t(rain), v(al), e (test), anything else for no part."""
    return Masks(*(torch.tensor([[letter == part for letter in row] for row in rows]) for part in "tve"))


def lists(split: AnySplit) -> tuple[list[int], list[int], list[int]]:
    """The three parts as lists."""
    return split.train.tolist(), split.val.tolist(), split.test.tolist()


def sound(split: Split, of: NodeData) -> None:
    """Parts are not empty, share no node, and all nodes have labels."""
    together = [node for part in lists(split) for node in part]
    assert all(lists(split))
    assert len(set(together)) == len(together)
    assert bool((of.labels[together] >= 0).all())


@given(seed=st.integers(0, 2**31 - 1), train=st.floats(0.05, 0.6), val=st.floats(0.05, 0.35))
def test_a_random_split_covers_the_labelled_nodes(seed, train, val):
    """Every labelled node is in exactly one part, and the sizes are the shares asked for, to a node."""
    of = data(500)
    split = splits.random(of, seed, train=train, val=val)
    sound(split, of)
    labelled = (of.labels >= 0).nonzero().flatten().tolist()
    assert sorted(node for part in lists(split) for node in part) == labelled
    assert abs(len(split.train) - train * len(labelled)) <= 0.5
    assert abs(len(split.val) - val * len(labelled)) <= 1
    assert split.facts["sizes"] == {"train": len(split.train), "val": len(split.val), "test": len(split.test)}


def test_a_random_split_follows_its_seed():
    """The same seed gives the same split, another seed another; the option comes before the run's seed."""
    of = data()
    assert lists(splits.random(of, 3)) == lists(splits.random(of, 3))
    assert lists(splits.random(of, 3)) != lists(splits.random(of, 4))
    assert lists(splits.random(of, 3, seed=7)) == lists(splits.random(of, 4, seed=7)) == lists(splits.random(of, 7))
    assert splits.random(of, 3, seed=7).facts["seed"] == 7


def test_a_random_split_is_the_same_on_every_machine():
    """The permutation of ten nodes under seed 0 is the recorded one: results of old runs stay comparable."""
    of = data(10, 2, labels=torch.arange(10) % 2)
    assert lists(splits.random(of, 0)) == ([3, 2, 1, 8, 6, 0], [7, 4], [5, 9])


def test_every_node_is_equally_likely_to_train():
    """Over 400 seeds each of 20 nodes is in the 60 percent about 240 times: within five standard deviations."""
    of = data(20, 2, labels=torch.arange(20) % 2)
    counts = torch.zeros(20)
    for seed in range(400):
        counts[splits.random(of, seed).train] += 1
    assert float((counts - 240).abs().max()) < 5 * (400 * 0.6 * 0.4) ** 0.5


@pytest.mark.parametrize(("train", "val"), [(0.7, 0.3), (0.9, 0.9)])
def test_shares_must_leave_a_test_set(train, val):
    """Shares of one or more raise BuildError."""
    with pytest.raises(BuildError, match="below 1"):
        splits.random(data(), 0, train=train, val=val)


def test_a_part_without_nodes_is_refused():
    """Shares too small for the graph raise BuildError that names the empty part."""
    with pytest.raises(BuildError, match="no val nodes"):
        splits.random(data(20), 0, train=0.6, val=0.001)


@given(seed=st.integers(0, 2**31 - 1))
def test_a_balanced_split_takes_as_many_of_each_class(seed):
    """Train has per_class nodes of every class; val and test have the sizes asked for."""
    of = data(300, 4)
    split = splits.balanced(of, seed, per_class=5, val=30, test=40)
    sound(split, of)
    assert torch.bincount(of.labels[split.train]).tolist() == [5] * 4
    assert (len(split.val), len(split.test)) == (30, 40)


def test_a_balanced_split_follows_its_seed():
    """As for random splits; Planetoid's sizes are the default."""
    of = data()
    split = splits.balanced(of, 1)
    assert lists(split) == lists(splits.balanced(of, 2, seed=1))
    assert lists(split) != lists(splits.balanced(of, 2))
    assert split.facts["sizes"] == {"train": 60, "val": 500, "test": 1000}


def test_a_class_too_small_is_named():
    """One class with fewer nodes than asked for raises BuildError with its number and size; just enough is fine."""
    labels = torch.tensor([0] * 50 + [1] * 3 + [-1] * 20)
    of = data(73, 2, labels=labels)
    with pytest.raises(BuildError, match=r"class 1 of demo has 3 nodes.*per_class = 4"):
        splits.balanced(of, 0, per_class=4, val=5, test=5)
    assert set(range(50, 53)) <= set(splits.balanced(of, 0, per_class=3, val=5, test=5).train.tolist())


def test_a_class_without_nodes_is_too_small():
    """A class that the labels never use counts as empty."""
    with pytest.raises(BuildError, match="class 5 of demo has 0 nodes"):
        splits.balanced(replace(data(classes=5), classes=6), 0)


def test_too_few_nodes_for_val_and_test():
    """The message says how many are left and how many are wanted."""
    with pytest.raises(BuildError, match=r"210 nodes left.*= 211"):
        splits.balanced(data(300), 0, per_class=20, val=111, test=100)


SHIPPED = {"public": masks("tve..", "evt..", ".tve."), "geom-gcn": masks("..tve")}


def small(**changes) -> NodeData:
    """Five labelled nodes with shipped splits."""
    return data(5, 2, **{"labels": torch.tensor([0, 1, 0, 1, 0]), "masks": SHIPPED, **changes})


@pytest.mark.parametrize(("run_seed", "index"), [(0, 0), (1, 1), (2, 2), (3, 0), (32, 2)])
def test_the_runs_seed_goes_through_the_shipped_splits(run_seed, index):
    """Without an index, the split is the run's seed modulo the number of splits."""
    split = splits.public(small(), run_seed)
    assert split.facts["index"] == index
    assert lists(split) == lists(splits.public(small(), 77, index=index))


def test_a_shipped_split_is_its_masks():
    """The parts are the nodes that the masks of that index mark."""
    assert lists(splits.public(small(), 0, index=1)) == ([2], [1], [0])
    split = splits.geom_gcn(small(), 5)
    assert lists(split) == ([2], [3], [4])
    assert split.name == "geom-gcn"
    assert split.facts["sizes"] == {"train": 1, "val": 1, "test": 1}


def test_an_index_out_of_range_is_refused():
    """The message says how many splits there are."""
    with pytest.raises(BuildError, match=r"index 3, but demo ships 3 .* 0 … 2"):
        splits.public(small(), 0, index=3)


def test_a_split_that_does_not_ship_names_those_that_do():
    """The error lists the splits which this data set has."""
    with pytest.raises(BuildError, match="expected one of: public, random, balanced"):
        splits.geom_gcn(small(masks={"public": SHIPPED["public"]}), 0)
    with pytest.raises(BuildError, match="expected one of: random, balanced"):
        splits.public(data(), 0)


def test_absent_files_are_told_apart_from_absent_splits():
    """Where the split exists but its files do not, the error is DataMissing with the loader's words."""
    of = small(masks={"public": SHIPPED["public"]}, absent={"geom-gcn": "ten files"})
    with pytest.raises(DataMissing, match="ten files"):
        splits.geom_gcn(of, 0)


def test_default_prefers_the_public_split():
    """Shipped public splits are used, and the facts say so; else 60/20/20 at random, and the facts say why."""
    assert lists(splits.default(small(), 4)) == lists(splits.public(small(), 4))
    assert "ships public" in splits.default(small(), 4).why
    of = data()
    assert lists(splits.default(of, 4)) == lists(splits.random(of, 4, train=0.6, val=0.2))
    assert "no public" in splits.default(of, 4).why


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        (
            {"masks": {"public": Masks(*(torch.ones(1, 5, dtype=torch.bool),) * 3)}},
            DataError,
            "5 val nodes of demo are in train, too: node 0 is the first",
        ),
        ({"masks": {"public": masks("tv...")}}, BuildError, "no test nodes"),
        ({"labels": torch.tensor([-1, 1, 0, 1, 0])}, DataError, "1 train nodes of demo have no label, node 0 is"),
    ],
)
def test_shipped_splits_that_cannot_be_used_are_refused(changes, error, words):
    """Overlap, empty parts and nodes without label are noticed."""
    with pytest.raises(error, match=words):
        splits.public(small(**changes), 0)


@pytest.mark.parametrize(
    ("parts", "error", "words"),
    [
        (([0, 1], [2], [1, 0]), DataError, "2 test nodes of demo are in train, too: node 0 is the first"),
        (([0, 1], [1], [3]), DataError, "1 val nodes of demo are in train, too: node 1 is the first"),
        (([0, 0], [1], [2]), DataError, "train has nodes of demo several times"),
        (([0], [1], [9]), DataError, "test has node 9 — expected 0 … 4"),
        (([0], [], [1]), BuildError, "no val nodes in demo"),
        (([0.0], [1], [2]), DataError, r"train is torch.float32 \[1\]"),
        (([True, False], [1], [2]), DataError, r"train is torch.bool .* mask.nonzero\(\).flatten\(\)"),
    ],
)
def test_a_split_of_a_plug_in_is_checked_as_the_shipped_ones_are(parts, error, words):
    """Overlap, repetitions, numbers out of range, empty parts, and masks in place of numbers, are refused."""
    train, val, test = (torch.tensor(part, dtype=None if part else torch.int64) for part in parts)
    split = Split("mine", train, val, test)
    with pytest.raises(error, match=words):
        splits.check_any_split(small(), split)


def test_masks_of_another_size_are_refused():
    """Masks that are not one row of booleans for each split are an error that says what shape was expected."""
    wrong = Masks(*(torch.ones(1, 4, dtype=torch.bool),) * 3)
    with pytest.raises(DataError, match=r"train masks of demo are torch.bool \[1, 4\] — expected bool \[1, 5\]"):
        splits.public(small(masks={"public": wrong}), 0)


@given(seed=st.integers(0, 2**31 - 1), number=st.integers(3, 12), nodes=st.integers(120, 200))
def test_folds_are_a_cross_validation(seed, number, nodes):
    """Over the seeds each labelled node tests once and validates once; sizes and classes differ by one at most."""
    of = data(nodes)
    runs = [splits.folds(of, run, folds=number, seed=seed) for run in range(number)]
    labelled = (of.labels >= 0).nonzero().flatten().tolist()
    for run, after in zip(runs, [*runs[1:], runs[0]], strict=True):
        sound(run, of)
        assert sorted(node for part in lists(run) for node in part) == labelled
        assert torch.equal(run.val, after.test)
    assert sorted(node for run in runs for node in run.test.tolist()) == labelled
    sizes = torch.tensor([len(run.test) for run in runs])
    classes = torch.stack([of.labels[run.test].bincount(minlength=of.classes) for run in runs])
    assert sizes.max() - sizes.min() <= 1
    assert int((classes.amax(0) - classes.amin(0)).max()) <= 1


def test_folds_are_dealt_by_a_seed_of_their_own():
    """The run's seed chooses the fold, counted round; `fold` chooses it itself; another `seed` deals anew."""
    of = data()
    assert lists(splits.folds(of, 13)) == lists(splits.folds(of, 3)) == lists(splits.folds(of, 7, fold=3))
    assert lists(splits.folds(of, 3)) != lists(splits.folds(of, 3, seed=1))
    # Sorted by label the nodes come in runs; dealt by chance they do not.
    assert splits.folds(of, 0).test.sort().values.diff().unique().numel() > 10
    assert splits.folds(of, 12).facts["rule"] == "fold 2 of 10 tests, from the run's seed; the next validates"


@pytest.mark.parametrize(
    ("split", "option", "family"),
    [
        (splits.random, "seed", "random, train 0.6, val 0.2, the rest test"),
        (splits.balanced, "seed", "balanced, 20 of each class, 500 val, 1000 test"),
        (splits.folds, "fold", "folds, one of 10, dealt with seed 0; the next validates"),
        (splits.public, "index", "public, one of 2"),
        (splits.default, None, "public, one of 2"),
    ],
)
def test_a_split_says_its_family_and_its_number(split, option, family):
    """As data: the family is the same for every seed and number, which is the one that the seed or the option chose."""
    row = "tve".ljust(3000, "-")
    of = data(masks={"public": masks(f"-{row}"[:3000], f"-{row}"[:3000])})
    assert [(made.family, made.number) for made in (split(of, 0), split(of, 1))] == [(family, 0), (family, 1)]
    if option:
        made = split(of, 0, **{option: 1})
        assert (made.family, made.number) == (family, 1)


def test_folds_of_graphs_with_several_labels():
    """Graphs whose labels are no classes are dealt by chance; each that has a label is in one test fold."""
    labels = torch.rand(50, 2).round()
    labels[4] = float("nan")
    labels[5, 0] = float("nan")
    none = torch.zeros(0, dtype=torch.int64)
    of = GraphData("demo", none, none, torch.ones(50).long(), torch.ones(50, 1), labels, 2, problem="binary")
    tested = sorted(node for run in range(5) for node in splits.folds(of, run, folds=5).test.tolist())
    assert tested == [graph for graph in range(50) if graph != 4]


@pytest.mark.parametrize(
    ("options", "words"),
    [({"fold": 10}, "fold 10 of 10.*expected fold 0 … 9"), ({"folds": 2701}, "2701 folds of 2700")],
)
def test_folds_that_cannot_be_are_refused(options, words):
    """A fold beyond the last, or more folds than nodes."""
    with pytest.raises(BuildError, match=words):
        splits.folds(data(), 0, **options)


def test_nodes_with_a_known_label_among_several_are_split():
    """Those of which no label is known are in no part, those of which one is are in one; classes alone are balanced."""
    several = overlapping_blocks(Store(folders=[], offline=True), nodes=300, labels=2, features=4, unknown=0.5)
    split = splits.random(several, 0)
    together = torch.cat([split.train, split.val, split.test])
    assert sorted(together.tolist()) == (~several.labels.isnan()).any(dim=1).nonzero().flatten().tolist()
    assert 150 < len(together) < 300
    with pytest.raises(BuildError, match="are no classes — expected classes — split=random"):
        splits.balanced(several, 0)
