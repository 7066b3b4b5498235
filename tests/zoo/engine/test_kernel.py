"""Every kernel and shortcut against float64: no further from it than PyTorch's own products are in float32.

Kernels are not part of what a run is, so each has to give the figures of the others: forward and backward, from small
numbers to large ones, also where all nodes are alike and what counts is a small difference of large numbers.
"""

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from zoo.dgl_backend import dgl
from zoo.engine.affine import Affine, Link, affine_block, affine_chain
from zoo.engine.attention import Attention, DynamicScores, StaticScores, attention_block
from zoo.engine.kernel import Epilogue
from zoo.engine.sparse_input import mark_sparse, product
from zoo.graphs.graph import Graph

Run = Callable[..., Tensor]
SCALES = [1.0, 1e2, 1e4, 1e6, 1e8]
EPS = torch.finfo(torch.float32).eps
NORMS: list[Any] = ["both", "right", "left", "sum"]


class Leaf(NamedTuple):
    """A tensor in float64 whose numbers are those of float32.

    rows: how often its one row stands, None for as it is. terms: about how large the sum of the absolute terms of its
    gradient is, where they may cancel to nothing, in PyTorch's order of summing as a stroke of luck.
    """

    base: Tensor
    rows: int | None = None
    terms: float = 0.0

    def made(self, precision: torch.dtype, *, wide: bool = False, off: torch.Generator | None = None) -> Tensor:
        """The tensor in this precision; wide: its numbers in float64. off: by a rounding, the same where rows are."""
        base, dtype = self.base.to(precision), torch.float64 if wide else precision
        if off is not None:
            eps = torch.finfo(precision).eps
            base = base.double() * (1 + eps * (2 * torch.rand(base.shape, generator=off, dtype=torch.float64) - 1))
        base = base if self.rows is None else base.expand(self.rows, *base.shape[1:])
        return base.to(dtype).clone().requires_grad_()


class Case:
    """A random graph, sizes, and what features are like; all from one seed."""

    def __init__(self, seed: int, *, whole: bool = False, square: bool = False) -> None:
        self.rng, self.generator = random.Random(seed), torch.Generator().manual_seed(seed)
        self.alike: str = self.rng.choice(["apart", "nearly", "all"])
        self.scale = self.rng.choice(SCALES)
        # Large scores change with the rounding of what they are made of, and the softmax with them.
        self.calm = self.rng.random() < 0.7
        self.heads, self.d = self.rng.randint(1, 4), self.rng.randint(1, 17)
        self.width = self.rng.choice([1, 2, 3, 7, 8, 16, 33, 70])
        self.out = self.width if square else self.rng.choice([1, 2, 5, self.width, self.width + 3])
        self.nodes = self.rng.choice([1, 2, 5, 12, 30])
        block = not whole and self.rng.random() < 0.3
        self.sources = self.nodes + (self.rng.randint(0, 9) if block else 0)
        edges = self.rng.choice([0, 1, self.nodes, 4 * self.nodes])
        reached = max(1, self.nodes - self.rng.randint(0, 3))  # the last ones have no edge
        src = torch.randint(0, self.sources, (edges,), generator=self.generator)
        dst = torch.randint(0, reached, (edges,), generator=self.generator)
        again = edges // 4
        self.src, self.dst = torch.cat([src, src[:again]]), torch.cat([dst, dst[:again]])
        self.block = block

    def graph(self, kernel: Any) -> Graph:
        """The graph; triton: by Triton's interpreter, where there is no GPU."""
        ends = self.src, self.dst
        made = dgl.graph(ends, num_nodes=self.sources)
        if self.block:
            made = dgl.create_block(ends, num_src_nodes=self.sources, num_dst_nodes=self.nodes)
        if kernel != "triton":
            return Graph(made, kernel=kernel)
        from zoo.engine.triton_kernel import TritonKernel

        whole = Graph(made, kernel="torch")
        vars(whole)["backend"] = TritonKernel(whole.structure)  # as if it had made it
        return whole

    def plain(self, *shape: int, size: float = 1.0) -> Leaf:
        """Numbers of this size."""
        return Leaf((size * torch.randn(shape, generator=self.generator)).double())

    def features(self, rows: int, *shape: int) -> Leaf:
        """Rows of the case's scale that are as much alike as it says."""
        if self.alike == "all":
            return self.plain(1, *shape, size=self.scale)._replace(rows=rows)
        spread = 1.0 if self.alike == "apart" else 1e-3
        common = torch.randn((1, *shape), generator=self.generator)
        own = torch.randn((rows, *shape), generator=self.generator)
        return Leaf((self.scale * ((1 - spread) * common + spread * own)).double())

    def weight(self, *shape: int) -> Leaf:
        """A matrix that keeps sizes about as they are."""
        return self.plain(*shape, size=shape[-2] ** -0.5)

    def scoring(self, *shape: int) -> Leaf:
        """Vectors of scores: of their size is how far the softmax is from a mean."""
        size = 1 / self.scale if self.calm else shape[-1] ** -0.5
        return self.plain(*shape, size=size)._replace(terms=self.scale**2 * self.d * (1 + len(self.src)))

    def epilogue(self) -> Epilogue:
        """What a block does in the end."""
        return Epilogue(self.rng.choice([0.0, 0.2, 1.0]), self.rng.choice([1.0, 0.9]), self.rng.choice([0.0, 1.0, 0.5]))


