"""What every sampler holds to: purity, workers, epochs, shares, and all that is built on a batch."""

import multiprocessing
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import zoo
from registry import samplers
from zoo.graphs import Graph
from zoo.graphs.block_graphs import BlockGraphs
from zoo.sampling.base import FullGraph, Sample, Sampler
from zoo.sampling.batching import TaskSetting

NODES, BLOCKS = 120, 3
OPTIONS: dict[str, dict[str, Any]] = {
    "full": {},
    "neighbor": {"fanouts": 2, "batch_size": 16},
    "cluster": {"parts": 12, "batch_parts": 3},
    "shadow": {"hops": 2, "fanout": 2, "batch_size": 16},
}
SAMPLED = [name for name in OPTIONS if name != "full"]

every = pytest.mark.parametrize("name", list(OPTIONS))
sampled = pytest.mark.parametrize("name", SAMPLED)


def graph() -> Graph:
    """A random graph with loops, and edge features that name the edges."""
    generator = torch.Generator().manual_seed(0)
    src, dst = torch.randint(NODES, (2, 600), generator=generator)
    every = torch.arange(NODES)
    src, dst = torch.cat([src, every]), torch.cat([dst, every])
    return Graph.from_edges(src, dst, NODES, edge_features=torch.arange(len(src))[:, None])


TARGETS = torch.arange(0, NODES, 2)


def make(name: str, seed: int = 0, rank: int = 0, processes: int = 1, **options: Any) -> Sampler:
    """A sampler of every second node, told of three blocks."""
    setting = TaskSetting(seed=seed, rank=rank, processes=processes)
    made = samplers.get(name)(graph(), TARGETS, setting, **OPTIONS[name], **options)
    made.for_blocks(BLOCKS)
    return made


def graphs_of(sample: Sample) -> list[Graph]:
    return sample.graph.blocks if isinstance(sample.graph, BlockGraphs) else [sample.graph]


def tensors(sample: Sample) -> list[Tensor]:
    """All that a sample is made of."""
    found = [sample.rows, sample.targets, torch.tensor(sample.weight)]
    found += [] if sample.nodes is None else [sample.nodes]
    for one in graphs_of(sample):
        found += [one.structure.src, one.structure.dst, torch.tensor([one.sources, one.nodes])]
    return found


