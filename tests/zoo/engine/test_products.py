"""Products of one network and of several at once, against each one's own in float64."""

import pytest
import torch
from zoo.engine.products import add_times, times, weight_gradient

NODES, IN, OUT = 7, 4, 5


def made(*shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.fixture(params=[(), (3,)], ids=["one", "members"])
def operands(request):
    """Features, a weight, and what is as large as their product."""
    members = request.param
    return made(*members, NODES, IN), made(*members, IN, OUT), made(*members, NODES, OUT)


@pytest.mark.parametrize("lies", ["fresh", "in place"])
@pytest.mark.parametrize("adds", [False, True])
def test_each_is_multiplied_by_its_own(operands, lies, adds):
    """Each x W + share·add, into memory that is given or into new one."""
    x, weight, add = operands
    out = torch.full_like(add, torch.nan) if lies == "in place" else None
    found = times(x, weight, out=out, **({"add": add, "share": 0.5} if adds else {}))
    wanted = torch.einsum("...ni,...io->...no", x, weight) + (0.5 * add if adds else 0)
    torch.testing.assert_close(found, wanted)
    assert out is None or found.data_ptr() == out.data_ptr()


def test_products_add_to_what_is_there(operands):
    """In place, to a part of a larger tensor too."""
    x, weight, _ = operands
    to = made(*x.shape[:-2], NODES + 2, OUT)
    wanted = to.clone()
    wanted[..., :NODES, :] += torch.einsum("...ni,...io->...no", x, weight)
    add_times(to[..., :NODES, :], x, weight)
    torch.testing.assert_close(to, wanted)


def test_the_gradient_of_a_weight_is_autograds(operands):
    """The formula xᵀ dy, for each member."""
    x, weight, dy = operands
    weight.requires_grad_()
    (wanted,) = torch.autograd.grad(times(x, weight), weight, dy)
    torch.testing.assert_close(weight_gradient(x, dy), wanted)
