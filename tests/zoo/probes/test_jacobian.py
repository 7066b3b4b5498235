"""Gains of blocks against their full Jacobians."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import zoo
from zoo.layers.gat import GATConv
from zoo.layers.gcn import GCNConv
from zoo.probes.jacobian import JacobianGain
from zoo.probes.tap import Tap
from zoo.system.process import prepare_process

CONVS = {"gcn": lambda: GCNConv(5, 5), "gat": lambda: GATConv(5, 5)}


def jacobians(case) -> list[torch.Tensor]:
    """∂X_l/∂X_{l−1} of each block at its own input, dense."""
    x = first = case.network.encoder(case.features).detach()
    found = []
    for block in case.network.blocks:
        full = torch.autograd.functional.jacobian(lambda x, block=block: block(case.graph, x, first), x)
        found.append(full.reshape(x.numel(), x.numel()))
        x = block(case.graph, x, first).detach()
    return found


@pytest.mark.parametrize("conv", list(CONVS))
def test_gains_equal_those_of_full_jacobians(make_case, graph_name, conv):
    """The largest is ‖J‖_2, the rms the mean of ‖Jᵀv‖²/‖v‖² over the drawn v, to 1e-10."""
    case = make_case(graph_name, CONVS[conv])
    reading = case.read(JacobianGain(kind="largest"), JacobianGain(draws=3))
    generator = torch.Generator().manual_seed(0)
    v = torch.stack([torch.randn(12, 5, generator=generator, dtype=torch.float64).flatten() for _ in range(3)])
    dense = jacobians(case)
    largest = [float(torch.linalg.matrix_norm(j, 2)) for j in dense]
    rms = [float(((v @ j).square().sum(1) / v.square().sum(1)).mean().sqrt()) for j in dense]
    np.testing.assert_allclose(reading["jacobian.largest"], largest, rtol=1e-10)
    np.testing.assert_allclose(reading["jacobian.rms"], rms, rtol=1e-10)


def test_rms_is_the_frobenius_norm_by_entries(make_case):
    """Many draws come to ‖J‖_F/√(entries), within the noise of 300 of them."""
    case = make_case("components-isolated", CONVS["gcn"])
    reading = case.read(JacobianGain(draws=300))
    wanted = [float(j.norm()) / math.sqrt(len(j)) for j in jacobians(case)]
    np.testing.assert_allclose(reading["jacobian.rms"], wanted, rtol=0.05)


def test_a_rotation_has_gain_1_and_a_shift_of_scale_that_scale():
    """Exact for multiples of orthogonal maps, whatever is drawn."""
    q, _ = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64))
    net = nn.Sequential(*(nn.Linear(4, 4).double() for _ in range(2)))
    with torch.no_grad():
        for block, scale in zip(net, (1.0, 3.5), strict=True):
            nn.init.constant_(block.bias, 0.5)  # pyright: ignore[reportArgumentType]
            block.weight = nn.Parameter(scale * q)
    with Tap(net, [JacobianGain(), JacobianGain(kind="largest")], blocks=net) as tap:
        net(torch.randn(6, 4, dtype=torch.float64))
    for name in ("jacobian.rms", "jacobian.largest"):
        np.testing.assert_allclose(tap.read()[name], [1, 3.5], rtol=1e-10)


def test_batch_norm_and_its_backward_pass_are_not_disturbed():
    """Running a block once more leaves its statistics as they were, and the pass that is under way intact."""
    sides = []
    for probes in ([], [JacobianGain()]):
        built = zoo.build("smoke/gin", {"dataset.nodes": 60, "model.dropout": 0.5})
        with prepare_process(built.process), Tap(built.network.train(), probes):
            built.task.loss(built.network, next(built.task.batches(0))).backward()
        sides.append({**built.network.state_dict(), **{n: p.grad for n, p in built.network.named_parameters()}})
    assert all(torch.equal(value, sides[1][name]) for name, value in sides[0].items())


@pytest.mark.parametrize("kind", ["rms", "largest"])
def test_under_autocast_it_computes_in_the_parameters_precision(make_case, kind):
    """Inputs that arrive in bfloat16 are widened: the gain is near that of float32."""
    case = make_case("connected-loops", CONVS["gcn"])
    network, x = case.network.float(), case.features.float()
    found = []
    for low in (False, True):
        with Tap(network, [JacobianGain(kind=kind)]) as tap, torch.autocast("cpu", torch.bfloat16, enabled=low):
            network(case.graph, x)
        found.append(tap.read()[f"jacobian.{kind}"])
    np.testing.assert_allclose(found[1], found[0], rtol=0.02)
    assert np.isfinite(found[0]).all()
