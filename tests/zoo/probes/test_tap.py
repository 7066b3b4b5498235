"""Hooks that listen, change nothing, keep nothing, and are gone afterwards."""

import gc
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

import zoo
from zoo.dgl_backend import dgl
from zoo.graphs.graph import Graph
from zoo.layers.block import Block
from zoo.layers.foreign import DGLConv
from zoo.layers.gcn import GCNConv
from zoo.layers.network import Network
from zoo.layers.residual import AddSkip
from zoo.normalizers.attach import WeightNormalization
from zoo.normalizers.frobenius import Frobenius
from zoo.normalizers.spectral import Spectral
from zoo.probes.base import MatrixProbe, Probe
from zoo.probes.presets import deep, quick, standard
from zoo.probes.similarity import Similarity
from zoo.probes.tap import ProbeSchedule, ScheduledProbes, Tap
from zoo.probes.weights import WeightNorms
from zoo.system.process import prepare_process

PRESETS = {"quick": quick, "standard": standard, "deep": deep}
BOTH: list[Probe] = [Similarity(), Similarity(of="representations")]


def chain(depth: int = 4) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Sequential(nn.Linear(3, 3), nn.Tanh()) for _ in range(depth))).double()


def features(seed: int = 1) -> Tensor:
    return torch.randn(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def norms(matrices: Any) -> tuple[np.ndarray, np.ndarray]:
    """μ and norm of matrices from NumPy."""
    arrays = [matrix.detach().double().numpy() for matrix in matrices]
    return np.array([np.linalg.norm(a - a.mean(0)) for a in arrays]), np.array([np.linalg.norm(a) for a in arrays])


def compare(reading: Any, side: str, matrices: Any, rtol: float = 1e-12) -> None:
    """A reading's μ and norm are those of the matrices."""
    mu, norm = norms(matrices)
    np.testing.assert_allclose(reading[f"{side}.mu.plain"], mu, rtol=rtol)
    np.testing.assert_allclose(reading[f"{side}.norm"], norm, rtol=rtol)


def kept(net: nn.Sequential, x: Tensor) -> tuple[list[Tensor], tuple[Tensor, ...]]:
    """Outputs of the blocks, and torch.autograd.grad of the sum of squares at the end."""
    outputs = list(itertools.accumulate(net, lambda value, block: block(value), initial=x))[1:]
    return outputs, torch.autograd.grad(outputs[-1].square().sum(), outputs)


def test_values_equal_autograds():
    """μ and norm of every block's output and gradient equal those of torch.autograd.grad on kept outputs."""
    net, x = chain(), features()
    with Tap(net, BOTH, blocks=net) as tap:
        net(x).square().sum().backward()
    outputs, gradients = kept(net, x)
    compare(tap.read(), "representations", outputs)
    compare(tap.read(), "gradients", gradients)


@pytest.mark.parametrize("preset", list(PRESETS))
def test_nothing_is_left_after_the_with(make_case, preset):
    """No hook stays on any module, also when the inside raises."""
    case = make_case("components-loops", lambda: GCNConv(5, 5))
    with Tap(case.network, PRESETS[preset]()):
        case.loss().backward()
        assert any(module._forward_hooks for module in case.network.modules())
    with pytest.raises(KeyError), Tap(case.network, PRESETS[preset]()):
        raise KeyError
    for module in case.network.modules():
        assert not module._forward_hooks
        assert not module._backward_hooks


def test_a_graph_still_alive_is_no_longer_listened_to(make_case):
    """A backward pass after the `with` adds nothing: gradients and errors are missing, outputs are there."""
    case = make_case("components-loops", lambda: GCNConv(5, 5))
    with Tap(case.network, standard()) as tap:
        loss = case.loss()
    loss.backward()
    reading = tap.read()
    assert not [name for name in reading if name.startswith(("gradients", "errors"))]
    compare(reading, "representations", case.outputs)


def test_without_probes_there_are_no_hooks():
    """An empty tap costs nothing and reads nothing."""
    net = chain()
    with Tap(net, [], blocks=net) as tap:
        assert not any(module._forward_hooks for module in net.modules())
    assert len(tap.read()) == 0


def test_probes_named_twice_are_measured_once():
    """Two sets that overlap share their probes."""
    calls = []

    class Counted(MatrixProbe):
        columns = ("one",)

        def reduce(self, matrix):
            calls.append(matrix)
            return [matrix.x.sum()]

    net = chain()
    with Tap(net, [Counted(), Counted(), Counted(of="representations")], blocks=net):
        net(features()).sum().backward()
    assert len(calls) == 2 * len(net)


class Checkpointed(nn.Module):
    """A chain whose blocks keep nothing but their input."""

    def __init__(self, blocks: nn.Sequential, **options: Any) -> None:
        super().__init__()
        self.blocks, self.options = blocks, options

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = checkpoint(block, x, **self.options)  # pyright: ignore[reportAssignmentType]
        return x


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointed_blocks_are_read_once(reentrant):
    """Blocks that run a second time give the values of the plain chain, outputs reduced once, gradients once."""
    net, x = chain(), features()
    calls: list[bool] = []

    class Counted(MatrixProbe):
        columns = ("one",)

        def reduce(self, matrix):
            calls.append(matrix.backward)
            return [matrix.x.sum()]

    wrapped = Checkpointed(net, use_reentrant=reentrant)
    with Tap(wrapped, [*BOTH, Counted(), Counted(of="representations")]) as tap:
        wrapped(x.clone().requires_grad_()).square().sum().backward()
    outputs, gradients = kept(net, x)
    compare(tap.read(), "representations", outputs)
    compare(tap.read(), "gradients", gradients)
    assert sorted(calls) == [False] * 4 + [True] * 4


@pytest.mark.parametrize("reentrant", [True, False])
def test_deep_under_checkpointing_keeps_the_gradients(make_case, reentrant):
    """All probes on checkpointed convolutions with dropout: parameter gradients bitwise those without a tap."""
    case = make_case("components-isolated", lambda: GCNConv(5, 5))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks, self.encoder = case.network.blocks, case.network.encoder
            for block in self.blocks:
                block.dropout.p = 0.5

        def forward(self) -> Tensor:
            x = self.encoder(case.features)
            for block in self.blocks:
                x = checkpoint(block, case.graph, x, use_reentrant=reentrant)
            return x

    net, found = Net(), []
    for probes in ([], deep()):
        torch.manual_seed(3)
        net.zero_grad()
        with Tap(net, probes) as tap:
            net().square().sum().backward()
        found.append([parameter.grad for parameter in net.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    assert all(np.isfinite(series).all() for name, series in tap.read().items() if name != "updates.ratio")


def test_bf16_autocast_is_reduced_in_float32():
    """Under autocast the values are those of the bfloat16 matrices themselves, to float32's precision."""
    net, x = chain().float(), features().float()
    kept_outputs: list[Tensor] = []
    for block in net:
        block.register_forward_hook(
            lambda module, inputs, output: (output.retain_grad(), kept_outputs.append(output))[1]
        )
    with Tap(net, BOTH, blocks=net) as tap, torch.autocast("cpu", torch.bfloat16):
        net(x).square().sum().backward()
    assert {output.dtype for output in kept_outputs} == {torch.bfloat16}
    compare(tap.read(), "representations", kept_outputs, rtol=1e-5)
    compare(tap.read(), "gradients", [output.grad for output in kept_outputs], rtol=1e-5)


def test_the_bf16_recipe_takes_every_probe():
    """smoke/bf16, with several groups of the optimiser, under autocast: finite numbers at every block."""
    built = zoo.build("smoke/bf16", {"dataset.nodes": 60}, device="cpu")
    assert len(built.optimizer.param_groups) > 1
    with Tap(built.network.train(), deep()) as tap:
        with torch.autocast("cpu", torch.bfloat16):
            loss = built.task.loss(built.network, next(built.task.batches(0)))
        loss.backward()
    built.optimizer.step()
    reading = tap.read()
    assert all(np.isfinite(series).all() for series in reading.values())
    assert set(zip_names(reading)) >= {"gradients", "representations", "updates", "errors", "jacobian"}


def zip_names(reading: Any) -> list[str]:
    """What the numbers are of."""
    return [name.split(".")[0] for name in reading]


def test_each_group_of_the_optimiser_is_seen(make_case):
    """With a learning rate of its own for each block, each block's update ratio is its own."""
    case = make_case("connected-loops", lambda: GCNConv(5, 5))
    rates = [0.0, 0.1, 0.2, 0.4]
    groups = [{"params": list(b.parameters()), "lr": r} for b, r in zip(case.network.blocks, rates, strict=True)]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    with Tap(case.network, standard()) as tap:
        case.loss().backward()
    weights = [block.conv.weight.detach() for block in case.network.blocks]
    gradients = [block.conv.weight.grad for block in case.network.blocks]
    wanted = [rate * float(g.norm() / w.norm()) for rate, g, w in zip(rates, gradients, weights, strict=True)]
    optimizer.step()
    np.testing.assert_allclose(tap.read()["updates.ratio"], wanted, rtol=1e-9)


class OfDGL(nn.Module):
    """A raw module of dgl.nn, called with the DGLGraph."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        return self.module(graph.dgl, x).flatten(1)


class Plain(nn.Module):
    """A block without a conv, of a user's own."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(5, 5)

    def forward(self, graph: Graph, x: Tensor, first: Tensor | None = None) -> Tensor:
        return x + graph.propagate(self.linear(x)).tanh()


class Weightless(nn.Module):
    """A block without parameters."""

    def forward(self, graph: Graph, x: Tensor, first: Tensor | None = None) -> Tensor:
        return graph.propagate(x) + x


FOREIGN: dict[str, Callable[[], nn.Module]] = {
    "dgl.GraphConv": lambda: Block(OfDGL(dgl.nn.GraphConv(5, 5, allow_zero_in_degree=True)), residual=AddSkip()),
    "dgl.GATConv": lambda: Block(OfDGL(dgl.nn.GATConv(5, 5, 1, allow_zero_in_degree=True)), residual=AddSkip()),
    "adapter": lambda: Block(DGLConv(5, 5, "TAGConv", dgl.nn.TAGConv(5, 5)), residual=AddSkip()),
    "plain": Plain,
    "weightless": Weightless,
}


@pytest.mark.parametrize("kind", list(FOREIGN))
def test_foreign_blocks_are_read_as_any_other(make_case, kind):
    """Between blocks of the zoo, a third party's has its X_l and G_l, and every probe works."""
    ours = lambda: Block(GCNConv(5, 5), residual=AddSkip())  # noqa: E731
    case = make_case("components-isolated", None, [ours(), FOREIGN[kind](), ours()])
    reading = case.read(*deep())
    compare(reading, "representations", case.outputs)
    compare(reading, "gradients", case.gradients)
    has = kind != "weightless"
    assert np.isfinite(reading["weights.frobenius"]).tolist() == [True, has, True]
    assert np.isfinite(reading["weights.spectral"]).tolist() == [True, has, True]
    assert np.isfinite(reading["representations.mu.limit"]).all()


def test_blocks_that_return_several_values_are_read_by_the_first_tensor():
    """A block that also returns attention, say, is read by its features."""

    class Pair(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, None]:
            return 2 * x, None

    net, x = Pair(), features().requires_grad_()
    with Tap(net, BOTH, blocks=[net]) as tap:
        net(x)[0].sum().backward()
    compare(tap.read(), "representations", [2 * x])


def test_blocks_that_no_gradient_reaches_are_nan():
    """Behind a detached tensor, and past the end of what the loss sees: NaN there, numbers elsewhere."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks: Any = chain(5)

        def forward(self, x: Tensor) -> Tensor:
            x = self.blocks[0](x).detach()
            for block in self.blocks[1:4]:
                x = block(x)
            self.blocks[4](x)
            return x

    net = Net()
    with Tap(net, [*standard()[:2], *BOTH, WeightNorms()]) as tap:
        net(features()).square().sum().backward()
    reading = tap.read()
    for name in ("gradients.mu.plain", "gradients.norm", "gradients.ratio.plain"):
        assert np.isnan(reading[name]).tolist() == [True, False, False, False, True]
    assert np.isfinite(reading["representations.norm"]).all()
    mu = reading["gradients.mu.plain"][1:4]
    assert reading.number("expansion_rate.plain") == pytest.approx(-np.polyfit([1, 2, 3], np.log(mu), 1)[0])


def test_blocks_that_do_not_run_are_nan():
    """A block that is skipped (stochastic depth) has no output, no gradient and no weights in use."""
    net, x = chain(3), features()
    with Tap(net, [*BOTH, WeightNorms()], blocks=net) as tap:
        net[2](net[0](x)).sum().backward()
    for name in ("gradients.norm", "representations.norm", "weights.frobenius"):
        assert np.isnan(tap.read()[name]).tolist() == [False, True, False]


def alive(shape: tuple[int, int]) -> int:
    """How many different storages of tensors of this shape Python can reach."""
    gc.collect()
    found = [obj for obj in gc.get_objects() if type(obj) is Tensor and tuple(obj.shape) == shape]
    return len({tensor.data_ptr() for tensor in found})


@pytest.mark.parametrize("preset", list(PRESETS))
def test_no_node_matrix_outlives_its_hook(preset):
    """While the tap is open: after the forward pass, with the loss alive, and after the backward pass."""
    n, width = 83, 29
    ring = torch.arange(n)
    graph = Graph.from_edges(torch.cat([ring, ring]), torch.cat([(ring + 1) % n, ring]), n)
    blocks = [Block(Weightless(), residual=AddSkip()) for _ in range(6)]  # of which autograd keeps nothing
    network = Network(nn.Linear(4, width), blocks, nn.Linear(width, 2))
    x = torch.randn(n, 4)
    counts = []
    for probes in ([], PRESETS[preset]()):
        with Tap(network, probes):
            loss = network(graph, x).square().sum()
            forward = alive((n, width))
            loss.backward()
            del loss
            counts.append((forward, alive((n, width))))
    assert counts[1] == counts[0] == (1, 0), "but for what the head's own gradient needs"


@pytest.mark.parametrize("preset", list(PRESETS))
def test_the_host_reads_once(make_case, preset, monkeypatch):
    """Whatever the probes, `read` makes one transfer: one `cpu`, no scalars asked for one by one."""
    case = make_case("components-isolated", lambda: GCNConv(5, 5))
    optimizer = torch.optim.SGD(case.network.parameters(), lr=0.1)
    with Tap(case.network, PRESETS[preset]()) as tap:
        case.loss().backward()
    optimizer.step()
    calls: list[str] = []

    class Scalars(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func is torch.ops.aten._local_scalar_dense.default:
                calls.append("scalar")
            return func(*args, **(kwargs or {}))

    for name in ("cpu", "item", "tolist", "__bool__", "__float__", "__int__"):
        plain = getattr(Tensor, name)

        def counted(self: Tensor, *args: Any, name: str = name, plain: Any = plain, **options: Any) -> Any:
            calls.append(name)
            return plain(self, *args, **options)

        monkeypatch.setattr(Tensor, name, counted)
    with Scalars():
        tap.read()
    assert calls == ["cpu"]


def trained(probes: Callable[[], list[Probe]] | None, normalizer: Any, depth: int = 64) -> dict[str, Tensor]:
    """Weights and buffers of residual blocks with dropout after three steps."""
    torch.manual_seed(0)
    ring = torch.arange(20)
    graph = Graph.from_edges(torch.cat([ring, ring]), torch.cat([(ring + 1) % 20, ring]), 20)
    blocks = [Block(GCNConv(8, 8), residual=AddSkip(), activation=nn.ReLU(), dropout=0.5) for _ in range(depth)]
    network = Network(nn.Linear(4, 8), blocks, nn.Linear(8, 3))
    if normalizer:
        network.normalize_with(WeightNormalization(network.block_matrices(), [normalizer]))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    x, labels = torch.randn(20, 4), torch.arange(20) % 3
    for _ in range(3):
        optimizer.zero_grad()
        with Tap(network, probes() if probes else []) as tap:
            nn.functional.cross_entropy(network(graph, x), labels).backward()
        optimizer.step()
        network.project()
        tap.read()
    return network.state_dict()


NORMALIZERS = {
    "none": None,
    "frobenius": lambda: Frobenius(c=0.3),
    "power": lambda: Spectral(c=1.0, method="power"),
}


@pytest.mark.parametrize("normalizer", list(NORMALIZERS))
def test_training_is_bitwise_that_without_probes(normalizer):
    """64 residual blocks with dropout 0.5, three steps, under each set of probes."""
    wanted = trained(None, NORMALIZERS[normalizer])
    for preset in PRESETS.values():
        found = trained(preset, NORMALIZERS[normalizer])
        assert all(torch.equal(value, found[name]) for name, value in wanted.items())


RECIPES = {
    "batch-norm": ("smoke/gin", {}),
    "power": ("smoke/res-gcn", {"normalizer": {"name": "spectral", "method": "power"}}),
    "attention": ("smoke/gatv2", {}),
}


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_recipes_train_bitwise_alike(recipe):
    """Batch norm's statistics, the vectors of power iteration and the weights, after three steps."""
    name, overrides = RECIPES[recipe]
    found = []
    for preset in (list, quick, standard, deep):
        built = zoo.build(name, {"dataset.nodes": 60, "model.dropout": 0.5, **overrides}, device="cpu")
        network = built.network.train()
        with prepare_process(built.process):
            for _ in range(3):
                built.optimizer.zero_grad()
                with Tap(network, preset()) as tap:
                    built.task.loss(network, next(built.task.batches(0))).backward()
                built.optimizer.step()
                network.project()
                tap.read()
            found.append({**network.state_dict(), "random": torch.get_rng_state()})
    for other in found[1:]:
        assert all(torch.equal(value, other[name]) for name, value in found[0].items())


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        ({"every": 4}, [1, 4, 8, 10]),
        ({"every": 1}, list(range(1, 11))),
        ({"every": 100}, [1, 10]),
        ({"every": 4, "start": 6}, [6, 8, 10]),
        ({"every": 3, "stop": 6}, [1, 3, 6]),
        ({"every": 4, "start": 3, "stop": 3}, [3]),
        ({"every": 2, "start": 11}, []),
    ],
)
def test_due_steps(schedule, wanted):
    """The first from `start` on, every multiple of `every`, and the last of ten; none after `stop`."""
    item = ScheduledProbes((), **schedule)
    assert [step for step in range(1, 11) if item.due(step, 10)] == wanted


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 30))
def test_the_first_and_the_last_step_are_measured(every, start, total):
    """Whatever the numbers, a run that reaches `start` is measured there and at its end."""
    item = ScheduledProbes((), every, start)
    due = [step for step in range(1, total + 1) if item.due(step, total)]
    assert (due[0], due[-1]) == (start, total) if start <= total else not due


