"""Dot products along edges, against the ends' features gathered edge by edge."""

import pytest
import torch

from zoo.engine import structure
from zoo.engine.structure import Structure


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("sources", "nodes", "edges"), [(1, 1, 7), (9, 4, 30), (9, 4, 50), (3, 2, 0)])
@pytest.mark.parametrize("copied", [1, 40, 2**20])
def test_dots_along_edges(monkeypatch, dtype, sources, nodes, edges, copied):
    """In either precision, with fewer and with more edges than pairs of nodes, and however many are copied at once."""
    monkeypatch.setattr(structure, "_COPIED", copied)
    generator = torch.Generator().manual_seed(0)
    src = torch.randint(0, sources, (edges,), generator=generator)
    dst = torch.randint(0, nodes, (edges,), generator=generator)
    left, right = (torch.randn(count, 3, 4, dtype=dtype, generator=generator) for count in (sources, nodes))
    found = Structure.of(src, dst, sources, nodes).incoming.edge_dot(right, left)
    torch.testing.assert_close(found, (left[src] * right[dst]).sum(-1))
