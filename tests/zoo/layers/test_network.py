"""Network and Block: order of parts, the matrices it names, and weight normalisation for one call."""

import copy
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo.dgl_backend import dgl
from zoo.graphs import Graph
from zoo.initializers import Initializer
from zoo.layers.block import Block
from zoo.layers.conv import Conv
from zoo.layers.foreign import dgl_conv
from zoo.layers.gat import GATConv, GATv2Conv
from zoo.layers.gcn import GCNConv
from zoo.layers.gin import GINConv
from zoo.layers.network import Network
from zoo.layers.residual import AddSkip, InitialSkip, JumpingKnowledge, NoSkip
from zoo.layers.sage import SAGEConv
from zoo.normalizers.attach import WeightNormalization
from zoo.regularizers import Regularizer


class Times(nn.Module):
    """Multiplies by a number; a stand-in for a conv, an activation or a norm, so that a block is arithmetic."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, *inputs: Any) -> Tensor:
        """The last argument times the factor, plus one."""
        return inputs[-1] * self.factor + 1


class Scaled(WeightNormalization):
    """A weight normalisation that scales every matrix, in either mode, and has no bound."""

    def __init__(self, factor: float, project: bool = False) -> None:
        super().__init__({}, [])
        self.factor = factor
        self._projects = project

    @property
    def projects(self) -> bool:
        """As it was told."""
        return self._projects

    def forward(self, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The scaled matrices, or none where it projects."""
        return {} if self.projects else {name: self.factor * matrix for name, matrix in parameters.items()}

    def project(self, parameters: Mapping[str, Tensor]) -> None:
        """Scale in place."""
        for matrix in parameters.values():
            if self.projects:
                matrix.mul_(self.factor)


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        # x = 1, conv 2x+1, norm 3x+1, activation 5x+1, residual x + update
        ("pre", 1 + (5 * (2 * (3 * 1 + 1) + 1) + 1)),
        ("inner", 1 + (5 * (3 * (2 * 1 + 1) + 1) + 1)),
        ("post", 3 * (1 + (5 * (2 * 1 + 1) + 1)) + 1),
    ],
)
def test_a_block_runs_its_parts_in_order(graph: Graph, position: Any, expected: float):
    """The norm acts before the conv, after it, or after the residual, as asked."""
    block = Block(
        Times(2), residual=AddSkip(), norms=[Times(3)], norm_position=position, activation=Times(5), dropout=0.0
    )
    x = torch.ones(graph.nodes, 1)
    assert torch.equal(block(graph, x), torch.full_like(x, expected))


def test_several_norms_act_in_order(graph: Graph):
    """A list of norms is applied first to last."""
    block = Block(Times(1), residual=NoSkip(), norms=[Times(3), Times(10)])
    assert block(graph, torch.zeros(graph.nodes, 1))[0] == (0 + 1) * 3 * 10 + 1 * 10 + 1


def test_x0_is_the_encoders_output_or_the_first_blocks(graph: Graph):
    """Initial residuals mix in what the encoder gave; without an encoder, what the first block gave."""

    def blocks(first: Any) -> list[Block]:
        return [Block(Times(2), residual=first), Block(Times(2), residual=InitialSkip(alpha=0.5))]

    x = torch.ones(graph.nodes, 1)
    encoded = Network(Times(4), blocks(InitialSkip(alpha=0.5)), nn.Identity())  # X_0 = 5
    first = 0.5 * (2 * 5 + 1) + 0.5 * 5
    assert torch.equal(encoded(graph, x), torch.full_like(x, 0.5 * (2 * first + 1) + 0.5 * 5))
    bare = Network(nn.Identity(), blocks(NoSkip()), nn.Identity(), encodes=False)  # first block gives 3
    assert torch.equal(bare(graph, x), torch.full_like(x, 0.5 * (2 * 3 + 1) + 0.5 * 3))


def test_jumping_reads_every_block(graph: Graph):
    """With jumping knowledge the head sees all outputs, side by side."""
    jump = JumpingKnowledge()
    network = Network(nn.Identity(), [Block(Times(2), residual=jump) for _ in range(3)], nn.Identity(), readout=jump)
    assert network(graph, torch.zeros(graph.nodes, 1))[0].tolist() == [1, 3, 7]


