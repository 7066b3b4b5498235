"""Attention as one operator: equal to its equations written out, in value and gradients."""

import math
from typing import Any

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from zoo.dgl_backend import dgl
from zoo.engine.attention import Attention, DynamicScores, StaticScores, attention_block
from zoo.engine.kernel import Epilogue
from zoo.graphs.graph import Graph

NODES, HEADS, D = 12, 3, 2
PLAIN = Epilogue()
BLOCK = Epilogue(0.0, 1.0, 1.0)


def graph(kernel: Any = "compiled", nodes: int = NODES, edges: int = 40) -> Graph:
    """Repeated edges, loops, isolated nodes, unequal degrees."""
    generator = torch.Generator().manual_seed(1)
    src, dst = torch.randint(0, nodes - 3, (2, edges), generator=generator)
    return Graph.from_edges(torch.cat([src, src[:5]]), torch.cat([dst, dst[:5]]), nodes, kernel)


def tensors(form: str, nodes: int = NODES, *, in_width: int = HEADS * D, out: int = HEADS * D) -> list[Any]:
    """x, W of the heads, the two parameters of the scores, the bias, and a skip."""
    generator = torch.Generator().manual_seed(2)

    def make(*shape: int) -> torch.Tensor:
        return torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()

    second = {"static": (HEADS, D), "dynamic": (HEADS, in_width, D), "shared": None}[form]
    parameters = [make(HEADS, D), None if second is None else make(*second)]
    return [make(nodes, in_width), make(HEADS, in_width, D), *parameters, make(out), make(nodes, out)]


def operator(whole: Graph, form: str, epilogue: Epilogue, skips: str, **options: Any) -> Any:
    """The operator as a function of `tensors`."""
    scores = (StaticScores if form == "static" else DynamicScores)(0.2)

    def run(x: Any, weight: Any, first: Any, second: Any, bias: Any, skip: Any) -> Any:
        through = {"itself": x, "another": skip, "nothing": None}[skips]
        return attention_block(
            whole, x, Attention(scores, weight, first, second, bias=bias, **options), through, epilogue
        )

    return run


def written_out(whole: Graph, form: str, given: list[Any], factors: Any = None, mean: bool = False) -> torch.Tensor:
    """z, node by node and head by head; factors: of dropout, [edges, heads]."""
    x, weight, first, bias = given[0], given[1], given[2], given[4]
    second: Any = given[3]
    src, dst = whole.structure.src.long(), whole.structure.dst.long()
    rows = []
    for i in range(whole.nodes):
        edges = (dst == i).nonzero().squeeze(1)
        heads = []
        for h in range(HEADS):
            v = x @ weight[h]
            if form == "static":
                scores = torch.nn.functional.leaky_relu(v[src[edges]] @ first[h] + v[i] @ second[h], 0.2)
            else:
                target = x[i] @ second[h] if form == "dynamic" else v[i]
                scores = torch.nn.functional.leaky_relu(v[src[edges]] + target, 0.2) @ first[h]
            p = scores.softmax(0) if factors is None else scores.softmax(0) * factors[edges, h]
            heads.append(p @ v[src[edges]])
        rows.append(torch.stack(heads).mean(0) if mean else torch.cat(heads))
    z = torch.stack(rows)
    return z if bias is None else z + bias


