"""What holds for every regulariser, and for one of a user's own."""

import json

import pytest
import torch

import zoo
from registry import regularizers
from zoo.graphs import Graph
from zoo.regularizers import Regularizer
from zoo.training.steps import first_loss

NAMES = regularizers.names()
RANDOM = ["drop-edge", {"name": "drop-edge", "per_block": True}, "drop-node", {"name": "drop-node", "kind": "edges"}]
RANDOM += ["skip-node", {"name": "skip-node", "sampling": "biased"}]


@pytest.mark.parametrize("name", NAMES)
def test_evaluation_is_that_of_the_same_network_without_it(name):
    """In eval mode outputs are bit for bit those of no regulariser, and no random number is drawn."""
    plain, built = zoo.build("smoke/res-gcn"), zoo.build("smoke/res-gcn", {"regularizer": name})
    state = torch.get_rng_state()
    found = built.network.eval()(built.graph, built.data.features)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(found, plain.network.eval()(plain.graph, plain.data.features))


@pytest.mark.parametrize("written", RANDOM, ids=json.dumps)
def test_training_is_random_and_seeded(written):
    """Two passes differ; the same generator state gives the same pass and the same gradients."""
    built = zoo.build("smoke/res-gcn", {"regularizer": written})

    def gradients() -> list[torch.Tensor]:
        return list(torch.autograd.grad(first_loss(built.network, built.task), list(built.network.parameters())))

    torch.manual_seed(1)
    first, second = gradients(), gradients()
    torch.manual_seed(1)
    again = gradients()
    assert all(map(torch.equal, first, again))
    assert not all(map(torch.equal, first, second))


@pytest.mark.parametrize("written", RANDOM, ids=json.dumps)
def test_probes_change_nothing(written, tmp_path):
    """A run that is probed at every step, deeply, ends with the weights of one that is not."""
    runs = [
        zoo.train("smoke/res-gcn", {"regularizer": written, "probes": probes}, runs=tmp_path / str(number))
        for number, probes in enumerate(["none", [{"name": "deep", "every": 1}, {"name": "jacobian-gain", "every": 1}]])
    ]
    weights = [(run.path / "model.safetensors").read_bytes() for run in runs]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("subspace", ["degree", "limit"])
def test_probes_measure_by_the_whole_graph(subspace):
    """What counts as smooth is a subspace of the graph that was given, not of the one that was drawn."""
    built = zoo.build("smoke/res-gcn", {"regularizer": {"name": "drop-edge", "p": 0.8}})
    (drop,) = [module for module in built.network.regularizers if isinstance(module, Regularizer)]
    thin = drop.drop_edges(built.graph)
    assert isinstance(thin, Graph)
    assert thin.subspace(subspace, "both") is built.graph.subspace(subspace, "both")


class Unplugged(Exception):
    """Stands for whatever ends a process."""


@pytest.mark.parametrize("name", ["smoke/drop-edge", "smoke/drop-node", "smoke/skip-node"])
def test_a_resumed_run_ends_bitwise_like_an_uninterrupted_one(name, tmp_path):
    """What is drawn after a resumption is what would have been drawn."""
    changes = {"training.duration": 24, "training.save": "5 epochs", "training.patience": None}
    whole = zoo.train(name, changes, runs=tmp_path / "whole")

    class Watcher:
        def measured(self, row):
            if row["step"] >= 13:
                raise Unplugged

        def probed(self, row):
            pass

    with pytest.raises(Unplugged):
        zoo.train(name, changes, runs=tmp_path / "broken", watch=lambda built: Watcher())
    resumed = zoo.train(name, changes, runs=tmp_path / "broken", resume=True)
    assert resumed.metrics["loss"].equals(whole.metrics["loss"])
    assert (resumed.path / "model.safetensors").read_bytes() == (whole.path / "model.safetensors").read_bytes()


def test_several_act_together_with_a_normaliser_and_calibration(tmp_path):
    """A list of all of them trains beside `c: auto`, with attention, on a foreign convolution, and in bf16."""
    everything = {"regularizer": ["drop-edge", "drop-node", "skip-node", "orthogonality"]}
    for recipe, change in (
        ("smoke/res-gcn", {"normalizer": {"name": "frobenius", "c": "auto"}}),
        ("smoke/res-gat", {}),
        ("smoke/dgl-conv", {}),
        ("smoke/bf16", {}),
    ):
        run = zoo.train(recipe, {**everything, **change}, runs=tmp_path)
        assert run.status in ("finished", "stopped early")
        assert run.metrics["loss"].notna().all()


def test_one_of_a_users_own(tmp_path):
    """A registered class is found by its name, gets its options, and acts in training only."""

    @regularizers.register("shout")
    class Shout(Regularizer):
        """Features times a number."""

        def __init__(self, *, times: float = 2.0) -> None:
            super().__init__()
            self.times = times

        def features(self, graph, x):
            return self.times * x

    built = zoo.build("smoke/res-gcn", {"regularizer": {"name": "shout", "times": 3.0}})
    network, x = built.network, built.data.features
    assert torch.equal(network.train()(built.graph, x), network.eval()(built.graph, 3 * x))


def test_thin_is_drop_edges_by_its_old_name():
    """A plug-in that was written against 0.1.0 works unchanged."""

    class Old(Regularizer):
        def thin(self, graph):
            return graph.thinned(torch.arange(graph.edges) % 2 == 0)

    class Older(Old):
        """Inherits it."""

    graph = zoo.build("smoke/res-gcn").graph
    assert Old().drop_edges(graph).edges == Older().drop_edges(graph).edges == (graph.edges + 1) // 2