def test_a_readout_may_read_x0_as_well(graph: Graph):
    """Where the readout asks for it, the encoder's output comes before the blocks'."""

    class All(JumpingKnowledge):
        reads_first = True

    network = Network(Times(4), [Block(Times(2), residual=NoSkip())], nn.Identity(), readout=All())
    assert network(graph, torch.zeros(graph.nodes, 1))[0].tolist() == [1, 3]


@pytest.mark.parametrize("make", [lambda: GCNConv(4, 4), lambda: dgl_conv("GATConv")(4, 4, num_heads=2)])
def test_a_shared_convolution_is_normalised_once_for_all_its_blocks(make: Any, graph: Graph):
    """Its matrices are listed once, stand in in every block for the call, and the parameter itself is back after it."""
    conv, x = make(), torch.randn(graph.nodes, 4)
    network = Network(nn.Identity(), [Block(conv, residual=AddSkip()) for _ in range(3)], nn.Identity())
    ((name, weight),) = network.block_matrices().items()
    assert name.startswith("blocks.0.conv.")
    network.normalize_with(Scaled(0.25))
    outputs = []
    for _ in range(2):  # what an earlier call left behind would show in the next
        outputs.append(network(graph, x))
        assert network.block_matrices()[name] is weight and isinstance(weight, nn.Parameter)
    network.normalize_with(None)
    with torch.no_grad():
        weight.mul_(0.25)
    torch.testing.assert_close(outputs[-1], network(graph, x))


def test_hooks_on_blocks_see_the_representations(graph: Graph):
    """A forward hook on a block gets X_l, also while weights are normalised."""
    network = Network(nn.Identity(), [Block(GCNConv(4, 4), residual=NoSkip()) for _ in range(2)], nn.Identity())
    network.normalize_with(Scaled(0.5))
    seen: list[Any] = []
    network.blocks[-1].register_forward_hook(lambda module, inputs, output: seen.append(output))
    assert network(graph, torch.randn(graph.nodes, 4)) is seen[0]


