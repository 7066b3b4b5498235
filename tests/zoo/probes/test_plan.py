"""Which probes are due when."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from zoo.graphs.graph import Graph
from zoo.layers.network import Network
from zoo.probes.plan import Plan, Scheduled
from zoo.probes.similarity import Similarity
from zoo.probes.weights import WeightNorms


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        ({"every": 4}, [1, 4, 8, 10]),
        ({"every": 1}, list(range(1, 11))),
        ({"every": 100}, [1, 10]),
        ({"every": 4, "start": 6}, [6, 8, 10]),
        ({"every": 3, "stop": 6}, [1, 3, 6]),
        ({"every": 4, "start": 3, "stop": 3}, [3]),
        ({"every": 2, "start": 11}, []),
    ],
)
def test_due_steps(schedule, wanted):
    """The first from `start` on, every multiple of `every`, and the last of ten; none after `stop`."""
    item = Scheduled((), **schedule)
    assert [step for step in range(1, 11) if item.due(step, 10)] == wanted


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 30))
def test_the_first_and_the_last_step_are_measured(every, start, total):
    """Whatever the numbers, a run that reaches `start` is measured there and at its end."""
    item = Scheduled((), every, start)
    due = [step for step in range(1, total + 1) if item.due(step, total)]
    assert (due[0], due[-1]) == (start, total) if start <= total else not due


class Keeps(nn.Module):
    """A block without a graph's help."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, graph: Graph, x: Tensor, first: Tensor | None = None) -> Tensor:
        return self.linear(x)


def test_a_tap_has_what_is_due(make_graph):
    """Two schedules overlap at some steps; where nothing is due there are no hooks. float64 is for all that are due."""
    net = Network(nn.Identity(), [Keeps()], nn.Identity())
    graph = make_graph("bipartite")
    plan = Plan(net, [Scheduled((Similarity(),), 2), Scheduled((WeightNorms(),), 3, 3, precision=torch.float64)], 12)
    names = {}
    for step in range(1, 7):
        with plan.tap(step) as tap:
            net(graph, torch.ones(12, 2)).square().sum().backward()
            assert bool(net.blocks[0]._forward_hooks) == (step != 5)
        names[step] = {name.split(".")[0] for name in tap.read()}
    mine, norms = {"gradients"}, {"weights"}
    assert names == {1: mine, 2: mine, 3: norms, 4: mine, 5: set(), 6: mine | norms}
    tiny = 1e-30 * torch.arange(24.0).reshape(12, 2)
    for step, seen in ((2, False), (6, True)):
        with plan.tap(step) as tap:
            net(graph, torch.ones(12, 2)).backward(tiny)
        assert bool(tap.read()["gradients.mu.plain"][0] > 0) == seen
