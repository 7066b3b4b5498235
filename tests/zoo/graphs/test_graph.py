"""Graph: its operators against DGL and dense linear algebra, for both kernels, in float64."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.graphs import Graph, KernelName, Norm

KERNELS: tuple[KernelName, ...] = ("dgl", "torch")
NODES = 9

# Isolated nodes (7, 8), a pure source (5), a pure sink (6), loops, a double and a triple edge, one direction only.
AWKWARD = ([0, 0, 1, 1, 1, 2, 3, 3, 4, 5, 5, 2, 4, 0], [1, 1, 2, 2, 2, 2, 3, 0, 0, 0, 4, 6, 6, 0])
EMPTY: tuple[list[int], list[int]] = ([], [])
GRAPHS = {"awkward": AWKWARD, "empty": EMPTY}


def graph(edges: tuple[list[int], list[int]] = AWKWARD, kernel: KernelName = "auto") -> Graph:
    """A graph of NODES nodes."""
    src, dst = (torch.tensor(end, dtype=torch.int64) for end in edges)
    return Graph.from_edges(src, dst, NODES, kernel=kernel)


def random(*shape: int, seed: int = 0, grad: bool = True) -> Tensor:
    """A float64 tensor that does not depend on what ran before."""
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).requires_grad_(grad)


def adjacency(g: Graph) -> Tensor:
    """The dense matrix of edge counts, [nodes, sources]."""
    src, dst = g.dgl.edges(order="eid")
    dense = torch.zeros(g.nodes, g.sources, dtype=torch.float64)
    return dense.index_put_((dst.long(), src.long()), torch.ones(len(src), dtype=torch.float64), accumulate=True)


def weighted(g: Graph, norm: Norm) -> Tensor:
    """The dense propagation matrix of a norm, from its formula."""
    dense = adjacency(g)
    inwards, outwards = dense.sum(1).clamp(min=1)[:, None], dense.sum(0).clamp(min=1)[None]
    return {
        "both": dense / (inwards * outwards).sqrt(),
        "right": dense / inwards,
        "left": dense / outwards,
        "sum": dense,
    }[norm]


def same(ours: Any, theirs: Any, inputs: list[Tensor]) -> None:
    """Values and all gradients agree to 1e-10, for a random incoming gradient."""
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    incoming = random(*theirs.shape, seed=7, grad=False)
    got = torch.autograd.grad(ours, inputs, incoming, retain_graph=True)
    wanted = torch.autograd.grad(theirs, inputs, incoming, allow_unused=True, materialize_grads=True)
    for mine, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("edges", GRAPHS.values(), ids=GRAPHS)
@pytest.mark.parametrize("norm", ["both", "right", "left", "sum"])
def test_propagate_is_the_dense_product(kernel: KernelName, edges: Any, norm: Norm) -> None:
    """The operator propagate equals the dense matrix of its norm, forward and backward, on awkward graphs."""
    g, x = graph(edges, kernel), random(NODES, 5)
    same(g.propagate(x, norm), weighted(g, norm) @ x, [x])


@pytest.mark.parametrize("kernel", KERNELS)
def test_propagate_takes_any_trailing_shape(kernel: KernelName) -> None:
    """One column, or a stack of matrices, is propagated column by column."""
    g = graph(kernel=kernel)
    dense = weighted(g, "both")
    line, cube = random(NODES), random(NODES, 2, 3)
    same(g.propagate(line), dense @ line, [line])
    same(g.propagate(cube), torch.einsum("vu,uab->vab", dense, cube), [cube])


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("edges", GRAPHS.values(), ids=GRAPHS)
@pytest.mark.parametrize("heads", [1, 3])
def test_attend_is_the_weighted_sum(kernel: KernelName, edges: Any, heads: int) -> None:
    """The operator attend equals index_add over edges, with gradients of values and weights."""
    g = graph(edges, kernel)
    x, w = random(NODES, heads, 4), random(g.edges, heads, seed=1)
    src, dst = g.dgl.edges(order="eid")
    expected = torch.zeros(NODES, heads, 4, dtype=torch.float64).index_add(0, dst, x[src] * w[..., None])
    same(g.attend(x, w), expected, [x, w])


@pytest.mark.parametrize("edges", GRAPHS.values(), ids=GRAPHS)
def test_edge_add_gathers_both_ends(edges: Any) -> None:
    """edge_add equals indexing, in the order of DGL's edge ids."""
    g = graph(edges)
    left, right = random(NODES, 2, 3), random(NODES, 2, 3, seed=1)
    src, dst = g.dgl.edges(order="eid")
    same(g.edge_add(left, right), left[src] + right[dst], [left, right])


@pytest.mark.parametrize("edges", GRAPHS.values(), ids=GRAPHS)
def test_edge_sum_adds_up_in_edges(edges: Any) -> None:
    """edge_sum equals index_add over destinations, with its gradient, for any trailing shape."""
    g = graph(edges)
    values = random(g.edges, 2, 3)
    dst = g.dgl.edges(order="eid")[1]
    same(g.edge_sum(values), torch.zeros(NODES, 2, 3, dtype=torch.float64).index_add(0, dst, values), [values])


