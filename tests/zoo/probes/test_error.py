"""The error at the output against explicit sums."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from zoo.layers.gcn import GCNConv
from zoo.probes.error import OutputError


def test_values_equal_explicit_sums(make_case, graph_name):
    """Norm, norm of the mean row and the mean's share, from autograd's ∂L/∂Z entry by entry, to 1e-10."""
    case = make_case(graph_name, lambda: GCNConv(5, 5))
    reading = case.read(OutputError())
    rows = case.error.tolist()
    whole = math.sqrt(math.fsum(entry**2 for row in rows for entry in row))
    mean = math.sqrt(math.fsum((math.fsum(column) / len(rows)) ** 2 for column in zip(*rows, strict=True)))
    assert reading.number("errors.norm") == pytest.approx(whole, rel=1e-10)
    assert reading.number("errors.mean") == pytest.approx(mean, rel=1e-10)
    assert reading.number("errors.mean_share") == pytest.approx(math.sqrt(len(rows)) * mean / whole, rel=1e-10)


def test_the_mean_is_gone_where_the_bias_is_optimal(make_case):
    """Descending in the last bias alone takes the mean error to 0: what the probe is there to see."""
    case = make_case("connected-loops", lambda: GCNConv(5, 5))
    head = case.network.head
    assert isinstance(head, nn.Linear)
    optimizer = torch.optim.LBFGS([head.bias], max_iter=200, tolerance_grad=1e-12, tolerance_change=0)
    before = case.read(OutputError())

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = case.loss()
        loss.backward(inputs=[head.bias])
        return loss

    optimizer.step(closure)  # pyright: ignore[reportArgumentType]
    after = case.read(OutputError())
    assert before.number("errors.mean_share") > 1e-3
    assert after.number("errors.mean_share") < 1e-9
    assert np.isfinite(after.number("errors.norm"))


def test_equal_rows_are_all_mean():
    """A share of 1; of no error at all, NaN."""
    found = OutputError().measure(torch.tensor([[1.0, 2.0]] * 5))
    assert float(found["errors.mean_share"]) == pytest.approx(1)
    assert math.isnan(OutputError().measure(torch.zeros(2, 2))["errors.mean_share"])
