"""Advice, followed to the letter: it is accepted, and it helps."""

import shlex
from dataclasses import replace

import pytest

import zoo
from zoo.probes import advice
from zoo.probes.advice import Situation
from zoo.probes.diagnosis import Diagnosis

GRAPH = [
    "dataset={name: block-model, nodes: 90, classes: 3, features: 16, degree: 6.0, homophily: 0.8, signal: 2.0}",
    *("model.width=16", "probes=none", "execution.device=cpu"),
]
DENSE = "dataset.degree=20"
DEEP = ["model.depth=48", "training.duration=15"]
# A run that goes wrong: the verdict, the recipe, and what is changed in it.
RUNS = {
    "overflow at the start": ("non-finite", "res-gat", ["model.depth=96", "normalizer=none", "training.duration=5"]),
    "overflow by the rate": ("non-finite", "res-gcn", ["normalizer=none", "optimizer.lr=1e12"]),
    "expansion": ("gradient expansion", "res-gcn", [*DEEP, "normalizer=none"]),
    "expansion within bounds": ("gradient expansion", "res-gcn", [*DEEP, "normalizer.c=8"]),
    "expansion, c found": ("gradient expansion", "res-gcn", [*DEEP, "normalizer.c=auto", "calibration.high=1e6"]),
    "vanishing": ("vanishing gradient", "gcn", [*DEEP, "model.dropout=0", "normalizer=none"]),
    "oversmoothing": (
        "gradient oversmoothing",
        "gcn",
        [*DEEP, DENSE, "model.dropout=0", "model.activation=identity", "normalizer=orthogonal", "optimizer.lr=0.001"],
    ),
    "a rate too small": ("underfitting", "res-gcn", ["model.depth=8", "optimizer.lr=1e-6", "training.duration=15"]),
    "too short": ("underfitting", "res-gcn", ["model.depth=8", "training.duration=2"]),
    "a rate too large": ("unstable training", "res-gcn", ["model.depth=8", "optimizer.lr=1", "training.duration=20"]),
    "a rate absurd, clipped": (
        "unstable training",
        "res-gcn",
        ["model.depth=8", "optimizer={name: sgd, lr: 1e12}", "training.clip=1", "training.duration=20"],
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_advice_is_taken_as_it_is_typed(name, tmp_path):
    """Every alternative, typed after the same command, ends the failure or has more of the training part learned."""
    verdict, model, changes = RUNS[name]
    recipe, changes = f"smoke/{model}", [*GRAPH, *changes]
    run = zoo.train(recipe, changes, runs=tmp_path)
    found = run.result["diagnosis"]
    assert found["verdict"] == verdict, found["sentence"]
    alternatives = [shlex.split(words) for words in found["try"].removeprefix("try ").split(" or ")]
    assert alternatives == found["changes"] != []
    for words in alternatives:
        followed = zoo.train(recipe, [*changes, *words], runs=tmp_path)
        better = (followed.result["train"] or 0) > (run.result["train"] or 0)
        assert better or followed.result["diagnosis"]["verdict"] == "healthy", (words, followed.result["diagnosis"])


SITUATIONS = {
    "none": ("smoke/res-gcn", ["normalizer=none"]),
    "fixed": ("smoke/res-gcn", ["normalizer={name: frobenius, c: 2}"]),
    "auto": ("smoke/res-gcn", ["normalizer={name: frobenius, c: auto}"]),
    "adaptive": ("smoke/res-gcn", ["normalizer={name: frobenius, c: adaptive}"]),
    "two": ("smoke/res-gcn", ["normalizer=[layer, {name: frobenius, c: 2}]"]),
    "plain": ("smoke/gcn", ["normalizer=none"]),
    "stack": ("smoke/gcn", ["model={name: stack, conv: gcn, residual: none, depth: 8, width: 8}", "normalizer=none"]),
    "steps": ("smoke/res-gcn", ["training.duration=7 steps", "optimizer=sgd"]),
    "without skips or a sibling": ("smoke/mlp", []),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_piece_of_advice_can_be_typed(name):
    """Whatever the verdict, in whatever situation: the recipe takes the change, and a network is built of it."""
    recipe, changes = SITUATIONS[name]
    changes = ["probes=none", "model.depth=8", "model.width=8", *changes]
    built = zoo.build(recipe, changes)
    found = Situation.of(built.recipe, built.network)
    kinds = (advice.bound, advice.connect, advice.fewer, advice.slower, advice.more, advice.standardize)
    for change in dict.fromkeys(change for kind in kinds for change in kind(found)):
        followed = zoo.build(recipe, [*changes, *change])
        assert followed.recipe != built.recipe
        depth = 2 if change[0].startswith("model.depth") else len(built.network.blocks)
        assert len(followed.network.blocks) == depth, "no other option is reset"


def test_features_beyond_measure_are_scaled(tmp_path):
    """Where the first block's output overflows before the first step, its advice ends that."""
    from registry import datasets
    from zoo.datasets.synthetic import block_model

    @datasets.register("huge")
    def huge(store):
        data = block_model(store, nodes=90, classes=3, features=16, signal=2.0)
        return replace(data, features=data.features * 3e37)

    changes = ["dataset=huge", "probes=none", "training.duration=10", "normalizer=none"]
    run = zoo.train("smoke/res-gcn", changes, runs=tmp_path)
    assert run.result["diagnosis"]["changes"] == [["prepare.features=standardize"]], run.result["diagnosis"]
    followed = zoo.train("smoke/res-gcn", [*changes, "prepare.features=standardize"], runs=tmp_path)
    assert followed.status == "finished" and followed.result["diagnosis"]["verdict"] != "non-finite"


def test_the_sentence_is_what_one_types():
    """Quoted for a shell where it has to be, alternatives apart; words of their own where nothing can be typed."""
    changes = (("model.name=res-gcn", "normalizer={name: frobenius, c: auto}"), ("model.depth=4",))
    said = "try model.name=res-gcn 'normalizer={name: frobenius, c: auto}' or model.depth=4"
    assert Diagnosis("underfitting", "…", changes, hint="look").advice == said
    assert Diagnosis("underfitting", "…", hint="look").advice == "look"


@pytest.mark.parametrize(
    ("lr", "slower", "more"),
    [(1e12, "0.005", "1600"), (0.02, "0.005", "1600"), (0.005, "0.0005", "1600"), (1e-6, "1e-07", "0.005")],
)
def test_rates_are_brought_to_the_usual_one(lr, slower, more):
    """At once where they are far from it; else a tenth, or a longer training at the same rate."""
    found = Situation(depth=8, lr=lr, usual_lr=0.005)
    assert advice.slower(found) == ((f"optimizer.lr={slower}",),)
    assert advice.more(found)[0][0].partition("=")[2] == more


def situation(recipe: str, *changes: str) -> Situation:
    built = zoo.build(recipe, ["probes=none", "model.width=8", *changes])
    return Situation.of(built.recipe, built.network)


def test_what_is_read():
    """Depth, the rate and the optimiser's own, the length of the training."""
    found = situation("smoke/res-gcn", "model.depth=3", "optimizer={name: sgd, lr: 2}", "training.duration=7 steps")
    assert (found.depth, found.lr, found.usual_lr, found.duration) == (3, 2, 0.1, (7, "steps"))
    assert found.skips and found.boundable and not found.rescales and not found.reads_all_blocks


@pytest.mark.parametrize(
    ("normalizer", "bound", "chosen"),
    [
        ("none", None, "number"),
        ("layer", None, "number"),
        ("{name: frobenius, c: 2}", "normalizer.c", "number"),
        ("{name: spectral, c: auto, method: power}", "normalizer.c", "auto"),
        ("{name: frobenius, c: adaptive}", "normalizer.c", "controller"),
        ("[layer, {name: frobenius, c: 2}]", "normalizer.1.c", "number"),
    ],
)
def test_where_c_is_written(normalizer, bound, chosen):
    """By the path that a change has to name, of several normalisers too; and how it is chosen."""
    found = situation("smoke/res-gcn", f"normalizer={normalizer}")
    assert (found.bound, found.bound_is) == (bound, chosen)
    assert found.rescales == ("layer" in normalizer)


@pytest.mark.parametrize(
    ("recipe", "skips", "connected"),
    [
        ("smoke/gcn", False, ("model.name=res-gcn", "model.ends=linear")),
        ("smoke/res-gcn", True, ()),
        ("smoke/gcnii", True, ()),
    ],
)
def test_how_a_model_gets_skips(recipe, skips, connected):
    """By the name of its residual sibling, which leaves depth and width as they are."""
    found = situation(recipe, "model.depth=3")
    assert found.skips == skips
    assert found.connected[: len(connected)] == connected
