"""Full-batch training: one sample, the whole."""

import pytest
import torch

from zoo.graphs.graph import Graph
from zoo.sampling.batching import TaskSetting
from zoo.sampling.full_graph import FullGraph

GRAPH = Graph.from_edges(torch.tensor([0, 1, 2, 3]), torch.tensor([1, 2, 3, 0]), 4)
TARGETS = torch.tensor([3, 1, 0])


def test_an_epoch_is_one_sample_of_the_whole():
    """The graph itself, all its nodes as inputs, and every training node once in its order."""
    sampler = FullGraph(GRAPH, TARGETS, TaskSetting(seed=5))
    assert (sampler.steps, sampler.nodes_per_step) == (1, 4)
    for epoch in (0, 7):
        (sample,) = sampler.epoch(epoch)
        assert sample.graph is GRAPH and sample.nodes is None and sample.weight == 1
        assert sample.rows.tolist() == sample.targets.tolist() == [3, 1, 0]
    assert list(sampler.epoch(0, start=1)) == []


def test_processes_share_the_training_nodes():
    """Each has its own on the whole graph, with the weight that makes their mean the mean over all."""
    samples = [next(iter(FullGraph(GRAPH, TARGETS, TaskSetting(0, "auto", rank, 2)).epoch(0))) for rank in (0, 1)]
    assert sorted(node for sample in samples for node in sample.targets.tolist()) == [0, 1, 3]
    values = torch.tensor([5.0, 7.0, 0.0, 12.0])
    means = [sample.weight * values[sample.rows].mean().item() for sample in samples]
    assert sum(means) / 2 == pytest.approx(8.0)


def test_moving_a_sample_moves_all_of_it():
    """Rows and targets are where the graph is."""
    (sample,) = FullGraph(GRAPH, TARGETS, TaskSetting()).epoch(0)
    moved = sample.to(torch.device("meta"))
    assert {moved.rows.device.type, moved.targets.device.type} == {"meta"} and moved.nodes is None
