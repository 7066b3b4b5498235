"""Layer-wise inference against a plain forward pass."""

from typing import Any

import pytest
import torch

import zoo
from zoo.recipe.load import load
from zoo.tasks.layerwise import Layerwise, whole_reason

OPTIONS = {"training.duration": "1 epochs", "model.depth": 5}


def built(model: Any, normalizer: Any, **more: Any) -> Any:
    """A network after a step or two, in eval mode, so that running statistics are its own."""
    made = zoo.build("smoke/res-gcn", {**OPTIONS, "model": model, "normalizer": normalizer, **more})
    made.trainer().fit()
    made.network.eval()
    return made


@pytest.mark.parametrize(
    ("model", "normalizer"),
    [
        ({"name": "res-gcn"}, {"name": "frobenius", "c": 0.5}),
        ({"name": "gcn", "conv.norm": "right"}, "spectral"),
        ({"name": "gcn", "ends": "conv"}, "none"),
        ({"name": "res-gat", "conv.heads": 4}, "weight-norm"),
        ({"name": "res-lipschitz-gat"}, "none"),
        ({"name": "stack", "conv": "gatv2", "residual": "initial"}, "none"),
        ({"name": "res-sage"}, ["frobenius", "batch"]),
        ({"name": "res-sage", "conv.aggregator": "sum"}, ["frobenius", "layer"]),
        ({"name": "res-gin", "conv.batch_norm": True}, {"name": "frobenius", "c": 0.2}),
        ({"name": "res-gcn", "share_weights": True}, ["frobenius", "message"]),
        ({"name": "jknet"}, "dgn"),
        ({"name": "gcnii"}, ["frobenius", "node"]),
        ({"name": "egnn"}, "none"),
        ({"name": "appnp"}, "none"),
        ({"name": "dagnn"}, "none"),
        ({"name": "res-mlp"}, "group"),
    ],
    ids=str,
)
@pytest.mark.parametrize("chunk", [37, 1000])
def test_it_equals_the_forward_pass(model: Any, normalizer: Any, chunk: int):
    """To 1e-5 of the largest output, for every row, whether chunks divide the nodes or hold them all."""
    flat = {key: value for key, value in model.items() if "." not in key}
    nested = {f"model.{key}": value for key, value in model.items() if "." in key}
    made = built(flat, normalizer, **nested)
    assert whole_reason(made.network) is None
    with torch.no_grad():
        wanted = made.network(made.task.graph, made.task.features)
    got = Layerwise(made.task.graph, chunk)(made.network, made.task.features)
    assert (got - wanted).abs().max() <= 1e-5 * wanted.abs().max()
    assert not got.requires_grad


@pytest.mark.parametrize(
    ("model", "normalizer", "who"),
    [
        ("res-gcn", "pair", "PairNorm"),
        ("res-gcn", "graph", "GraphNorm"),
        ("res-gcn", "instance", "InstanceNorm"),
        ("res-gcn", "contra", "ContraNorm"),
        ("g2", "none", "GatedBlock"),
        ("rev-gnn", "none", "ReversibleBlock"),
        ({"name": "stack", "conv": "dgl.nn.GraphConv", "residual": "add"}, "none", "DGLConv"),
    ],
)
def test_networks_that_mix_all_nodes_are_run_whole(model: Any, normalizer: Any, who: str):
    """The task falls back to one forward pass, and the record says why."""
    task = {"name": "nodes", "inference": "layerwise", "chunk": 37}
    made = built(model, normalizer, task=task)
    (choice,) = [str(choice) for choice in made.choices if choice.what == "inference"]
    assert choice.startswith(f"inference: whole ({who} computes")
    with torch.no_grad():
        outputs = made.network(made.task.graph, made.task.features)
    part = made.task.index["val"]
    assert made.task.scores(made.network)("val") == made.task.measure.score(outputs[part], made.task.labels[part])


def test_a_task_scores_and_predicts_by_it():
    """Scores, and the logits of a prediction, are those of the whole; the choice is recorded, and only if asked for."""
    plain = built("res-gcn", "frobenius")
    made = built("res-gcn", "frobenius", task={"name": "nodes", "inference": "layerwise", "chunk": 64})
    (choice,) = [str(choice) for choice in made.choices if choice.what == "inference"]
    assert choice == "inference: layer-wise, 64 nodes at a time (asked for)"
    assert not [choice for choice in plain.choices if choice.what == "inference"]
    one, other = (each.task.predict(each.network, "test") for each in (plain, made))
    torch.testing.assert_close(one.arrays["output"], other.arrays["output"], rtol=1e-5, atol=1e-5)
    assert one.score == other.score == made.task.scores(made.network)("test")


def test_runs_made_before_keep_their_identity():
    """`inference` and `chunk` at their defaults are no part of a recipe's identity."""
    plain = load("smoke/res-gcn")
    other = load("smoke/res-gcn", {"task": {"name": "nodes", "inference": "layerwise"}})
    assert "inference" in plain.task.options and plain.identity() != other.identity()
    assert load("smoke/res-gcn", {"task": {"name": "nodes", "chunk": 65536}}).identity() == plain.identity()
