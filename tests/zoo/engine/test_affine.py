"""One operator for convolution, activation and skip: equal to the steps it is made of, in value and gradients."""

from typing import Any

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from zoo.dgl_backend import dgl
from zoo.engine.affine import Affine, affine_block, finished
from zoo.engine.kernel import Epilogue, KernelName
from zoo.graphs.graph import Graph

NODES = 12


def graph(kernel: KernelName = "compiled"):
    """Repeated edges, loops, isolated nodes, unequal degrees."""
    generator = torch.Generator().manual_seed(1)
    src, dst = torch.randint(0, NODES - 3, (2, 40), generator=generator)
    return Graph.from_edges(torch.cat([src, src[:5]]), torch.cat([dst, dst[:5]]), NODES, kernel)


def dense(norm):
    """Â as a float64 matrix, from the edges."""
    whole = graph()
    adjacency = torch.zeros(NODES, NODES, dtype=torch.float64)
    adjacency.index_put_(
        (whole.structure.dst.long(), whole.structure.src.long()), torch.ones(45, dtype=torch.float64), accumulate=True
    )
    inwards, outwards = adjacency.sum(1).clamp(min=1), adjacency.sum(0).clamp(min=1)
    scales = {"both": (inwards.rsqrt(), outwards.rsqrt()), "right": (1 / inwards, None), "sum": (None, None)}
    after, before = scales[norm]
    weighted = adjacency if after is None else after[:, None] * adjacency
    return weighted if before is None else weighted * before


def tensors(in_width=5, out_width=5, *, root=True, bias=True):
    generator = torch.Generator().manual_seed(2)

    def make(*shape):
        return torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()

    return {
        "x": make(NODES, in_width),
        "weight": make(in_width, out_width),
        "root": make(in_width, out_width) if root else None,
        "bias": make(out_width) if bias else None,
        "skip": make(NODES, out_width),
    }


def operator(whole, norm, epilogue, skips):
    def run(x, weight, root, bias, skip):
        given = {"itself": x, "another": skip, "nothing": None}[skips]
        return affine_block(whole, x, Affine(weight, norm, root, bias), given, epilogue)

    return run