@pytest.mark.parametrize(
    ("conv", "names"),
    [
        (GCNConv(4, 4), {"weight"}),
        (GATConv(4, 4, heads=2), {"weight"}),
        (GATv2Conv(4, 4, heads=2), {"source_weight", "target_weight"}),
        (SAGEConv(4, 4), {"root_weight", "neighbor_weight"}),
        (GINConv(4, 4, activation=nn.ReLU, batch_norm=True), {"mlp.0.weight", "mlp.3.weight"}),
        (dgl_conv("GATConv")(4, 4, num_heads=2), {"module.fc.weight"}),
        (dgl_conv("GraphConv")(4, 4), {"module.weight"}),
        (dgl_conv("TAGConv")(4, 4), {"module.lin.weight"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_block_matrices_are_the_weights_of_the_convs(conv: Conv, names: set[str]):
    """Weight matrices are named; biases, attention vectors, norms' parameters, encoder and head are not."""
    norm = nn.LayerNorm(4)
    norm.mixing = nn.Linear(4, 4)
    network = Network(nn.Linear(4, 4), [Block(conv, residual=NoSkip(), norms=[norm])], nn.Linear(4, 2))
    matrices = network.block_matrices()
    assert set(matrices) == {f"blocks.0.conv.{name}" for name in names}
    parameters = dict(network.named_parameters())
    assert all(matrices[name] is parameters[name] and matrices[name].dim() >= 2 for name in matrices)


@pytest.mark.parametrize(
    "make",
    [
        lambda: GCNConv(4, 4),
        lambda: GATConv(4, 4, heads=2),
        lambda: dgl_conv("GraphConv")(4, 4),
        lambda: dgl_conv("GATConv")(4, 4, num_heads=2),
        lambda: dgl_conv("SAGEConv")(4, 4, aggregator_type="mean"),
    ],
)
def test_normalised_weights_are_used_for_one_call(make: Any, graph: Graph):
    """The output is that of a network with scaled weights, own or foreign, and the parameters stay untouched."""
    network = Network(nn.Identity(), [Block(make(), residual=AddSkip()) for _ in range(2)], nn.Identity()).double()
    x = torch.randn(graph.nodes, 4, dtype=torch.float64)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    identities = {name: id(value) for name, value in network.named_parameters()}

    network.normalize_with(Scaled(0.25))
    got = network(graph, x)
    gradients = torch.autograd.grad(got.square().sum(), list(network.block_matrices().values()))

    assert {name: id(value) for name, value in network.named_parameters()} == identities
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    network.normalize_with(None)
    with torch.no_grad():
        for matrix in network.block_matrices().values():
            matrix.mul_(0.25)
    expected = network(graph, x)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)
    wanted = torch.autograd.grad(expected.square().sum(), list(network.block_matrices().values()))
    for mine, other in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(mine, 0.25 * other, rtol=1e-10, atol=1e-12)


def test_parameters_come_back_after_an_error(graph: Graph):
    """A conv that raises half way leaves the parameters in place."""
    conv = GCNConv(4, 4)
    network = Network(nn.Identity(), [Block(conv, residual=NoSkip())], nn.Identity())
    network.normalize_with(Scaled(0.5))
    weight = conv.weight
    with pytest.raises(RuntimeError):
        network(graph, torch.randn(graph.nodes, 5))
    assert conv.weight is weight


def test_project_writes_into_the_parameters(graph: Graph):
    """Projecting scales the stored weights once per call; the forward pass then takes them as they are."""
    conv = GCNConv(4, 4)
    network = Network(nn.Identity(), [Block(conv, residual=NoSkip())], nn.Identity())
    network.project()  # without a normalisation: nothing
    network.normalize_with(Scaled(0.5, project=True))
    weight, x = conv.weight, torch.randn(graph.nodes, 4)
    before, output = weight.detach().clone(), network(graph, x)
    network.project()
    assert torch.equal(weight, 0.5 * before)
    torch.testing.assert_close(network(graph, x), 0.5 * output)


def test_runs_on_blocks_with_fewer_destinations():
    """A block's residual takes the destinations' part of its input on a DGL block."""
    src, dst = torch.tensor([0, 1, 2, 3]), torch.tensor([0, 0, 1, 1])
    graph = Graph(dgl.create_block((src, dst), num_src_nodes=4, num_dst_nodes=2))
    x = torch.randn(4, 3)
    block = Block(Times(0), residual=AddSkip())
    block.conv.forward = lambda graph, x: graph.propagate(x, "sum")  # type: ignore[method-assign]
    assert torch.allclose(block(graph, x), x[:2] + torch.stack([x[0] + x[1], x[2] + x[3]]))


def test_norms_that_read_the_input_get_it(graph: Graph):
    """A norm that says so is called with the block's input besides, at every position; others as ever."""

    class Reads(nn.Module):
        reads_input = True

        def forward(self, graph: Graph, x: Tensor, before: Tensor) -> Tensor:
            """The sum, with the input ten times."""
            assert before.shape == x.shape
            return x + 10 * before

    x = torch.ones(graph.nodes, 1)
    for position, expected in (("pre", 2 * 11 + 1), ("inner", 2 * 1 + 1 + 10), ("post", 2 * 1 + 1 + 10)):
        block = Block(Times(2), residual=NoSkip(), norms=[Reads()], norm_position=position)  # type: ignore[arg-type]
        assert torch.equal(block(graph, x), torch.full_like(x, expected))


def test_a_norm_that_reads_the_input_gets_the_destinations_rows():
    """On a sampled block there are as many rows as the norm acts on."""

    class Reads(nn.Module):
        reads_input = True

        def forward(self, graph: Graph, x: Tensor, before: Tensor) -> Tensor:
            """The input alone."""
            assert len(before) == len(x)
            return before

    graph = Graph(dgl.create_block((torch.tensor([0, 1, 2]), torch.tensor([0, 0, 1])), 4, 2))
    x = torch.randn(4, 3)
    for position in ("pre", "inner", "post"):
        block = Block(GCNConv(3, 3), residual=AddSkip(), norms=[Reads()], norm_position=position)  # type: ignore[arg-type]
        assert block(graph, x).shape == (2, 3)


class Recorder(Regularizer):
    """Notes what it is asked for, and changes something each time."""

    def __init__(self, per_block: bool = False) -> None:
        super().__init__()
        self.per_block = per_block
        self.calls: list[str] = []

    def drop_edges(self, graph: Any) -> Any:
        """The graph without its first edge."""
        self.calls.append("thin")
        return graph.edge_subgraph(torch.arange(graph.edges) > 0)

    def features(self, graph: Any, x: Tensor) -> Tensor:
        """One more."""
        self.calls.append("features")
        return x + 1

    def mix(self, graph: Any, before: Tensor, after: Tensor) -> Tensor:
        """Both."""
        self.calls.append(f"mix {graph.edges}")
        return before + after


@pytest.mark.parametrize("per_block", [False, True])
def test_regularizers_act_in_training_only(graph: Graph, per_block: bool):
    """Features at the input, the graph once or for each block, mixing after blocks of one width; in eval nothing."""
    blocks = [Block(Times(2), residual=NoSkip()) for _ in range(3)]
    network, recorder = Network(nn.Identity(), blocks, nn.Identity()), Recorder(per_block)
    x = torch.zeros(graph.nodes, 1)
    plain = network.eval()(graph, x)
    network.regularize_with([recorder])
    assert torch.equal(network(graph, x), plain) and not recorder.calls
    y = torch.ones_like(x)
    for _ in blocks:
        y = y + (2 * y + 1)
    assert torch.equal(network.train()(graph, x), y)
    mixes = [f"mix {graph.edges - 1}"]
    expected = ["thin", *mixes] * 3 if per_block else ["thin", *mixes * 3]
    assert recorder.calls == ["features", *expected]


def test_a_copy_of_a_regularized_network_stands_for_itself(graph: Graph):
    """The copy's blocks are mixed by the copy's regulariser, according to the copy's mode."""
    network, recorder = Network(nn.Identity(), [Block(Times(2), residual=NoSkip())], nn.Identity()), Recorder()
    network.regularize_with([recorder])
    twin = copy.deepcopy(network)
    network.eval()
    assert torch.equal(twin.train()(graph, torch.zeros(graph.nodes, 1)), torch.full((graph.nodes, 1), 1.0 + 3.0))
    assert not recorder.calls


def test_penalties_of_convolutions_and_regularizers_add_up(graph: Graph):
    """Those that have one count; without any there is none."""

    class Costly(Times):
        def penalty(self) -> Tensor:
            """Three."""
            return torch.tensor(3.0)

    class Costs(Regularizer):
        def penalty(self, network: Any) -> Tensor:
            """The number of blocks."""
            return torch.tensor(float(len(network.blocks)))

    blocks = [Block(kind(2), residual=NoSkip()) for kind in (Times, Costly, Costly)]
    network = Network(nn.Identity(), blocks, nn.Identity())
    assert Network(nn.Identity(), blocks[:1], nn.Identity()).penalty() is None
    assert float(network.penalty()) == 6  # type: ignore[arg-type]
    network.regularize_with([Costs(), Recorder()])
    assert float(network.penalty()) == 9  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("conv", "expected"),
    [
        (GCNConv(3, 5), [(3, "both")]),
        (GATConv(3, 4, heads=2), [(3, "right")]),
        (SAGEConv(3, 5, aggregator="sum"), [(3, "sum"), (3, "sum")]),
        (GINConv(3, 5, activation=nn.ReLU), [(3, "sum"), (5, "sum")]),
        (dgl_conv("GATConv")(3, 4, num_heads=2), [(3, "right")]),
        (dgl_conv("GraphConv")(3, 5), [(3, "both")]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_initializer_fills_each_matrix_of_the_blocks(graph: Graph, conv: Conv, expected: list[Any]):
    """It is told fan-in, whichever way a third party stores its weights, and propagation; the ends are not drawn."""
    told: list[Any] = []

    class Ones(Initializer):
        def fill(self, weight: Tensor, graph: Any, *, fan_in: int, propagation: str | None) -> None:
            """Note and fill."""
            told.append((fan_in, propagation))
            weight.fill_(1)

    network = Network(nn.Linear(3, 3), [Block(conv, residual=NoSkip())], nn.Linear(4, 2))
    ends = [network.encoder.weight.clone(), network.head.weight.clone()]  # type: ignore[operator]
    network.initialize_with(Ones(), graph)
    assert told == expected
    assert all((weight == 1).all() and weight.requires_grad for weight in network.block_matrices().values())
    assert torch.equal(ends[0], network.encoder.weight) and torch.equal(ends[1], network.head.weight)  # type: ignore[arg-type]
