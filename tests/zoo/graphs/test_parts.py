"""Parts by METIS."""

import pytest
import torch

from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.graphs import Graph
from zoo.graphs.parts import metis_parts


def ring(nodes: int = 60) -> Graph:
    """A directed ring: cutting it into k pieces cuts k edges."""
    every = torch.arange(nodes)
    return Graph.from_edges(every, (every + 1) % nodes, nodes)


def test_parts_are_even_with_few_edges_between_them(capfd):
    """Four pieces of a ring are about equal and cut a few of 60 edges; nothing is printed."""
    graph = ring()
    parts = metis_parts(graph, 4)
    sizes = torch.bincount(parts, minlength=4)
    assert len(sizes) == 4 and sizes.min() >= 12 and sizes.max() <= 18
    src, dst = graph.structure.src.long(), graph.structure.dst.long()
    assert int((parts[src] != parts[dst]).sum()) <= 12
    assert torch.equal(parts, metis_parts(ring(), 4))
    before = [torch.randint(2**31, (int(size),)) for size in torch.randint(4000, (200,))]
    for _ in range(20):  # whatever lies in memory that was given back
        del before[::2]
        before += [torch.randint(2**31, (int(size),)) for size in torch.randint(4000, (100,))]
        assert torch.equal(parts, metis_parts(ring(), 4))
    assert capfd.readouterr() == ("", "")


def test_one_part_is_all():
    """Nothing to be cut."""
    assert metis_parts(ring(5), 1).tolist() == [0] * 5


@pytest.mark.parametrize("failure", [dgl.DGLError("no metis"), None])
def test_a_build_without_metis_says_so(failure, monkeypatch):
    """Whether DGL raises or hands back nothing."""

    def fail(*_):
        if failure:
            raise failure

    monkeypatch.setattr(dgl, "metis_partition_assignment", fail)
    with pytest.raises(BuildError, match=r"METIS — .* — expected a build of DGL that has it — by=random"):
        metis_parts(ring(), 2)
