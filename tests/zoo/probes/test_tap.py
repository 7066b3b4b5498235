"""Hooks that listen, change nothing, and are gone afterwards."""

import torch
from torch import nn

from zoo.probes.similarity import norm, similarity
from zoo.probes.tap import Tap


def network(depth: int = 4) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Sequential(nn.Linear(3, 3), nn.Tanh()) for _ in range(depth))).double()


def test_gradients_equal_autograds():
    """μ and norm of every block's gradient equal those of torch.autograd.grad on kept outputs."""
    net, x = network(), torch.randn(7, 3, dtype=torch.float64)
    with Tap(net, {"mu": similarity, "norm": norm}) as tap:
        net(x).square().sum().backward()
    outputs = []
    for block in net:
        x = block(x)
        outputs.append(x)
    expected = torch.autograd.grad(x.square().sum(), outputs)
    torch.testing.assert_close(
        tap.gradients()["mu"], torch.stack([similarity(g) for g in expected]), rtol=1e-12, atol=0
    )
    torch.testing.assert_close(tap.gradients()["norm"], torch.stack([g.norm() for g in expected]), rtol=1e-12, atol=0)


def test_nothing_is_left_after_the_with():
    """No hook stays on a block, and a graph that is still alive is no longer listened to."""
    net = network()
    with Tap(net, {"mu": similarity}) as tap:
        loss = net(torch.randn(7, 3, dtype=torch.float64)).sum()
    loss.backward()
    assert all(not block._forward_hooks for block in net)
    assert tap.gradients()["mu"].isnan().all()


def test_parameter_gradients_are_bitwise_those_without_a_tap():
    """Listening does not change what is heard."""
    x = torch.randn(7, 3, dtype=torch.float64)
    plain, tapped = network(), network()
    plain(x).sum().backward()
    with Tap(tapped, {"mu": similarity, "norm": norm}):
        tapped(x).sum().backward()
    for a, b in zip(plain.parameters(), tapped.parameters(), strict=True):
        assert a.grad is not None
        assert b.grad is not None
        assert torch.equal(a.grad, b.grad)