def same(one: Iterator[Sample], other: Iterator[Sample]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(
        len(a) == len(b) and all(map(torch.equal, a, b)) for a, b in ((tensors(x), tensors(y)) for x, y in pairs)
    )


@every
def test_every_training_node_is_in_one_sample_of_an_epoch(name: str):
    """None is left out, none comes twice, and no other node is learned from; steps are counted right."""
    sampler = make(name)
    for epoch in (0, 1):
        samples = list(sampler.epoch(epoch))
        assert len(samples) == sampler.steps
        assert torch.cat([sample.targets for sample in samples]).sort().values.tolist() == TARGETS.tolist()


@every
def test_rows_are_the_targets(name: str):
    """The rows that count belong to the nodes that are named, among the nodes that are left."""
    for sample in make(name).epoch(3):
        nodes = torch.arange(NODES) if sample.nodes is None else sample.nodes
        left = sample.graph.at_destinations(nodes)
        assert torch.equal(left[sample.rows], sample.targets)
        assert sample.weight == 1


@every
def test_edges_of_a_sample_are_edges_of_the_graph(name: str):
    """Each joins the nodes that the whole graph's edge joins, whose features it carries."""
    src, dst = graph().structure.src, graph().structure.dst
    for sample in make(name).epoch(0):
        nodes = torch.arange(NODES) if sample.nodes is None else sample.nodes
        for one in graphs_of(sample):
            assert one.edge_features is not None
            edges = one.edge_features[:, 0]
            assert torch.equal(nodes[one.structure.src.long()], src[edges].long())
            assert torch.equal(nodes[one.structure.dst.long()], dst[edges].long())


@sampled
def test_samples_depend_on_seed_epoch_and_number_alone(name: str):
    """The same again whatever was drawn meanwhile; another seed or epoch gives others; one may start anywhere."""
    sampler = make(name)
    first = list(sampler.epoch(1))
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    list(sampler.epoch(0))
    assert same(iter(first), make(name).epoch(1))
    assert same(iter(first[2:]), sampler.epoch(1, 2))
    assert not same(iter(first), sampler.epoch(2))
    assert not same(iter(first), make(name, seed=1).epoch(1))


@sampled
def test_samples_of_an_epoch_differ(name: str):
    """No two draw the same edges."""
    edges = [tuple(graphs_of(sample)[0].structure.src.tolist()) for sample in make(name).epoch(0)]
    assert len(set(edges)) == len(edges)


@sampled
def test_workers_change_nothing(name: str):
    """Two worker processes give what none gives, in each epoch, from any start; PyTorch's random state stays."""
    alone, helped = make(name), make(name, workers=2)
    state = torch.get_rng_state()
    assert same(alone.epoch(0), helped.epoch(0)) and same(alone.epoch(1, 1), helped.epoch(1, 1))
    assert torch.equal(state, torch.get_rng_state())
    assert not multiprocessing.active_children()


@sampled
def test_the_number_of_threads_changes_nothing(name: str):
    """One thread or two: DGL keeps random numbers for each."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        two = list(make(name).epoch(0))
        torch.set_num_threads(1)
        assert same(iter(two), make(name).epoch(0))
    finally:
        torch.set_num_threads(before)


@sampled
def test_workers_end_with_the_iterator(name: str):
    """A look at the first sample starts none; left in the middle of an epoch, none stays behind."""
    samples = make(name, workers=2).epoch(0)
    next(samples)
    assert not multiprocessing.active_children()
    next(samples)
    assert len(multiprocessing.active_children()) == 2
    del samples
    assert not multiprocessing.active_children()


@every
@pytest.mark.parametrize("processes", [2, 3])
def test_shares_are_disjoint_and_cover(name: str, processes: int):
    """Together the processes' samples hold each training node once, and their weighted means are the batch's mean."""
    epochs = [list(make(name, rank=rank, processes=processes).epoch(1)) for rank in range(processes)]
    values = torch.randn(NODES, dtype=torch.float64)
    seen = []
    for shares in zip(*epochs, strict=True):
        seen += [share.targets for share in shares]
        batch = values[torch.cat([share.targets for share in shares])].mean()
        means = [share.weight * values[share.targets].mean() for share in shares if len(share.targets)]
        assert float(sum(means)) / processes == pytest.approx(float(batch))
    assert torch.cat(seen).sort().values.tolist() == TARGETS.tolist()


Build = Callable[..., Any]
SMALL: dict[str, dict[str, Any]] = {
    "neighbor": {"name": "neighbor", "fanouts": 2, "batch_size": 40},
    "cluster": {"name": "cluster", "parts": 6, "batch_parts": 2},
    "shadow": {"name": "shadow", "hops": 1, "fanout": 3, "batch_size": 40},
}
DEEP = {"model.depth": 16, "normalizer": {"name": "frobenius", "c": "auto"}}


@sampled
def test_a_deep_residual_network_trains_with_every_probe(name: str, tmp_path: Any):
    """16 residual blocks: c is calibrated on a sample, all probes read numbers, and a verdict is given."""
    recipe = {"task": {"name": "nodes", "sampler": SMALL[name]}, **DEEP, "training.duration": "2 epochs"}
    run = zoo.train("smoke/res-gcn", {**recipe, "probes": {"name": "deep", "every": "1 step"}}, runs=tmp_path)
    assert run.status == "finished" and run.result["diagnosis"]["verdict"]
    (chosen,) = [choice for choice in run.environment["choices"] if choice["what"] == "c"]
    assert "inside the band" in chosen["why"]
    for quantity in ("gradients.mu.plain", "gradients.mu.limit", "representations.ratio.degree", "jacobian.rms"):
        values = np.array([row[quantity] for row in run.probes], dtype=float)
        assert values.shape[1] == 16 and np.isfinite(values).all(), quantity


@sampled
@pytest.mark.parametrize("model", ["gcnii", "jknet", "res-gat", "res-gin", "res-sage", "appnp", "dagnn", "egnn"])
def test_networks_of_all_kinds_train_on_samples(name: str, model: str):
    """One step each: X_0, readouts over all blocks, and attention, on the rows that are left."""
    recipe = {"task": {"name": "nodes", "sampler": SMALL[name]}, "model": {"name": model, "depth": 3}}
    built = zoo.build("smoke/res-gcn", {**recipe, "normalizer": "none", "regularizer": ["drop-edge", "skip-node"]})
    loss = built.task.loss(built.network.train(), next(iter(built.task.batches(0))))
    loss.backward()
    assert torch.isfinite(loss)


def test_all_in_edges_train_as_the_whole_graph_does():
    """Neighbour sampling of everything gives full-batch training's loss and gradients."""
    found = {}
    for sampler in ("full", {"name": "neighbor", "fanouts": -1, "batch_size": 200}):
        for model in ("gcnii", "jknet", "res-gat", "res-gin", "res-sage", "dagnn"):
            recipe = {"task": {"name": "nodes", "sampler": sampler}, "model": {"name": model, "depth": 3}}
            built = zoo.build("smoke/res-gcn", {**recipe, "model.dropout": 0.0, "normalizer": "none"})
            loss = built.task.loss(built.network.train(), next(iter(built.task.batches(0))))
            loss.backward()
            found.setdefault(model, []).append([loss.detach(), *(p.grad for p in built.network.parameters())])
    for model, (one, other) in found.items():
        for a, b in zip(one, other, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5, msg=partial("{}: {}".format, model))


CIRCLE = Graph.from_edges(torch.tensor([0, 1, 2, 3]), torch.tensor([1, 2, 3, 0]), 4)
OF_CIRCLE = torch.tensor([3, 1, 0])


def test_an_epoch_is_one_sample_of_the_whole():
    """The graph itself, all its nodes as inputs, and every training node once in its order."""
    sampler = FullGraph(CIRCLE, OF_CIRCLE, TaskSetting(seed=5))
    assert (sampler.steps, sampler.nodes_per_step) == (1, 4)
    for epoch in (0, 7):
        (sample,) = sampler.epoch(epoch)
        assert sample.graph is CIRCLE and sample.nodes is None and sample.weight == 1
        assert sample.rows.tolist() == sample.targets.tolist() == [3, 1, 0]
    assert list(sampler.epoch(0, start=1)) == []


def test_processes_share_the_training_nodes():
    """Each has its own on the whole graph, with the weight that makes their mean the mean over all."""
    samples = [next(iter(FullGraph(CIRCLE, OF_CIRCLE, TaskSetting(0, "auto", rank, 2)).epoch(0))) for rank in (0, 1)]
    assert sorted(node for sample in samples for node in sample.targets.tolist()) == [0, 1, 3]
    values = torch.tensor([5.0, 7.0, 0.0, 12.0])
    means = [sample.weight * values[sample.rows].mean().item() for sample in samples]
    assert sum(means) / 2 == pytest.approx(8.0)


def test_moving_a_sample_moves_all_of_it():
    """Rows and targets are where the graph is."""
    (sample,) = FullGraph(CIRCLE, OF_CIRCLE, TaskSetting()).epoch(0)
    moved = sample.to(torch.device("meta"))
    assert {moved.rows.device.type, moved.targets.device.type} == {"meta"} and moved.nodes is None