def propagate(case: Case) -> tuple[Run, list[Leaf]]:
    norm = case.rng.choice(NORMS)
    return lambda graph, x: graph.propagate(x, norm), [case.features(case.sources, case.width)]


def edges(case: Case) -> tuple[Run, list[Leaf]]:
    def run(graph: Graph, left: Tensor, right: Tensor) -> Tensor:
        return graph.edge_sum(graph.edge_add(left, right) + graph.at_edges(left))

    return run, [case.features(rows, case.width) for rows in (case.sources, case.nodes)]


def weighted(case: Case) -> tuple[Run, list[Leaf]]:
    leaves = [case.features(case.sources, case.heads, case.d), case.plain(len(case.src), case.heads)]
    return lambda graph, x, weights: graph.attend(x, weights), leaves


def softmax(case: Case) -> tuple[Run, list[Leaf]]:
    scores = case.features(len(case.src), case.heads)
    return lambda graph, scores, x: graph.edge_softmax(scores) * x, [scores, case.plain(len(case.src), case.heads)]


def softmax_sum(case: Case) -> tuple[Run, list[Leaf]]:
    scores = case.features(len(case.src), case.heads)
    keep = None
    if case.rng.random() < 0.3:
        keep = 2.0 * torch.randint(0, 2, (len(case.src), case.heads), generator=case.generator)

    def run(graph: Graph, x: Tensor, scores: Tensor) -> Tensor:
        return graph.softmax_sum(x, scores, None if keep is None else keep.to(x.dtype))

    return run, [case.features(case.sources, case.heads, case.d), scores]


def attention(case: Case) -> tuple[Run, list[Leaf]]:
    form = case.rng.choice(["static", "dynamic", "shared"])
    heads, d, width = case.heads, case.d, case.width
    mean, dropout, epilogue = case.rng.random() < 0.3, case.rng.choice([0.0, 0.0, 0.4]), case.epilogue()
    out = d if mean else heads * d
    second = {"static": (heads, d), "dynamic": (heads, width, d), "shared": None}[form]
    kind = StaticScores if form == "static" else DynamicScores

    def run(graph: Graph, x: Tensor, skip: Tensor, weight: Tensor, bias: Tensor, *parameters: Tensor) -> Tensor:
        torch.manual_seed(0)
        first, other = (*parameters, None)[:2]
        made = Attention(kind(0.2), weight, first, other, dropout, mean, bias)  # pyright: ignore
        return attention_block(graph, x, made, skip, epilogue)

    leaves = [case.features(case.sources, width), case.features(case.nodes, out), case.weight(heads, width, d)]
    leaves += [case.plain(out), case.scoring(heads, d)]
    if second is not None:
        leaves.append(case.scoring(*second) if form == "static" else case.weight(*second)._replace(terms=case.scale**2))
    return run, leaves


