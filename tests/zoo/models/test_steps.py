"""Steps of propagation as blocks."""

import torch
from torch import nn

from zoo.graphs import Graph
from zoo.layers.residual import InitialSkip, NoSkip
from zoo.models.steps import steps


def test_each_step_propagates_mixes_and_normalises():
    """Dense float64: X_l = 2·((1−α) Â X_{l−1} + α X_0) with a norm that doubles; no step has a parameter."""
    ring = torch.arange(5)
    after = (ring + 1) % 5
    graph = Graph.from_edges(torch.cat([ring, ring, after]), torch.cat([ring, after, ring]), 5)

    class Twice(nn.Module):
        def forward(self, graph: Graph, x: torch.Tensor) -> torch.Tensor:
            """Double it."""
            return 2 * x

    dense = torch.zeros(5, 5, dtype=torch.float64)
    for shift in (0, 1, -1):
        dense += torch.roll(torch.eye(5, dtype=torch.float64), shift, 0) / 3
    first = torch.randn(5, 2, dtype=torch.float64)
    for residual, alpha in ((NoSkip, 0.0), (lambda: InitialSkip(alpha=0.3), 0.3)):
        blocks = steps(3, 2, [lambda _: Twice()], residual)
        x = expected = first
        for block in blocks:
            x = block(graph, x, first)
            expected = 2 * ((1 - alpha) * dense @ expected + alpha * first)
        torch.testing.assert_close(x, expected)
        assert not [parameter for block in blocks for parameter in block.parameters()]
