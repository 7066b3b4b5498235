"""RevGNN as built from recipes: the same network as its plain twin, in the memory of a few blocks."""

import json
import os
import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import zoo
from registry import convs
from zoo.builder import Built
from zoo.errors import BuildError
from zoo.graphs import Graph
from zoo.layers.gcn import GCNConv
from zoo.models.rev_gnn import RevGNN
from zoo.probes.jacobian import JacobianGain
from zoo.probes.presets import deep
from zoo.probes.snapshot import snapshot

NODES = 60
READ_EDGES = {"gine", "gcn-edge"}
rev_gnn = partial(RevGNN, conv=GCNConv, activation=nn.ReLU, width=4)


def build(reversible: bool, **changes: Any) -> Built:
    """The smoke recipe (dropout, batch normalisation, Frobenius) in float64."""
    overrides = {"dataset.nodes": NODES, "model.reversible": reversible, **changes}
    built = zoo.build("smoke/rev-gnn", overrides, device="cpu")
    built.network.double().train()
    return built


def loss_of(built: Built) -> Tensor:
    torch.manual_seed(11)
    logits = built.network(built.graph, built.data.features.double())
    return functional.cross_entropy(logits[built.split.train], built.data.labels[built.split.train])


def test_the_network_in_closed_form():
    """Dropout → linear → X_1 + f_1(X_2), X_2 + f_2(X'_1) → relu → linear, on a graph of self-loops alone."""
    loops = torch.arange(5)
    graph = Graph.from_edges(loops, loops, 5)
    network: Any = rev_gnn(7, 3, [], depth=1).double()
    x = torch.randn(5, 7, dtype=torch.float64)
    h = x @ network.encoder.linear.weight + network.encoder.linear.bias
    one, two = network.blocks[0].conv
    first = h[:, :2] + h[:, 2:].relu() @ one.weight + one.bias
    second = h[:, 2:] + first.relu() @ two.weight + two.bias
    expected = torch.cat([first, second], dim=1).relu() @ network.head.linear.weight + network.head.linear.bias
    torch.testing.assert_close(network(graph, x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"normalizer": [{"name": "frobenius", "c": 0.5, "mode": "project"}]},
        {"normalizer": ["spectral", "layer"], "model.groups": 4},
        {"normalizer": {"name": "frobenius", "c": "auto"}, "model.conv": {"name": "gat", "heads": 2}},
    ],
    ids=["frobenius and batch", "project", "spectral and layer", "auto, gat"],
)
def test_gradients_of_the_stored_weights_are_the_plain_twins(changes: dict[str, Any]):
    """Through normalised weights that stand in for them, with dropout: 1e-10; running statistics are equal too."""
    found = {}
    for reversible in (True, False):
        built = build(reversible, **changes)
        loss_of(built).backward()
        found[reversible] = built
    for (name, mine), other in zip(
        found[True].network.named_parameters(), found[False].network.parameters(), strict=True
    ):
        assert torch.equal(mine, other), name
        torch.testing.assert_close(mine.grad, other.grad, rtol=0, atol=1e-10, msg=name)
    for mine, other in zip(found[True].network.buffers(), found[False].network.buffers(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-12)


def test_probes_read_the_plain_twins_numbers():
    """Every probe of the set `deep`, gradients and representations alike; and measuring leaves no mark."""
    one, other = build(True), build(False)
    before = [buffer.clone() for buffer in one.network.buffers()]
    mine, theirs = (snapshot(built.network, deep(), partial(loss_of, built)) for built in (one, other))
    assert set(mine) == set(theirs) and theirs["gradients.norm"].min() > 0
    for name, series in theirs.items():
        np.testing.assert_allclose(mine[name], series, rtol=1e-8, atol=1e-10, err_msg=name)
    assert all(torch.equal(a, b) for a, b in zip(before, one.network.buffers(), strict=True))


def test_what_needs_gradients_of_gradients_says_so():
    """The largest Jacobian gain does; of the plain twin it is read."""
    probe = JacobianGain(kind="largest")
    built = build(True)
    with pytest.raises(BuildError, match=r"model.reversible=false"):
        snapshot(built.network, [probe], partial(loss_of, built))
    built = build(False)
    assert snapshot(built.network, [probe], partial(loss_of, built))["jacobian.largest"].min() > 0


def test_a_training_is_the_plain_twins(tmp_path):
    """Losses and accuracies of every epoch, in float32 with dropout."""
    runs = [
        zoo.train("smoke/rev-gnn", {"model.reversible": reversible, "training.duration": 15}, runs=tmp_path)
        for reversible in (True, False)
    ]
    for column in ("loss", "val"):
        np.testing.assert_allclose(runs[0].metrics[column], runs[1].metrics[column], rtol=1e-5)
    assert runs[0].metrics["loss"].iloc[-1] < runs[0].metrics["loss"].iloc[0]


def test_a_resumed_run_ends_as_the_whole_one(tmp_path):
    """Broken off and resumed, the metrics and weights are bitwise those of the run that went through."""
    changes = {"training.duration": 12, "training.save": "5 epochs", "training.patience": None}

    class Unplugged(Exception):
        pass

    class Watcher:
        def measured(self, row):
            if row["step"] >= 7:
                raise Unplugged

        def probed(self, row):
            pass

    whole = zoo.train("smoke/rev-gnn", changes, runs=tmp_path / "whole")
    with pytest.raises(Unplugged):
        zoo.train("smoke/rev-gnn", changes, runs=tmp_path / "broken", watch=lambda built: Watcher())
    resumed = zoo.train("smoke/rev-gnn", changes, runs=tmp_path / "broken", resume=True)
    assert resumed.metrics["loss"].equals(whole.metrics["loss"])
    assert (resumed.path / "model.safetensors").read_bytes() == (whole.path / "model.safetensors").read_bytes()


def test_bf16_trains(tmp_path):
    """Under autocast, too, the head gets what it can compute with."""
    assert zoo.train("smoke/rev-gnn", {"training.precision": "bf16"}, runs=tmp_path).status == "finished"


@pytest.mark.parametrize("conv", sorted({name for name in convs.names() if not name.endswith("*")} - READ_EDGES))
def test_every_convolution_of_the_catalog_fits(conv: str):
    """Gradients with each of them that goes without edge features are the plain twin's."""
    found = []
    for reversible in (True, False):
        built = build(reversible, **{"model.conv": conv})
        loss_of(built).backward()
        found.append({name: parameter.grad for name, parameter in built.network.named_parameters()})
    assert all(gradient is not None for gradient in found[1].values())
    for name, gradient in found[1].items():
        torch.testing.assert_close(found[0][name], gradient, rtol=0, atol=1e-10, msg=name)


@pytest.mark.parametrize(
    ("width", "groups", "nearest"), [(64, 3, "groups: 2"), (7, 2, "groups: 7"), (1, 2, "width: 2, groups: 2")]
)
def test_groups_have_to_divide_the_width(width: int, groups: int, nearest: str):
    """The error names the nearest number that does."""
    with pytest.raises(BuildError, match=f"do not divide the width {width} .* nearest: {nearest}"):
        rev_gnn(7, 3, [], width=width, groups=groups)


MEMORY = """
import json, re, torch
from torch import nn
from zoo.graphs import Graph
from zoo.layers.linear import MLPConv
from zoo.models.rev_gnn import RevGNN
from zoo.normalizers.standard import LayerNorm

nodes, width = 2000, 64
loops = torch.arange(nodes)
graph, x = Graph.from_edges(loops, loops, nodes), torch.randn(nodes, width)

def peak(depth, reversible):
    network = RevGNN(width, 3, [LayerNorm], conv=MLPConv, activation=nn.ReLU, depth=depth, width=width,
                     dropout=0.1, reversible=reversible)
    network(graph, x).square().sum().backward()
    # Not ru_maxrss, which begins with the size of the process that started this one.
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])

print(json.dumps([peak(8, True), peak(64, True), peak(64, False)]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak in /proc")
def test_peak_memory_does_not_grow_with_depth():
    """From 8 to 64 blocks the process grows by less than a tenth of what the plain twin adds to it."""
    # glibc keeps freed matrices between small allocations that last, and cannot use them again for one of that size.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, env=environment, check=True)
    shallow, deep_one, plain = json.loads(done.stdout)
    matrix = 2000 * 64 * 4 / 1024
    assert plain - deep_one > 64 * matrix
    assert deep_one - shallow < 0.1 * (plain - deep_one)
