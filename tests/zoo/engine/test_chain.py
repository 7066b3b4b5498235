"""A chain of blocks as one operator: to the bit what its links give one after the other."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from zoo.engine.affine import Affine, Link, affine_block, affine_chain
from zoo.engine.kernel import Epilogue, KernelName
from zoo.graphs.graph import Graph

NODES, WIDTH = 14, 5
RESIDUAL = Epilogue(0.0, 1.0, 1.0)


def graph(kernel: KernelName = "compiled"):
    src, dst = torch.randint(0, NODES - 2, (2, 50), generator=torch.Generator().manual_seed(1))
    return Graph.from_edges(src, dst, NODES, kernel)


def given(widths, *, root=False, bias=True, dtype=torch.float32) -> tuple[torch.Tensor, list[Any]]:
    """Features, and the tensors of links of these widths, the first of which is that of the features."""
    generator = torch.Generator().manual_seed(2)

    def make(*shape):
        return torch.randn(shape, dtype=dtype, generator=generator).mul_(0.5).requires_grad_()

    x = make(NODES, widths[0])
    pairs = pairwise(widths)
    return x, [(make(i, o), make(i, o) if root else None, make(o) if bias else None) for i, o in pairs]


def links(tensors, epilogues):
    return [
        Link(Affine(weight, "both", root, bias), epilogue, epilogue.skip_share != 0)
        for (weight, root, bias), epilogue in zip(tensors, epilogues, strict=True)
    ]


def one_by_one(whole, x, chain):
    for affine, epilogue, skips in chain:
        x = affine_block(whole, x, affine, x if skips else None, epilogue)
    return x


def flat(tensors):
    return [tensor for each in tensors for tensor in each if tensor is not None]


@pytest.mark.parametrize("root", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("epilogue", [RESIDUAL, Epilogue(0.2, 0.9, 0.5), Epilogue(1.0, 1.0, 1.0)], ids=str)
def test_links_give_what_they_give_alone(root, bias, epilogue):
    """Value and every gradient, bit by bit; a link without a skip, and one that narrows, among them."""
    x, tensors = given([WIDTH, WIDTH, WIDTH, WIDTH, 3], root=root, bias=bias)
    plain = epilogue._replace(skip_share=0.0)
    chain = links(tensors, [epilogue, plain, epilogue, plain])
    whole, leaves = graph(), [x, *flat(tensors)]
    dy = torch.randn(NODES, 3, generator=torch.Generator().manual_seed(3))
    y, wanted = affine_chain(whole, x, chain), one_by_one(whole, x, chain)
    assert y is not None and torch.equal(y, wanted)
    for found, other in zip(torch.autograd.grad(y, leaves, dy), torch.autograd.grad(wanted, leaves, dy), strict=True):
        assert torch.equal(found, other)


def test_it_is_differentiable_twice():
    """First and second derivatives, against finite differences in float64."""
    x, tensors = given([3, 3, 3], root=True, dtype=torch.float64)
    whole = graph()

    def run(x, *leaves) -> Any:
        chain = links([leaves[:3], leaves[3:]], [Epilogue(0.3, 0.9, 0.6)] * 2)
        return affine_chain(whole, x, chain)

    inputs: list[torch.Tensor] = [x, *flat(tensors)]
    assert gradcheck(run, inputs)
    assert gradgradcheck(run, inputs)


def test_only_what_is_asked_for_is_computed():
    """Frozen tensors and features have no gradients, and the others are as ever."""
    x, tensors = given([WIDTH] * 4)
    x.requires_grad_(False)
    tensors[1][0].requires_grad_(False)
    tensors[2][2].requires_grad_(False)
    chain, leaves = links(tensors, [RESIDUAL] * 3), [tensor for tensor in flat(tensors) if tensor.requires_grad]
    y, wanted = affine_chain(graph(), x, chain), one_by_one(graph(), x, chain)
    assert y is not None
    y.sum().backward()
    found = [leaf.grad for leaf in leaves]
    assert x.grad is None and tensors[1][0].grad is None and tensors[2][2].grad is None
    for one, other in zip(found, torch.autograd.grad(wanted.sum(), leaves), strict=True):
        assert one is not None and torch.equal(one, other)


def test_gradients_of_others_are_left_alone():
    """The gradient that comes in, and one that went out before, keep their numbers while the chain adds in place."""
    x, tensors = given([WIDTH] * 5)
    whole, chain = graph(), links(tensors, [RESIDUAL] * 4)
    kept: list[torch.Tensor] = []
    middle = affine_chain(whole, x, chain[:2])
    assert middle is not None
    middle.register_hook(kept.append)
    y = affine_chain(whole, middle, chain[2:])
    assert y is not None
    dy = torch.ones_like(y)
    y.backward(dy)
    assert torch.equal(dy, torch.ones_like(y))
    again = middle.detach().requires_grad_()
    (expected,) = torch.autograd.grad(one_by_one(whole, again, chain[2:]), again, dy)
    assert torch.equal(kept[0], expected)


def test_without_gradients_nothing_is_kept():
    """The same value, and no graph."""
    x, tensors = given([WIDTH] * 3)
    chain = links(tensors, [RESIDUAL] * 2)
    with torch.no_grad():
        y = affine_chain(graph(), x, chain)
    assert y is not None and y.grad_fn is None
    assert torch.equal(y, one_by_one(graph(), x, chain))


def test_what_is_not_one_operator_is_none():
    """Another kernel, half precision, function transforms, wider products, a skip of other width, shared tensors."""
    x, tensors = given([WIDTH] * 3)
    chain = links(tensors, [RESIDUAL] * 2)
    assert affine_chain(graph("torch"), x, chain) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert affine_chain(graph(), x, chain) is None
    said: list[bool] = []
    whole = graph()

    def under_vmap(x):
        said.append(affine_chain(whole, x, chain) is None)
        return x

    torch.vmap(under_vmap)(torch.stack([x, x]))
    assert said == [True]
    _, wider = given([WIDTH, WIDTH + 1])
    assert affine_chain(graph(), x, links(wider, [Epilogue(0.0, 1.0, 0.0)])) is None
    _, narrower = given([WIDTH, WIDTH - 1])
    assert affine_chain(graph(), x, links(narrower, [RESIDUAL])) is None
    assert affine_chain(graph(), x, [chain[0], chain[0]]) is None
    assert affine_chain(graph(), x, chain) is not None