@pytest.mark.parametrize("edges", GRAPHS.values(), ids=GRAPHS)
def test_neighbours_are_in_edges_without_loops(edges: Any) -> None:
    """The in-degree less the loops, several edges counted each."""
    g = graph(edges)
    expected = adjacency(g).fill_diagonal_(0).sum(1).long()
    assert torch.equal(g.neighbours, expected)


def test_edge_softmax_is_dgls() -> None:
    """edge_softmax equals DGL's, also for scores that overflow without a shift."""
    g = graph()
    scores = random(g.edges, 3)
    same(g.edge_softmax(scores), dgl.ops.edge_softmax(g.dgl, scores), [scores])
    same(g.edge_softmax(800 * scores), dgl.ops.edge_softmax(g.dgl, 800 * scores), [scores])


def test_edge_softmax_of_no_edges_is_empty() -> None:
    """A graph without edges has an empty softmax with an empty gradient."""
    scores = random(0, 3)
    weights = graph(EMPTY).edge_softmax(scores)
    weights.sum().backward()
    assert weights.shape == (0, 3) and scores.grad is not None and scores.grad.shape == (0, 3)


@pytest.mark.parametrize("kernel", KERNELS)
def test_gradients_of_gradients(kernel: KernelName) -> None:
    """Every operator passes gradcheck and gradgradcheck."""
    g = graph(kernel=kernel)
    left, right, scores, two = random(NODES, 2, 2), random(NODES, 2, 2, seed=1), random(g.edges, 2), random(NODES, 2)
    cases: list[tuple[Callable[..., Tensor], tuple[Tensor, ...]]] = [
        (g.propagate, (two,)),
        (g.attend, (left, scores)),
        (g.attend, (left[:, :1].detach().requires_grad_(), scores[:, :1].detach().requires_grad_())),
        (g.edge_add, (left, right)),
        (g.edge_softmax, (scores,)),
    ]
    for operator, inputs in cases:
        assert torch.autograd.gradcheck(operator, inputs)
        assert torch.autograd.gradgradcheck(operator, inputs)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_block_has_fewer_destinations_than_sources(kernel: KernelName) -> None:
    """On a DGL block the operators map source features to destination features."""
    src, dst = torch.tensor([0, 1, 2, 4, 4]), torch.tensor([0, 0, 1, 1, 1])
    g = Graph(dgl.create_block((src, dst), num_src_nodes=5, num_dst_nodes=3), kernel=kernel)
    x, w = random(5, 2, 3), random(5, 2, seed=1)
    assert (g.sources, g.nodes, g.edges) == (5, 3, 5)
    same(g.propagate(x[:, 0]), weighted(g, "both") @ x[:, 0], [x])
    expected = torch.zeros(3, 2, 3, dtype=torch.float64).index_add(0, dst, x[src] * w[..., None])
    same(g.attend(x, w), expected, [x, w])
    assert torch.equal(g.at_destinations(x), x[:3])


def test_propagate_keeps_no_features() -> None:
    """Autograd keeps no tensor of nodes × width for propagate."""
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    g = graph()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        y = g.propagate(random(NODES, 5))
    assert y.requires_grad and not kept


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(kernel: KernelName, dtype: torch.dtype) -> None:
    """Half-precision input gives the float32 result rounded once, in forward and backward."""
    g = graph(kernel=kernel)
    x = random(NODES, 5, grad=False).to(dtype)
    assert torch.equal(g.propagate(x), g.propagate(x.float()).to(dtype))
    values, weights = x.view(NODES, 1, 5).requires_grad_(), random(g.edges, 1, grad=False).to(dtype).requires_grad_()
    y = g.attend(values, g.edge_softmax(weights))
    y.sum().backward()
    assert y.dtype == dtype and values.grad is not None and values.grad.dtype == dtype
    assert weights.grad is not None and weights.grad.dtype == dtype


