"""Data at the edge of what can be trained on, through every model and normaliser: finite numbers, or a refusal."""

import math
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest
import torch

import zoo
from registry import datasets, models, normalizers
from zoo.datasets.base import NodeData
from zoo.errors import BuildError
from zoo.training.steps import first_loss

NODES, COLUMNS = 12, 5
RING = [(node, (node + 1) % NODES) for node in range(NODES)]
EDGES: dict[str, list[tuple[int, int]]] = {
    "no edges": [],
    "isolated nodes": RING[:5],
    "loops only": [(node, node) for node in range(NODES)],
    "edges several times": RING * 3,
    "a ring": RING,
}
FEATURES = {
    "drawn": torch.randn(NODES, COLUMNS, generator=torch.Generator().manual_seed(0)),
    "zeros": torch.zeros(NODES, COLUMNS),
    "all the same": torch.ones(NODES, COLUMNS),
    "subnormal": torch.full((NODES, COLUMNS), 1e-42),
    "one column": torch.randn(NODES, 1, generator=torch.Generator().manual_seed(1)),
}
CASES = [("no edges", "drawn"), ("isolated nodes", "drawn"), ("loops only", "drawn"), ("edges several times", "drawn")]
CASES += [("a ring", "zeros"), ("a ring", "all the same"), ("a ring", "subnormal"), ("a ring", "one column")]
CASES += [("no edges", "zeros")]
ON_EDGES = ("gine", "res-gine", "gcn-edge", "res-gcn-edge")


def data(edges: str = "a ring", features: str = "drawn", *, on_edges: bool = False, **changes: Any) -> NodeData:
    """Twelve nodes of three classes."""
    src, dst = (torch.tensor([pair[end] for pair in EDGES[edges]], dtype=torch.int64) for end in (0, 1))
    carried = torch.ones(len(src), 2) if on_edges else None
    given: dict[str, Any] = {"features": FEATURES[features], "labels": torch.arange(NODES) % 3, "classes": 3, **changes}
    return NodeData("odd", src, dst, edge_features=carried, **given)


def built(changes: dict[str, Any], **of: Any) -> Any:
    """The objects of a recipe of three blocks of eight columns on such data."""
    if "odd" in datasets.names():
        datasets.unregister("odd")
    datasets.register("odd")(lambda store: data(**of))
    small = {"dataset": "odd", "model": {"name": "res-gcn", "depth": 3, "width": 8}, "prepare.self_loops": "keep"}
    return zoo.build("smoke/res-gcn", {**small, "execution.device": "cpu", "normalizer": "none", **changes})


def assert_trains(of: Any, said: str) -> None:
    """The probes could be read before training, two steps have finite losses and gradients, and a score is a number."""
    assert all(value.dtype == float for value in of.initial.values()), said
    for _ in range(2):
        of.optimizer.zero_grad()
        loss = first_loss(of.network, of.task)
        loss.backward()
        gradients = [parameter.grad for parameter in of.network.parameters() if parameter.grad is not None]
        assert loss.isfinite() and all(gradient.isfinite().all() for gradient in gradients), said
        of.optimizer.step()
        of.network.project()
    with torch.no_grad():
        assert math.isfinite(of.task.scores(of.network.eval())("val")), said


def pairs() -> Iterator[tuple[str, list[tuple[str, tuple[str, str]]]]]:
    """Every model with every normaliser, each pair with the next case."""
    cases = cycle(CASES)
    for model in models.names():
        yield model, [(normalizer, next(cases)) for normalizer in normalizers.names()]


@pytest.mark.parametrize(("model", "against"), list(pairs()), ids=models.names())
def test_every_model_with_every_normalizer_stays_finite(model, against):
    """Zeros, constants, subnormal numbers, one column, no edges, isolated nodes, loops, repetitions: all train."""
    on_edges = model in ON_EDGES
    extra = {"conv": "gcn"} if model in ("stack", "g2", "rev-gnn") else {}
    extra |= {"residual": "initial"} if model == "stack" else {}
    if on_edges:
        extra = {"conv": {"edge_embedding": {"name": "linear", "columns": 2}}}
    wide = {} if model == "sgc" else {"width": 8}
    for normalizer, (edges, features) in against:
        changes = {
            "model": {"name": model, "depth": 3, **wide, **extra},
            "normalizer": {"name": "group", "groups": 1} if normalizer == "group" else normalizer,
            "prepare.direction": "keep" if on_edges else "both",
        }
        said = f"{model} with {normalizer} on {edges}, features {features}"
        try:
            made = built(changes, edges=edges, features=features, on_edges=on_edges)
        except BuildError as error:
            assert "no weight matrix inside its blocks" in str(error), said
            continue
        assert_trains(made, said)


@pytest.mark.parametrize("c", ["auto", "adaptive"])
@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_a_bound_that_is_found_is_a_number(c, case):
    """Both `c: auto` and a controller end with a finite c above 0, whatever there is to calibrate it by."""
    edges, features = case
    made = built({"normalizer": {"name": "frobenius", "c": c}}, edges=edges, features=features)
    ((_, found),) = made.network.bounds()
    assert found.isfinite().all() and (found > 0).all()
    assert_trains(made, str(case))


@pytest.mark.parametrize("changes", [{"model.depth": 1}, {"model.width": 1}, {"model.depth": 1, "model.width": 1}])
@pytest.mark.parametrize("normalizer", ["none", "layer", "batch", "frobenius", "spectral", "orthogonal"])
def test_one_block_and_one_column_are_enough(changes, normalizer):
    """A network of one block, or of blocks of one column, can be built, probed and trained."""
    assert_trains(built({"normalizer": normalizer, **changes}), str(changes))


@pytest.mark.parametrize("c", ["auto", "adaptive"])
def test_without_a_gradient_the_bound_stays_and_the_record_says_why(c):
    """With one class the loss is 0 whatever is predicted: c stays 1, and is not driven to its lower end."""
    one = built({"normalizer": {"name": "frobenius", "c": c}}, labels=torch.zeros(NODES, dtype=torch.int64), classes=1)
    (chosen,) = (choice for choice in one.choices if choice.what == "c")
    assert float(chosen.chosen) == 1 and "no gradient reaches the blocks" in chosen.why