def same_gradients(y: torch.Tensor, expected: torch.Tensor, given: list[Any], tolerance: float = 1e-10) -> None:
    """Both results and what they say of the gradients at all tensors agree."""
    torch.testing.assert_close(y, expected, rtol=tolerance, atol=tolerance)
    leaves = [tensor for tensor in given if tensor is not None]
    seed = torch.randn(y.shape, dtype=y.dtype, generator=torch.Generator().manual_seed(3))
    found = torch.autograd.grad(y, leaves, seed, allow_unused=True)
    wanted = torch.autograd.grad(expected, leaves, seed, allow_unused=True)
    for one, other in zip(found, wanted, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("form", ["static", "dynamic", "shared"])
@pytest.mark.parametrize("skips", ["itself", "another", "nothing"])
@pytest.mark.parametrize("epilogue", [BLOCK, Epilogue(0.2, 0.9, 0.1), Epilogue(1.0, 1.0, 0.5)], ids=str)
@pytest.mark.parametrize("kernel", ["compiled", "torch"])
def test_it_is_the_formula(form: str, skips: str, epilogue: Epilogue, kernel: str):
    """Value and all gradients are those of the equations, in float64; as one operator, and step by step."""
    whole, given = graph(kernel), tensors(form)
    z = written_out(whole, form, given)
    skip = {"itself": given[0], "another": given[5], "nothing": None}[skips]
    expected = epilogue.share * torch.where(z > 0, z, epilogue.slope * z)
    expected = expected if skip is None else expected + epilogue.skip_share * skip
    same_gradients(operator(whole, form, epilogue, skips)(*given), expected, given)


@pytest.mark.parametrize("form", ["static", "dynamic", "shared"])
def test_heads_may_be_averaged(form: str):
    """The mean of the heads, with bias, activation and skip as for heads side by side."""
    whole, given = graph(), tensors(form, out=D)
    expected = torch.relu(written_out(whole, form, given, mean=True)) + given[5]
    same_gradients(operator(whole, form, BLOCK, "another", mean=True)(*given), expected, given)


@pytest.mark.parametrize("form", ["static", "dynamic"])
@pytest.mark.parametrize("mean", [False, True])
def test_dropout_drops_what_the_plain_path_drops(form: str, mean: bool):
    """One random state gives one set of weights dropped, by both paths, and the gradients are those of it."""
    given = tensors(form, out=D if mean else HEADS * D)
    torch.manual_seed(5)
    factors = torch.nn.functional.dropout(torch.ones(45, HEADS, dtype=torch.float64), 0.4)
    assert 0 < factors.count_nonzero() < factors.numel()
    for kernel in ("compiled", "torch"):
        whole = graph(kernel)
        torch.manual_seed(5)
        y = operator(whole, form, PLAIN, "nothing", mean=mean, dropout=0.4)(*given)
        same_gradients(y, written_out(whole, form, given, factors, mean), given)


@pytest.mark.parametrize("form", ["static", "dynamic", "shared"])
@pytest.mark.parametrize(("skips", "dropout"), [("itself", 0.0), ("another", 0.3)])
def test_it_is_differentiable_twice(form: str, skips: str, dropout: float):
    """First and second derivatives agree with finite differences."""
    run = operator(graph(edges=8), form, Epilogue(0.1, 0.9, 1.0), skips, dropout=dropout)

    def drawn(*given: Any) -> torch.Tensor:
        torch.manual_seed(7)
        return run(*given[:3], given[3] if form != "shared" else None, *given[-2:])

    given = tuple(tensor for tensor in tensors(form) if tensor is not None)
    assert gradcheck(drawn, given)
    assert gradgradcheck(drawn, given, atol=1e-4)


def test_one_tensor_may_be_made_of_another():
    """Second derivatives count each way once where the features were made of the weights."""
    whole, (x, weight, first, second, bias, _) = graph(), tensors("static")

    def of_weight(kernel: Any) -> torch.Tensor:
        made = x + weight.sum() * x.square()
        y = operator(graph(kernel), "static", BLOCK, "itself")(made, weight, first, second, bias, None)
        (once,) = torch.autograd.grad(y.square().sum(), weight, create_graph=True)
        return torch.autograd.grad(once.square().sum(), weight)[0]

    assert whole.backend.attention_loops(StaticScores) is not None
    torch.testing.assert_close(of_weight("compiled"), of_weight("torch"), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("form", ["static", "dynamic", "shared"])
def test_several_threads(form: str, monkeypatch: pytest.MonkeyPatch):
    """Rows shared out among threads give the gradients of the plain path, summed over the shares."""
    monkeypatch.setattr("zoo.engine.numba_compile._SHARED", 1)
    given = tensors(form, 300)
    expected = operator(graph("torch", 300, 2000), form, BLOCK, "itself")(*given)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        same_gradients(operator(graph("compiled", 300, 2000), form, BLOCK, "itself")(*given), expected, given)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("form", ["static", "dynamic", "shared"])
def test_a_block_of_sources_and_destinations(form: str):
    """On a sampled block the skip is that of the destinations, and gradients reach all sources."""
    src, dst = torch.tensor([0, 3, 4, 4, 1, 8]), torch.tensor([0, 1, 1, 2, 2, 2])
    made = dgl.create_block((src, dst), num_src_nodes=9, num_dst_nodes=4)
    x, *others, _ = tensors(form, 9)
    one, other = (
        operator(Graph(made, kernel=k), form, BLOCK, "another")(x, *others, x[:4]) for k in ("compiled", "torch")
    )
    same_gradients(one, other, [x, *others])


@pytest.mark.parametrize("form", ["static", "dynamic"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_stays_seen(form: str, bad: float):
    """NaN and infinity in a node's features reach the same results as step by step: no fewer, no more."""
    given = [None if tensor is None else tensor.detach() for tensor in tensors(form)]
    features: Any = given[0]
    features[4] = bad
    results = [operator(graph(kernel), form, BLOCK, "itself")(*given).isfinite() for kernel in ("compiled", "torch")]
    assert torch.equal(*results) and not results[0].all() and results[0].any()


def test_large_scores_do_not_overflow():
    """Scores of several hundred are shifted before the exponential, in float32."""
    given = [tensor.detach().float() for tensor in tensors("static")]
    given[0] *= 300
    results = [operator(graph(kernel), "static", PLAIN, "nothing")(*given) for kernel in ("compiled", "torch")]
    assert results[0].isfinite().all()
    torch.testing.assert_close(*results, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("form", ["static", "dynamic", "shared"])
@pytest.mark.parametrize("scale", [1.0, 1e4, 1e8])
@pytest.mark.parametrize("kernel", ["compiled", "dgl", "torch"])
def test_gradients_where_all_nodes_are_alike(form: str, scale: float, kernel: str):
    """The softmax passes no gradient on, whatever the size of the scores: float32 gives what float64 does."""
    given = tensors(form)
    given[0] = (scale * given[0].detach()[:1]).repeat(NODES, 1).requires_grad_()
    found: list[Any] = []
    for dtype in (torch.float64, torch.float32):
        held: list[Any] = [None if tensor is None else tensor.detach().to(dtype).requires_grad_() for tensor in given]
        y = operator(graph(kernel), form, PLAIN, "nothing")(*held)
        toward = torch.randn(y.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        found.append(torch.autograd.grad(y, [held[0], held[1]], toward.to(dtype)))
    for exact, rounded in zip(*found, strict=True):
        assert (rounded.double() - exact).norm() < 1e-6 * exact.norm()


def test_without_edges():
    """A graph of no edges gives the bias, and gradients of zero to the weights."""
    empty = torch.empty(0, dtype=torch.int64)
    whole, given = Graph.from_edges(empty, empty, NODES, "compiled"), tensors("static")
    y = operator(whole, "static", PLAIN, "nothing")(*given)
    torch.testing.assert_close(y, given[4].expand_as(y))
    assert not torch.autograd.grad(y.sum(), given[1])[0].any()


def test_only_input_and_mask_are_kept():
    """Of a block autograd holds its input, shared with the block before, and a byte per feature."""
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    whole, given = graph(), [tensor.detach().float().requires_grad_() for tensor in tensors("static")]
    run, width = operator(whole, "static", BLOCK, "itself"), HEADS * D
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        run(run(*given), *given[1:])
    parameters = 4 * sum(tensor.numel() for tensor in given[1:5])
    assert sum(kept.values()) == 2 * NODES * (4 * width + width) + parameters


def test_half_precision_goes_step_by_step():
    """Under autocast the result is that of float32, to the precision of bfloat16."""
    given = [tensor.detach().float() for tensor in tensors("static")]
    run = operator(graph(), "static", BLOCK, "itself")
    with torch.autocast("cpu", torch.bfloat16):
        y = run(*given)
    torch.testing.assert_close(y.float(), run(*given), rtol=0.1, atol=0.15)


def test_only_wanted_gradients():
    """Gradients of the parameters alone, and of the features alone, are those among all."""
    whole, given = graph(), tensors("dynamic")
    run = operator(whole, "dynamic", BLOCK, "itself")
    full = torch.autograd.grad(run(*given).square().sum(), given[:5])
    for chosen in ((0,), (1, 2, 3, 4)):
        held = [tensor if k in chosen else tensor.detach() for k, tensor in enumerate(given)]
        found = torch.autograd.grad(run(*held).square().sum(), [given[k] for k in chosen])
        for one, k in zip(found, chosen, strict=True):
            torch.testing.assert_close(one, full[k])