@pytest.mark.parametrize("skips", ["itself", "another", "nothing"])
@pytest.mark.parametrize("norm", ["both", "right", "sum"])
@pytest.mark.parametrize(
    "epilogue", [Epilogue(0.0, 1.0, 1.0), Epilogue(0.2, 0.9, 0.1), Epilogue(1.0, 1.0, 0.5)], ids=str
)
@pytest.mark.parametrize("there", [(True, True), (False, False)])
def test_it_is_the_formula(skips, norm, epilogue, there):
    """Value and all gradients are those of the formula with a dense Â, in float64."""
    given = tensors(root=there[0], bias=there[1])
    leaves = [value for value in given.values() if value is not None]
    y = operator(graph(), norm, epilogue, skips)(*given.values())
    z = dense(norm) @ given["x"] @ given["weight"]
    z = z if given["root"] is None else z + given["x"] @ given["root"]
    z = z if given["bias"] is None else z + given["bias"]
    skip = {"itself": given["x"], "another": given["skip"], "nothing": None}[skips]
    expected = epilogue.share * torch.where(z > 0, z, epilogue.slope * z)
    expected = expected if skip is None else expected + epilogue.skip_share * skip
    torch.testing.assert_close(y, expected)
    seed = torch.randn(y.shape, dtype=y.dtype, generator=torch.Generator().manual_seed(3))
    found = torch.autograd.grad(y, leaves, seed, allow_unused=True)
    wanted = torch.autograd.grad(expected, leaves, seed, allow_unused=True)
    for one, other in zip(found, wanted, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("skips", ["itself", "another"])
def test_it_is_differentiable_twice(skips):
    """First and second derivatives agree with finite differences."""
    run = operator(graph(), "both", Epilogue(0.1, 0.9, 1.0), skips)
    given = tuple(value for value in tensors(3, 3).values())
    assert gradcheck(run, given)
    assert gradgradcheck(run, given)


def test_every_kernel_says_the_same():
    """Without a kernel that fuses, the same is done step by step."""
    given = tensors()
    results = [
        operator(graph(kernel), "both", Epilogue(0.0, 1.0, 1.0), "itself")(*given.values())
        for kernel in ("compiled", "dgl", "torch")
    ]
    for result in results[1:]:
        torch.testing.assert_close(results[0], result)


@pytest.mark.parametrize("widths", [(3, 6), (6, 3)])
def test_widths_may_change(widths):
    """A product that makes features wider, and one that makes them narrower."""
    given = tensors(*widths)
    results = [
        operator(graph(kernel), "both", Epilogue(0.0), "another")(*given.values()) for kernel in ("compiled", "torch")
    ]
    torch.testing.assert_close(*results)


def test_a_block_of_sources_and_destinations():
    """On a sampled block the skip and the root are those of the destinations, and gradients reach all sources."""
    src, dst = torch.tensor([0, 3, 4, 4, 1]), torch.tensor([0, 1, 1, 2, 2])
    made = dgl.create_block((src, dst), num_src_nodes=5, num_dst_nodes=3)
    generator = torch.Generator().manual_seed(4)
    x, weight, root = (
        torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()
        for shape in ((5, 4), (4, 4), (4, 4))
    )
    results = []
    for kernel in ("compiled", "torch"):
        y = affine_block(Graph(made, kernel=kernel), x, Affine(weight, "right", root), x[:3], Epilogue(0.0, 1.0, 1.0))
        results.append((y, *torch.autograd.grad(y.square().sum(), (x, weight, root))))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_only_input_and_mask_are_kept():
    """Of features autograd holds the block's input, shared with the block before, and one byte per number."""
    kept: dict[int, int] = {}

    def pack(tensor):
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    whole, x = graph(), torch.randn(NODES, 8, requires_grad=True)
    weight = torch.randn(8, 8, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = affine_block(whole, x, Affine(weight, "both"), x, Epilogue(0.0, 1.0, 1.0))
        affine_block(whole, y, Affine(weight, "both"), y, Epilogue(0.0, 1.0, 1.0))
    assert sum(kept.values()) == 2 * NODES * 8 * 4 + 2 * NODES * 8 + 8 * 8 * 4


def test_without_gradients_nothing_is_kept():
    """In evaluation the result does not ask for gradients, and no mask is made."""
    given = tensors()
    with torch.no_grad():
        y = operator(graph(), "both", Epilogue(0.0, 1.0, 1.0), "itself")(*given.values())
    assert not y.requires_grad


def test_results_may_be_changed_in_place():
    """What the next layer overwrites is its own matter: gradients are right, as this operator keeps no output."""
    given = tensors()
    y = operator(graph(), "both", Epilogue(0.0), "nothing")(*given.values())
    expected = torch.autograd.grad((2 * y).sum(), given["x"], retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(y.mul_(2).sum(), given["x"]), expected)


def test_half_precision_goes_step_by_step():
    """Under autocast the product is in bfloat16 and the sum in float32, as in every other convolution."""
    x, weight = torch.randn(NODES, 8), torch.randn(8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        y = affine_block(graph(), x, Affine(weight, "both"), x, Epilogue(0.0, 1.0, 1.0))
    exact = affine_block(graph(), x, Affine(weight, "both"), x, Epilogue(0.0, 1.0, 1.0))
    torch.testing.assert_close(y.float(), exact, rtol=0.05, atol=0.1)


def test_finished_step_by_step():
    """The last steps alone: shares of the update and of the skip."""
    z, skip = torch.tensor([-1.0, 2.0]), torch.tensor([10.0, 20.0])
    assert finished(z, skip, Epilogue(0.5, 2.0, 0.25)).tolist() == [1.5, 9.0]
    assert finished(z, None, Epilogue(0.0)).tolist() == [0.0, 2.0]


MEMBERS = 3


def members(leaves):
    """Stacks [members, …] of tensors like these."""
    generator = torch.Generator().manual_seed(5)
    return {
        name: None
        if leaf is None
        else torch.randn((MEMBERS, *leaf.shape), dtype=leaf.dtype, generator=generator).requires_grad_()
        for name, leaf in leaves.items()
    }


def places(given):
    """Where a vmap finds the members of each of these."""
    return tuple(None if each is None else 0 for each in given)


@pytest.mark.parametrize("kernel", ["compiled", "torch"])
@pytest.mark.parametrize("skips", ["itself", "another", "nothing"])
@pytest.mark.parametrize("root", [False, True])
def test_members_of_a_vmap_are_each_what_it_is_alone(kernel, skips, root):
    """Values and all gradients of each member, by the operator for all of them and step by step."""
    run = operator(graph(kernel), "both", Epilogue(0.1, 0.8, 0.7), skips)
    given = list(members(tensors(root=root)).values())
    y = torch.vmap(run, in_dims=places(given))(*given)
    seed = torch.randn(y.shape, dtype=y.dtype, generator=torch.Generator().manual_seed(3))
    leaves = [each for each in given if each is not None]
    found = torch.autograd.grad(y, leaves, seed, allow_unused=True)
    for member in range(MEMBERS):
        alone = [None if each is None else each[member].detach().requires_grad_() for each in given]
        single = run(*alone)
        torch.testing.assert_close(y[member], single)
        own = [each for each in alone if each is not None]
        for gradient, wanted in zip(
            found, torch.autograd.grad(single, own, seed[member], allow_unused=True), strict=True
        ):
            assert (gradient is None) == (wanted is None)
            if gradient is not None:
                torch.testing.assert_close(gradient[member], wanted)


def test_members_are_one_call_of_the_kernel(monkeypatch):
    """Under a vmap the kernel is asked once for all members; a tensor that they share is taken as each one's."""
    whole, stacks = graph(), members(tensors(root=False))
    asked: list[torch.Size] = []
    kernel: Any = whole.backend
    forward = kernel.block_forward

    def counted(h, *others):
        asked.append(h.shape)
        return forward(h, *others)

    monkeypatch.setattr(kernel, "block_forward", counted)
    shared = tensors()["x"]
    run = operator(whole, "both", Epilogue(0.0, 1.0, 1.0), "itself")
    weight, bias = stacks["weight"], stacks["bias"]
    assert weight is not None and bias is not None
    y = torch.vmap(run, in_dims=(None, 0, None, 0, None))(shared, weight, None, bias, None)
    assert asked == [(MEMBERS, NODES, 5)]
    one = run(shared, weight[1], None, bias[1], None)
    torch.testing.assert_close(y[1], one)


def test_gradients_of_members_are_differentiable():
    """Second derivatives of a vmapped block, against finite differences."""
    given = [each for each in members(tensors(root=True)).values() if each is not None]
    run = operator(graph(), "both", Epilogue(0.3, 0.9, 1.0), "another")
    assert gradgradcheck(torch.vmap(run, in_dims=places(given)), given)


def test_other_transforms_go_step_by_step():
    """A gradient of PyTorch's function transforms, of a vmap too, is that of autograd."""
    given = tensors()
    run = operator(graph(), "both", Epilogue(0.0, 1.0, 1.0), "itself")
    x, *others = given.values()
    (wanted,) = torch.autograd.grad(run(x, *others).sum(), x)
    torch.testing.assert_close(torch.func.grad(lambda x: run(x, *others).sum())(x), wanted)
    twice = torch.stack([x, x])
    found = torch.func.grad(lambda xs: torch.vmap(lambda x: run(x, *others))(xs).sum())(twice)
    torch.testing.assert_close(found[1], wanted)