def block(case: Case) -> tuple[Run, list[Leaf]]:
    norm, epilogue = case.rng.choice(NORMS), case.epilogue()

    def run(graph: Graph, x: Tensor, skip: Tensor, weight: Tensor, root: Tensor, bias: Tensor) -> Tensor:
        return affine_block(graph, x, Affine(weight, norm, root, bias), skip, epilogue)

    width, out = case.width, case.out
    leaves = [case.features(case.sources, width), case.features(case.nodes, out)]
    return run, [*leaves, case.weight(width, out), case.weight(width, out), case.plain(out)]


def members(case: Case) -> tuple[Run, list[Leaf]]:
    """The same of three networks at once."""
    norm, epilogue = case.rng.choice(NORMS), case.epilogue()

    def run(graph: Graph, x: Tensor, weights: Tensor) -> Tensor:
        def one(weight: Tensor) -> Tensor:
            return affine_block(graph, x, Affine(weight, norm), None, epilogue)

        return torch.vmap(one)(weights)

    return run, [case.features(case.sources, case.width), case.weight(3, case.width, case.out)]


def attending_members(case: Case) -> tuple[Run, list[Leaf]]:
    """Attention of three networks at once."""
    heads, d, width = case.heads, case.d, case.width

    def run(graph: Graph, x: Tensor, weights: Tensor, first: Tensor, second: Tensor) -> Tensor:
        def one(weight: Tensor, first: Tensor, second: Tensor) -> Tensor:
            return attention_block(graph, x, Attention(StaticScores(0.2), weight, first, second), None, Epilogue())

        return torch.vmap(one)(weights, first, second)

    scores = [case.scoring(3, heads, d) for _ in range(2)]
    return run, [case.features(case.sources, width), case.weight(3, heads, width, d), *scores]


def chain(case: Case) -> tuple[Run, list[Leaf]]:
    norm, epilogue, width = case.rng.choice(NORMS), case.epilogue(), case.width

    def run(graph: Graph, x: Tensor, *tensors: Tensor) -> Tensor:
        affines = [Affine(tensors[at], norm, None, tensors[at + 1]) for at in (0, 2)]
        made = affine_chain(graph, x, [Link(affine, epilogue, epilogue.skip_share != 0) for affine in affines])
        if made is not None:
            return made
        for affine in affines:
            x = affine_block(graph, x, affine, x if epilogue.skip_share else None, epilogue)
        return x

    pairs = [leaf for _ in range(2) for leaf in (case.weight(width, width), case.plain(width))]
    return run, [case.features(case.sources, width), *pairs]


WHOLE = (chain,)
WHAT = propagate, edges, weighted, softmax, softmax_sum, attention, block, members, attending_members, *WHOLE
MANY = {attention: 120, block: 60}


def found(run: Run, graph: Graph, tensors: list[Tensor], toward: Tensor | None = None) -> list[Tensor]:
    """The result, and its gradients at all tensors, in float64."""
    y = run(graph, *tensors)
    generator = torch.Generator().manual_seed(1)
    seed = torch.randn(y.shape, generator=generator, dtype=torch.float64).to(y.dtype)
    gradients = torch.autograd.grad(y, tensors, seed, allow_unused=True)
    return [torch.zeros(1) if part is None else part.detach().double() for part in (y, *gradients)]


def disagreements(what: Any, seed: int, kernels: list[str], dtype: torch.dtype = torch.float32) -> list[str]:
    """Where a kernel is further from float64 than four times PyTorch's products, and than inputs off by a rounding."""
    case = Case(seed, whole=what in WHOLE, square=what in WHOLE)
    if dtype != torch.float32:
        case.scale = 1.0
    run, leaves = what(case)
    plain = case.graph("torch")
    exact = found(run, plain, [leaf.made(dtype, wide=True) for leaf in leaves])
    off = found(run, plain, [leaf.made(dtype, wide=True, off=case.generator) for leaf in leaves])
    rounded = found(run, plain, [leaf.made(dtype) for leaf in leaves])
    said = []
    for kernel in kernels:
        ours = found(run, case.graph(kernel), [leaf.made(dtype) for leaf in leaves])
        terms = [0.0, *(leaf.terms for leaf in leaves)]
        for place, (true, *others) in enumerate(zip(exact, off, rounded, ours, strict=True)):
            disturbed, theirs, error = (float(torch.linalg.vector_norm(other - true)) for other in others)
            allowed = (
                4 * theirs
                + 4 * disturbed
                + torch.finfo(dtype).eps * (8 * float(torch.linalg.vector_norm(true)) + terms[place])
            )
            if not error <= allowed:
                name = f"{what.__name__} {seed} ({case.alike} alike, scale {case.scale:g}, {case.nodes} nodes)"
                sizes = f"off by {error:.2e}, PyTorch by {theirs:.2e}, {allowed:.2e} allowed"
                said.append(f"{name}: {kernel}, result {place}: {sizes}")
    return said