@pytest.mark.parametrize("kernel", KERNELS)
def test_autocast_leaves_the_operators_alone(kernel: KernelName) -> None:
    """Under bfloat16 autocast, float32 features are propagated and attended in float32, backward included."""
    g = graph(kernel=kernel)
    x = random(NODES, 2, 3, grad=False).float().requires_grad_()
    w = random(g.edges, 2, grad=False).float().requires_grad_()

    def run() -> tuple[Tensor, ...]:
        y = g.attend(g.propagate(x), g.edge_softmax(w))
        return y, *torch.autograd.grad(y.square().sum(), (x, w))

    plain = run()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = run()
    for one, other in zip(plain, cast, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_a_kernel_that_was_asked_for_moves_with_the_graph() -> None:
    """An explicit choice is kept when the graph moves, and says so."""
    moved = graph(kernel="torch").to("cpu")
    assert moved.kernel == "torch" and moved.kernel_reason == "asked for" and moved.device.type == "cpu"


@pytest.mark.parametrize(
    ("src", "dst", "message"),
    [([0, 1], [0], "equal length"), ([0, 9], [0, 1], "expected 0 … 8"), ([-1], [0], "expected 0 … 8")],
)
def test_bad_edges_are_refused(src: list[int], dst: list[int], message: str) -> None:
    """Vectors of unequal length and nodes out of range are user errors."""
    with pytest.raises(BuildError, match=message):
        graph((src, dst))


def test_several_node_types_are_refused() -> None:
    """A heterogeneous graph is a user error that names the way out."""
    with pytest.raises(BuildError, match="to_homogeneous"):
        Graph(dgl.heterograph({("user", "buys", "item"): ([0], [1])}))


def test_features_of_the_wrong_kind_are_refused() -> None:
    """Integer features and a wrong number of rows are user errors."""
    with pytest.raises(BuildError, match="float tensor"):
        graph().propagate(torch.ones(NODES, 2, dtype=torch.int64))
    with pytest.raises(BuildError, match="length 9"):
        graph().propagate(torch.ones(NODES - 1, 2))


def test_kernels_agree_on_a_random_multigraph() -> None:
    """On 300 random edges both kernels give the same numbers and gradients for one and several heads."""
    make = torch.Generator().manual_seed(3)
    src, dst = torch.randint(40, (2, 300), generator=make)
    first, second = (Graph.from_edges(src, dst, 50, kernel=kernel) for kernel in KERNELS)
    for heads in (1, 2, 8):
        x, scores = random(50, heads, 4), random(300, heads, seed=1)
        weights = first.edge_softmax(scores)
        same(first.attend(first.propagate(x), weights), second.attend(second.propagate(x), weights), [x, scores])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_equals_cpu() -> None:
    """Whatever kernel CUDA gets, the numbers are those of the CPU."""
    cpu = graph()
    cuda = cpu.to("cuda")
    x, scores = random(NODES, 2, 3), random(cpu.edges, 2)
    expected = cpu.attend(cpu.propagate(x), cpu.edge_softmax(scores))
    found = cuda.attend(cuda.propagate(x.cuda()), cuda.edge_softmax(scores.cuda())).cpu()
    same(found, expected, [x, scores])


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_thinned_graph_is_the_graph_of_the_kept_edges(kernel: KernelName, share: float) -> None:
    """Every operator, both directions, heads and DGL's graph are those of a graph made anew of the kept edges."""
    whole = graph(kernel=kernel)
    keep = torch.rand(whole.edges, generator=torch.Generator().manual_seed(5)) < share
    thin = whole.edge_subgraph(keep)
    src, dst = (end[keep].tolist() for end in (whole.structure.src, whole.structure.dst))
    fresh = graph((src, dst))
    assert (thin.nodes, thin.edges, len(thin.neighbours)) == (NODES, len(src), NODES)
    assert torch.equal(thin.neighbours, fresh.neighbours)
    assert torch.equal(whole.thinned(keep).neighbours, thin.neighbours)
    assert torch.equal(torch.stack(thin.dgl.edges(order="eid")).long(), torch.tensor([src, dst]))
    x, scores = random(NODES, 2, 3), random(len(src), 2)
    for norm in ("both", "right", "left", "sum"):
        same(thin.propagate(x, norm), fresh.propagate(x, norm), [x])
    ours, theirs = (g.attend(x, g.edge_softmax(scores + g.edge_add(x, x).sum(-1))) for g in (thin, fresh))
    same(ours, theirs, [x, scores])


def test_a_thinned_graph_keeps_the_whole_ones_subspaces() -> None:
    """What counts as smooth is one and the same for all graphs thinned from one, also at second hand."""
    whole = graph((AWKWARD[0] + AWKWARD[1], AWKWARD[1] + AWKWARD[0]))
    thin = whole.edge_subgraph(torch.arange(whole.edges) % 2 == 0)
    thinner = thin.edge_subgraph(torch.arange(thin.edges) % 2 == 0)
    assert whole.whole is whole
    assert thinner.whole is thin.whole is whole
    for g in (thin, thinner):
        assert g.subspace("limit") is whole.subspace("limit")
    assert (thinner.edges, whole.edges) == (7, 28)


def test_a_block_is_thinned_as_well() -> None:
    """Of a sampled block the destinations stay, and the kept edges are summed over."""
    block = Graph(dgl.create_block((torch.tensor([0, 1, 2, 3]), torch.tensor([0, 0, 1, 1])), 4, 2))
    thin = block.edge_subgraph(torch.tensor([True, False, True, True]))
    x = random(4, 3)
    same(thin.propagate(x, "sum"), torch.stack([x[0], x[2] + x[3]]), [x])
    assert (thin.nodes, thin.sources, thin.dgl.num_edges()) == (2, 4, 3)


@pytest.mark.parametrize("make", [graph, lambda: graph().edge_subgraph(torch.arange(len(AWKWARD[0])) % 2 == 0)])
def test_a_graph_is_freed_with_its_last_reference(make: Callable[[], Graph]) -> None:
    """Not at some later collection of cycles: samples, and graphs without some edges, are made for every step."""
    gc.collect()
    gc.disable()
    try:
        made = make()
        made.propagate(random(NODES, 2)).sum().backward()
        assert made.within is made and made.whole is not None
        made.subspace("limit")
        left = weakref.ref(made)
        del made
        assert left() is None
    finally:
        gc.enable()
