"""Neighbour sampling: what a draw holds, how many, how likely, and which fan-outs are taken."""

from typing import Any

import pytest
import torch

from zoo.errors import BuildError, RecipeError
from zoo.graphs import Graph
from zoo.graphs.block_graphs import BlockGraphs
from zoo.recipe.load import load
from zoo.sampling.base import Sample
from zoo.sampling.batching import TaskSetting
from zoo.sampling.neighbor import NeighborSampler


def star(sources: int = 6) -> Graph:
    """All nodes point at node 0, and every node at itself."""
    others = torch.arange(1, sources + 1)
    every = torch.arange(sources + 1)
    return Graph.from_edges(torch.cat([others, every]), torch.cat([torch.zeros_like(others), every]), sources + 1)


def sampler(graph: Graph, blocks: int, targets: Any = (0,), **options: Any) -> NeighborSampler:
    """A sampler that was told the depth."""
    made = NeighborSampler(graph, torch.tensor(targets), TaskSetting(), **options)
    made.for_blocks(blocks)
    return made


def blocks_of(sample: Sample) -> list[Graph]:
    """The sample's graphs, one for each block."""
    assert isinstance(sample.graph, BlockGraphs)
    return sample.graph.blocks


def test_each_node_has_its_loop_and_as_many_others_as_the_fan_out():
    """Of six in-neighbours two, and the loop; where there are fewer, all; −1 takes all in every block."""
    for fanout, edges in ((2, 3), (6, 7), (9, 7), (-1, 7)):
        (sample,) = sampler(star(), 1, fanouts=fanout).epoch(0)
        (block,) = blocks_of(sample)
        src, dst = block.structure.src.tolist(), block.structure.dst.tolist()
        assert len(src) == len(set(src)) == edges and set(dst) == {0} and 0 in src


def test_fan_outs_are_those_of_the_blocks_first_block_first():
    """The last number is that of the training nodes' own in-edges."""
    src, dst = torch.tensor([[a, b] for a in range(20) for b in range(20) if a != b]).T
    (sample,) = sampler(Graph.from_edges(src, dst, 20), 3, fanouts=[4, 1, 2]).epoch(0)
    for block, fanout in zip(blocks_of(sample), (4, 1, 2), strict=True):
        assert block.structure.incoming.lengths.tolist() == [fanout] * block.nodes


def test_all_in_edges_are_equally_likely():
    """Each of six in-neighbours is drawn in a third of the epochs, within four standard errors."""
    made = sampler(star(), 1, fanouts=2)
    counts = torch.zeros(7)
    epochs = 400
    for epoch in range(epochs):
        (sample,) = made.epoch(epoch)
        counts[sample.nodes] += 1
    error = (epochs * (1 / 3) * (2 / 3)) ** 0.5
    assert counts[0] == epochs and ((counts[1:] - epochs / 3).abs() < 4 * error).all()


def test_repeated_edges_and_loops_are_kept_apart():
    """A double edge is two edges, of which both are taken; both loops of a node are."""
    graph = Graph.from_edges(torch.tensor([1, 1, 0, 0]), torch.tensor([0, 0, 0, 0]), 2)
    (sample,) = sampler(graph, 1, fanouts=2).epoch(0)
    x = torch.tensor([[10.0], [1.0]])
    assert blocks_of(sample)[0].propagate(x[sample.nodes], "sum").tolist() == [[22.0]]


def test_a_list_of_another_length_is_refused():
    """The message has both numbers."""
    with pytest.raises(BuildError, match=r"task.sampler.fanouts — 2 are given, and the network has 3 blocks"):
        sampler(star(), 3, fanouts=[5, 5])
    with pytest.raises(BuildError, match="was not told how many blocks"):
        next(NeighborSampler(star(), torch.tensor([0]), TaskSetting()).epoch(0))


@pytest.mark.parametrize("fanouts", [0, [5, -2], "many"])
def test_a_fan_out_is_a_number_of_edges_or_minus_one(fanouts: Any):
    """Recipes with anything else are refused where they are checked."""
    with pytest.raises(RecipeError, match=r"sampler.*fanouts"):
        load("smoke/res-gcn", {"task": {"name": "nodes", "sampler": {"name": "neighbor", "fanouts": fanouts}}})


def test_a_recipe_may_list_fan_outs():
    """A list is read as written."""
    recipe = load("smoke/res-gcn", {"task": {"name": "nodes", "sampler": {"name": "neighbor", "fanouts": [3, 5]}}})
    assert list(recipe.task.options["sampler"].options["fanouts"]) == [3, 5]


def test_a_process_without_a_node_of_the_last_batch_gets_an_empty_flow():
    """One training node, two processes: the second one's sample has no rows and no weight."""
    made = NeighborSampler(star(), torch.tensor([0]), TaskSetting(rank=1, processes=2))
    made.for_blocks(2)
    (sample,) = made.epoch(0)
    assert (sample.graph.nodes, len(sample.rows), sample.weight) == (0, 0, 0.0)
