"""One operator for convolution, activation and skip: equal to the steps it is made of, in value and gradients."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from zoo.dgl_backend import dgl
from zoo.engine.affine import (
    Affine,
    Link,
    _add_times,
    _times,
    _weight_gradient,
    affine_block,
    affine_chain,
    finished,
)
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


CHAINED, WIDTH = 14, 5
RESIDUAL = Epilogue(0.0, 1.0, 1.0)


def chain_graph(kernel: KernelName = "compiled"):
    src, dst = torch.randint(0, CHAINED - 2, (2, 50), generator=torch.Generator().manual_seed(1))
    return Graph.from_edges(src, dst, CHAINED, kernel)


def chain_given(widths, *, root=False, bias=True, dtype=torch.float32) -> tuple[torch.Tensor, list[Any]]:
    """Features, and the tensors of links of these widths, the first of which is that of the features."""
    generator = torch.Generator().manual_seed(2)

    def make(*shape):
        return torch.randn(shape, dtype=dtype, generator=generator).mul_(0.5).requires_grad_()

    x = make(CHAINED, widths[0])
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


def flattened(tensors):
    return [tensor for each in tensors for tensor in each if tensor is not None]


@pytest.mark.parametrize("root", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("epilogue", [RESIDUAL, Epilogue(0.2, 0.9, 0.5), Epilogue(1.0, 1.0, 1.0)], ids=str)
def test_links_give_what_they_give_alone(root, bias, epilogue):
    """Value and every gradient, bit by bit; a link without a skip, and one that narrows, among them."""
    x, tensors = chain_given([WIDTH, WIDTH, WIDTH, WIDTH, 3], root=root, bias=bias)
    plain = epilogue._replace(skip_share=0.0)
    chain = links(tensors, [epilogue, plain, epilogue, plain])
    whole, leaves = chain_graph(), [x, *flattened(tensors)]
    dy = torch.randn(CHAINED, 3, generator=torch.Generator().manual_seed(3))
    y, wanted = affine_chain(whole, x, chain), one_by_one(whole, x, chain)
    assert y is not None and torch.equal(y, wanted)
    for found, other in zip(torch.autograd.grad(y, leaves, dy), torch.autograd.grad(wanted, leaves, dy), strict=True):
        assert torch.equal(found, other)


def test_a_chain_is_differentiable_twice():
    """First and second derivatives, against finite differences in float64."""
    x, tensors = chain_given([3, 3, 3], root=True, dtype=torch.float64)
    whole = chain_graph()

    def run(x, *leaves) -> Any:
        chain = links([leaves[:3], leaves[3:]], [Epilogue(0.3, 0.9, 0.6)] * 2)
        return affine_chain(whole, x, chain)

    inputs: list[torch.Tensor] = [x, *flattened(tensors)]
    assert gradcheck(run, inputs)
    assert gradgradcheck(run, inputs)


def test_only_what_is_asked_for_is_computed():
    """Frozen tensors and features have no gradients, and the others are as ever."""
    x, tensors = chain_given([WIDTH] * 4)
    x.requires_grad_(False)
    tensors[1][0].requires_grad_(False)
    tensors[2][2].requires_grad_(False)
    chain, leaves = links(tensors, [RESIDUAL] * 3), [tensor for tensor in flattened(tensors) if tensor.requires_grad]
    y, wanted = affine_chain(chain_graph(), x, chain), one_by_one(chain_graph(), x, chain)
    assert y is not None
    y.sum().backward()
    found = [leaf.grad for leaf in leaves]
    assert x.grad is None and tensors[1][0].grad is None and tensors[2][2].grad is None
    for one, other in zip(found, torch.autograd.grad(wanted.sum(), leaves), strict=True):
        assert one is not None and torch.equal(one, other)


def test_gradients_of_others_are_left_alone():
    """The gradient that comes in, and one that went out before, keep their numbers while the chain adds in place."""
    x, tensors = chain_given([WIDTH] * 5)
    whole, chain = chain_graph(), links(tensors, [RESIDUAL] * 4)
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


def test_of_a_chain_nothing_is_kept_without_gradients():
    """The same value, and no graph."""
    x, tensors = chain_given([WIDTH] * 3)
    chain = links(tensors, [RESIDUAL] * 2)
    with torch.no_grad():
        y = affine_chain(chain_graph(), x, chain)
    assert y is not None and y.grad_fn is None
    assert torch.equal(y, one_by_one(chain_graph(), x, chain))


def test_what_is_not_one_operator_is_none():
    """Another kernel, half precision, function transforms, wider products, a skip of other width, shared tensors."""
    x, tensors = chain_given([WIDTH] * 3)
    chain = links(tensors, [RESIDUAL] * 2)
    assert affine_chain(chain_graph("torch"), x, chain) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert affine_chain(chain_graph(), x, chain) is None
    said: list[bool] = []
    whole = chain_graph()

    def under_vmap(x):
        said.append(affine_chain(whole, x, chain) is None)
        return x

    torch.vmap(under_vmap)(torch.stack([x, x]))
    assert said == [True]
    _, wider = chain_given([WIDTH, WIDTH + 1])
    assert affine_chain(chain_graph(), x, links(wider, [Epilogue(0.0, 1.0, 0.0)])) is None
    _, narrower = chain_given([WIDTH, WIDTH - 1])
    assert affine_chain(chain_graph(), x, links(narrower, [RESIDUAL])) is None
    assert affine_chain(chain_graph(), x, [chain[0], chain[0]]) is None
    assert affine_chain(chain_graph(), x, chain) is not None


ROWS, IN, OUT = 7, 4, 5


def drawn(*shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.fixture(params=[(), (3,)], ids=["one", "members"])
def operands(request):
    """Features, a weight, and what is as large as their product."""
    members = request.param
    return drawn(*members, ROWS, IN), drawn(*members, IN, OUT), drawn(*members, ROWS, OUT)


@pytest.mark.parametrize("lies", ["fresh", "in place"])
@pytest.mark.parametrize("adds", [False, True])
def test_each_is_multiplied_by_its_own(operands, lies, adds):
    """Each x W + share·add, into memory that is given or into new one."""
    x, weight, add = operands
    out = torch.full_like(add, torch.nan) if lies == "in place" else None
    found = _times(x, weight, out=out, **({"add": add, "share": 0.5} if adds else {}))
    wanted = torch.einsum("...ni,...io->...no", x, weight) + (0.5 * add if adds else 0)
    torch.testing.assert_close(found, wanted)
    assert out is None or found.data_ptr() == out.data_ptr()


def test_products_add_to_what_is_there(operands):
    """In place, to a part of a larger tensor too."""
    x, weight, _ = operands
    to = drawn(*x.shape[:-2], ROWS + 2, OUT)
    wanted = to.clone()
    wanted[..., :ROWS, :] += torch.einsum("...ni,...io->...no", x, weight)
    _add_times(to[..., :ROWS, :], x, weight)
    torch.testing.assert_close(to, wanted)


def test_the_gradient_of_a_weight_is_autograds(operands):
    """The formula xᵀ dy, for each member."""
    x, weight, dy = operands
    weight.requires_grad_()
    (wanted,) = torch.autograd.grad(_times(x, weight), weight, dy)
    torch.testing.assert_close(_weight_gradient(x, dy), wanted)