@pytest.mark.parametrize("what", WHAT, ids=lambda what: what.__name__)
def test_kernels_agree_with_float64(what):
    """Compiled loops and DGL's: result and all gradients, of random graphs, widths, heads, scales and ties."""
    said = [line for seed in range(MANY.get(what, 40)) for line in disagreements(what, seed, ["compiled", "dgl"])]
    assert not said, "\n".join(said)


@pytest.mark.parametrize(
    "what", [propagate, weighted, softmax_sum, attention, block, members], ids=lambda what: what.__name__
)
def test_triton_agrees_with_float64(what):
    """Triton's loops, by its interpreter, on some of the smaller cases."""
    pytest.importorskip("triton", reason="needs triton, which PyTorch's builds for CUDA bring along")
    if torch.cuda.is_available():
        pytest.skip("test_triton_kernel.py compares on the GPU")
    seeds = [seed for seed in range(60) if Case(seed).nodes <= 5][:6]
    said = [line for seed in seeds for line in disagreements(what, seed, ["triton"])]
    assert not said, "\n".join(said)


@pytest.mark.parametrize("scale", SCALES)
def test_products_that_pass_zeros_by_agree_with_float64(scale: float):
    """Of sparse features, with their weights' gradient."""
    generator = torch.Generator().manual_seed(0)
    x = scale * torch.randn(600, 500, generator=generator)
    x[torch.rand(600, 500, generator=generator) >= 0.01] = 0
    sparse = x.clone()
    assert mark_sparse(sparse)
    weight = torch.randn(500, 7, generator=generator)
    results = []
    for features in (x.double(), x, sparse):
        w = weight.to(features.dtype).requires_grad_()
        y = product(features, w)
        results.append([y, *torch.autograd.grad(y.square().sum(), w)])
    for true, theirs, ours in zip(*results, strict=True):
        allowed = 4 * (theirs.double() - true).norm() + 8 * EPS * true.norm()
        assert (ours.double() - true).norm() <= allowed


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kernel", ["compiled", "dgl", "torch"])
def test_half_precision_is_rounded_once(kernel: str, dtype: torch.dtype):
    """Sums and softmaxes of half precision are those of float32, rounded in the end, and so are their gradients."""
    for seed in range(12):
        case = Case(seed)
        case.scale = 1.0
        for what in (propagate, weighted, softmax, softmax_sum):
            run, leaves = what(case)
            graph, tensors = case.graph(kernel), [leaf.made(dtype).detach() for leaf in leaves]
            if what is softmax:
                run, tensors = lambda graph, scores: graph.edge_softmax(scores), tensors[:1]
            halves = [tensor.clone().requires_grad_() for tensor in tensors]
            wides = [tensor.float().requires_grad_() for tensor in tensors]
            y, wide = run(graph, *halves), run(graph, *wides)
            assert y.dtype == dtype and torch.equal(y, wide.to(dtype))
            seeds = torch.randn(y.shape, generator=case.generator).to(dtype)
            found = torch.autograd.grad(y, halves, seeds)
            wanted = torch.autograd.grad(wide, wides, seeds.float())
            for one, other in zip(found, wanted, strict=True):
                assert torch.equal(one, other.to(dtype))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("what", [attention, block, members, attending_members], ids=lambda what: what.__name__)
def test_blocks_of_half_precision_agree(what, dtype: torch.dtype):
    """Compiled loops leave half precision to PyTorch's steps, and are as near to float64 as these."""
    said = [line for seed in range(10) for line in disagreements(what, seed, ["compiled", "dgl"], dtype)]
    assert not said, "\n".join(said)