class Keeps(nn.Module):
    """A block without a graph's help."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, graph: Graph, x: Tensor, first: Tensor | None = None) -> Tensor:
        return self.linear(x)


def test_a_tap_has_what_is_due(make_graph):
    """Two schedules overlap at some steps; where nothing is due there are no hooks. float64 is for all that are due."""
    net = Network(nn.Identity(), [Keeps()], nn.Identity())
    graph = make_graph("bipartite")
    plan = ProbeSchedule(
        net, [ScheduledProbes((Similarity(),), 2), ScheduledProbes((WeightNorms(),), 3, 3, precision=torch.float64)], 12
    )
    names = {}
    for step in range(1, 7):
        with plan.tap(step) as tap:
            net(graph, torch.ones(12, 2)).square().sum().backward()
            assert bool(net.blocks[0]._forward_hooks) == (step != 5)
        names[step] = {name.split(".")[0] for name in tap.read()}
    mine, norms = {"gradients"}, {"weights"}
    assert names == {1: mine, 2: mine, 3: norms, 4: mine, 5: set(), 6: mine | norms}
    tiny = 1e-30 * torch.arange(24.0).reshape(12, 2)
    for step, seen in ((2, False), (6, True)):
        with plan.tap(step) as tap:
            net(graph, torch.ones(12, 2)).backward(tiny)
        assert bool(tap.read()["gradients.mu.plain"][0] > 0) == seen
