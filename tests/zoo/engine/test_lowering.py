"""The one predicate of what runs as one operator, case by case, and that its choice changes no result."""

import copy
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from zoo.engine.kernel import Epilogue
from zoo.engine.lowering import Decision, decide, fused_block, lower, segments, signature
from zoo.graphs.block_graphs import BlockGraphs
from zoo.graphs.graph import Graph
from zoo.layers.block import Block
from zoo.layers.gat import GATConv, GATv2Conv
from zoo.layers.gated import GatedBlock
from zoo.layers.gcn import GCNConv
from zoo.layers.gin import GINConv
from zoo.layers.network import Network
from zoo.layers.residual import AddSkip, InitialSkip, JumpingKnowledge, NoSkip
from zoo.layers.sage import SAGEConv
from zoo.normalizers.standard import LayerNorm
from zoo.regularizers import Regularizer

WIDTH = 6


class OwnForward(GCNConv):
    """A convolution with a forward of its own."""

    def forward(self, graph, x):
        return super().forward(graph, x) * 2


class OwnOperands(GCNConv):
    """A convolution of other operands, which say all that there is to it."""

    def operands(self):
        return super().operands()._replace(bias=None)


class OwnResidual(AddSkip):
    """A residual with a forward of its own."""

    def forward(self, x, update, first):
        return x + 2 * update


class OwnShares(AddSkip):
    """A residual of other shares."""

    def shares(self, x, first):
        return 0.5, 2.0, x


class OwnBlock(Block):
    """A block with a forward of its own."""

    def forward(self, graph, x, first=None):
        return 2 * super().forward(graph, x, first)


class SameBlock(Block):
    """A block with nothing of its own."""


@pytest.fixture
def graph():
    src, dst = torch.randint(0, 20, (2, 60), generator=torch.Generator().manual_seed(0))
    return Graph.from_edges(src, dst, 20)


@pytest.fixture
def x():
    return torch.randn(20, WIDTH, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def block(conv: Any = GCNConv, kind: Any = Block, out: int = WIDTH, **options: Any) -> Any:
    torch.manual_seed(0)
    made = conv(WIDTH, out)
    for parameter in made.parameters():
        nn.init.normal_(parameter)
    return kind(made, **{"residual": AddSkip(), "activation": nn.ReLU(), **options}).double()


def gin(inputs: int, outputs: int) -> GINConv:
    return GINConv(inputs, outputs, activation=nn.ReLU)  # pyright: ignore[reportArgumentType]


def changed(change: Callable[[Any], Any], **options: Any) -> Any:
    made = block(**options)
    change(made)
    return made


def hooked(part: str, register: str = "register_forward_hook") -> Any:
    return changed(lambda made: getattr(made.get_submodule(part), register)(lambda *_: None))


def with_own_forward(part: str) -> Any:
    def give(made: nn.Module) -> None:
        module: Any = made.get_submodule(part)
        module.forward = lambda *arguments: type(module).forward(module, *arguments)

    return changed(give)


# A block, and how it is to be run.
CASES: dict[str, tuple[Callable[[], nn.Module], Decision]] = {
    "gcn": (block, Decision("chained")),
    "sage": (lambda: block(SAGEConv), Decision("chained")),
    "no skip": (lambda: block(residual=NoSkip()), Decision("chained")),
    "leaky": (lambda: block(activation=nn.LeakyReLU(0.1)), Decision("chained")),
    "linear": (lambda: block(activation=None), Decision("chained")),
    "narrower": (lambda: block(out=4, residual=NoSkip()), Decision("chained")),
    "own operands": (lambda: block(OwnOperands), Decision("chained")),
    "subclass": (lambda: block(kind=SameBlock), Decision("chained")),
    "dropout of none": (lambda: block(dropout=0.5).eval(), Decision("chained")),
    "wider": (lambda: block(out=8, residual=NoSkip()), Decision("fused", "it widens features from 6 to 8")),
    "gat": (lambda: block(GATConv), Decision("fused", "GATConv is not affine")),
    "gatv2": (lambda: block(GATv2Conv), Decision("fused", "GATv2Conv is not affine")),
    "initial": (lambda: block(residual=InitialSkip(alpha=0.2)), Decision("fused", "InitialSkip does not chain")),
    "own shares": (lambda: block(residual=OwnShares()), Decision("fused", "OwnShares does not chain")),
    "norm before": (lambda: block(norms=[LayerNorm(WIDTH)], norm_position="pre"), Decision("fused", "it has norms")),
    "norm after": (lambda: block(norms=[LayerNorm(WIDTH)], norm_position="post"), Decision("fused", "it has norms")),
    "dropout": (lambda: block(dropout=0.5), Decision("fused", "it drops features")),
    "hook": (lambda: hooked(""), Decision("fused", "it has a forward hook")),
    "pre-hook": (lambda: hooked("", "register_forward_pre_hook"), Decision("fused", "it has a forward pre hook")),
    "hook on dropout": (lambda: hooked("dropout"), Decision("fused", "it has a forward hook")),
    "norm between": (
        lambda: block(norms=[LayerNorm(WIDTH)]),
        Decision("plain", "norms stand between convolution and activation"),
    ),
    "tanh": (lambda: block(activation=nn.Tanh()), Decision("plain", "Tanh does not fuse")),
    "gin": (lambda: block(gin), Decision("plain", "GINConv does not fuse")),
    "jumping": (lambda: block(residual=JumpingKnowledge()), Decision("plain", "JumpingKnowledge does not fuse")),
    "own convolution": (lambda: block(OwnForward), Decision("plain", "OwnForward does not fuse")),
    "own residual": (lambda: block(residual=OwnResidual()), Decision("plain", "OwnResidual does not fuse")),
    "own block": (lambda: block(kind=OwnBlock), Decision("plain", "OwnBlock has a forward of its own")),
    "other block": (
        lambda: GatedBlock(GCNConv(WIDTH, WIDTH), activation=nn.ReLU()).double(),
        Decision("plain", "GatedBlock has a forward of its own"),
    ),
    "hook on convolution": (lambda: hooked("conv"), Decision("plain", "its GCNConv has a forward hook")),
    "hook on activation": (
        lambda: hooked("activation", "register_full_backward_hook"),
        Decision("plain", "its ReLU has a backward hook"),
    ),
    "hook on residual": (lambda: hooked("residual"), Decision("plain", "its AddSkip has a forward hook")),
    "object's own forward": (
        lambda: with_own_forward("conv"),
        Decision("plain", "its GCNConv has a forward of its own"),
    ),
    "block's own forward": (lambda: with_own_forward(""), Decision("plain", "Block has a forward of its own")),
}


def value_and_gradients(run: Callable[..., Tensor], module: nn.Module, *inputs: Any) -> list[Tensor]:
    y = run(*inputs)
    return [y.detach(), *torch.autograd.grad(y.square().sum(), list(module.parameters()), allow_unused=True)]


@pytest.mark.parametrize("case", CASES)
def test_each_case_is_decided_and_says_what_its_formula_does(case, graph, x):
    """The mode and the reason; and in float64 value and gradients of the formula, called part by part."""
    make, decision = CASES[case]
    made: Any = make()
    assert decide(made) == decision
    if type(made).forward is Block.forward:
        first = x.flip(0)
        formula = Block.forward.__wrapped__  # pyright: ignore
        torch.manual_seed(2)
        one = value_and_gradients(made, made, graph, x, first)
        torch.manual_seed(2)
        other = value_and_gradients(lambda *inputs: formula(made, *inputs), made, graph, x, first)
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("case", CASES)
def test_in_a_network_each_case_gives_what_it_gives_alone(case, graph, x):
    """Two plain blocks before it and, where the width is theirs, two after it: a plan of all, block by block."""
    odd: Any = CASES[case][0]()
    after = [] if getattr(odd.conv, "out_width", WIDTH) != WIDTH else [block(), block()]
    blocks = [block(), block(), odd, *after]
    network = Network(nn.Identity(), blocks, nn.Identity(), encodes=False)
    network.train(odd.training)

    def one_by_one(graph: Graph, x: Tensor) -> Tensor:
        first = None
        for each in blocks:
            x = each(graph, x, first)
            first = x if first is None else first
        return x

    torch.manual_seed(2)
    one = value_and_gradients(network, network, graph, x)
    torch.manual_seed(2)
    other = value_and_gradients(one_by_one, network, graph, x)
    for mine, theirs in zip(one, other, strict=True):
        assert (mine is None and theirs is None) or torch.equal(mine, theirs)


def network_of(blocks: Sequence[nn.Module]) -> Network:
    return Network(nn.Identity(), blocks, nn.Identity())


def results(built: nn.Module, graph: Graph, x: Tensor) -> tuple[list[Tensor], list[str]]:
    """Output and gradients, and the operators that the output comes from, the last first."""
    y = built(graph, x)
    gradients = torch.autograd.grad(y.square().sum(), list(built.parameters()), retain_graph=True)
    operators, node = [], y.grad_fn
    while node is not None:
        operators.append(node.name())
        node = node.next_functions[0][0] if node.next_functions else None
    return [y, *gradients], operators


@pytest.mark.parametrize("conv", [GCNConv, SAGEConv])
@pytest.mark.parametrize("residual", [AddSkip, NoSkip])
def test_a_network_runs_in_chains_as_its_plan_says(graph, x, conv, residual):
    """Forty blocks are three operators; hooks on all bring forty back, and not a bit changes."""
    built = network_of([block(conv, residual=residual()) for _ in range(40)])
    assert built.plan().words() == "40 blocks in 3 chains of 8 to 16"
    together, operators = results(built, graph, x)
    assert sum("_Blocks" in name for name in operators) == 3
    hooks = [each.register_forward_hook(lambda *_: None) for each in built.blocks]
    assert built.plan().words() == "40 blocks; blocks 1 to 40 each one operator: it has a forward hook"
    apart, operators = results(built, graph, x)
    assert sum("_Blocks" in name for name in operators) == 40
    assert all(map(torch.equal, together, apart))
    for hook in hooks:
        hook.remove()
    assert sum("_Blocks" in name for name in results(built, graph, x)[1]) == 3


# What is done to the second of three blocks that ran in a chain, and what is called then.
CHANGES: dict[str, Callable[[Any, list[str]], Any]] = {
    **{
        f"hook on {part or 'block'}": lambda made, heard, part=part: made.get_submodule(part).register_forward_hook(
            lambda *_: heard.append("heard")
        )
        for part in ("", "conv", "activation", "residual", "dropout")
    },
    **{
        f"own forward of {part or 'block'}": lambda made, heard, part=part: replaced(made.get_submodule(part), heard)
        for part in ("", "conv", "activation")
    },
    "another activation": lambda made, heard: setattr(made, "activation", Noted(heard)),
    "another dropout": lambda made, heard: setattr(made, "dropout", Noted(heard)),
    **{
        f"another class of {part or 'block'}": lambda made, heard, part=part: reclassed(made.get_submodule(part), heard)
        for part in ("", "conv", "residual", "activation")
    },
}


class Noted(nn.Module):
    def __init__(self, heard: list[str]) -> None:
        super().__init__()
        self.heard = heard

    def forward(self, x: Tensor) -> Tensor:
        self.heard.append("heard")
        return x


def replaced(module: Any, heard: list[str]) -> None:
    plain = module.forward

    def own(*arguments: Any) -> Tensor:
        heard.append("heard")
        return plain(*arguments)

    module.forward = own


def reclassed(module: Any, heard: list[str]) -> None:
    plain = type(module)

    class Other(plain):
        def forward(self, *arguments: Any) -> Tensor:
            heard.append("heard")
            return plain.forward(self, *arguments)

    module.__class__ = Other


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_after_the_plan_was_made_counts(graph, x, change):
    """Who begins to listen to a block or one of its parts, or puts another in its place, is heard in the next pass."""
    blocks, heard = [block() for _ in range(3)], []
    built = network_of(blocks)
    built(graph, x)
    CHANGES[change](blocks[1], heard)
    built(graph, x)
    assert heard == ["heard"]


def test_a_change_of_a_class_after_the_plan_was_made_counts(graph, x, monkeypatch):
    """Who patches a convolution's class is heard in all blocks."""
    built, heard, plain = network_of([block() for _ in range(3)]), [], GCNConv.forward
    built(graph, x)
    monkeypatch.setattr(GCNConv, "forward", lambda *arguments: (heard.append("heard"), plain(*arguments))[1])
    built(graph, x)
    assert heard == ["heard"] * 3


@pytest.mark.parametrize("conv", [GCNConv, GATConv])
def test_a_block_whose_dropout_was_exchanged_can_be_run(graph, x, conv):
    """A module that is no `nn.Dropout` is called, in training, too."""
    built = network_of([block(conv) for _ in range(3)])
    for each in built.blocks:
        each.dropout = nn.Identity()
    assert torch.equal(built.train()(graph, x), built.eval()(graph, x))


def test_a_copied_network_has_a_plan_of_its_own(graph, x):
    """Copies, deep and by pickling, are run as the network is; what listens to them is not called for it."""
    built, heard = network_of([block() for _ in range(3)]), []
    y = built(graph, x)
    for copied in (copy.deepcopy(built), pickle.loads(pickle.dumps(built))):
        assert torch.equal(copied(graph, x), y)
        copied.get_submodule("blocks.1.conv").register_forward_hook(lambda *_: heard.append("heard"))
        assert torch.equal(built(graph, x), y) and heard == []
        copied(graph, x)
        assert heard.pop() == "heard"


def test_a_block_in_place_of_another_counts(graph, x):
    """A plan is of the blocks that are there."""
    built = network_of([block() for _ in range(3)])
    assert built.plan().words() == "3 blocks in 1 chain of 3"
    built.blocks[2] = block(GATConv)
    plan = built.plan()
    assert plan.words() == "3 blocks in 1 chain of 2; block 3 one operator by itself: GATConv is not affine"
    assert built.plan() is plan


def test_a_hook_on_every_module_is_heard(graph, x):
    """PyTorch's global hooks hear each block and each part."""
    built, heard = network_of([block() for _ in range(3)]), []
    built(graph, x)
    hook = register_module_forward_hook(lambda module, *_: heard.append(type(module)))
    try:
        assert decide(block()) == Decision("plain", "a hook listens to every module")
        built(graph, x)
    finally:
        hook.remove()
    assert heard.count(Block) == heard.count(GCNConv) == 3


class Thinning(Regularizer):
    per_block = True


def test_what_a_network_asks_of_each_block_ends_its_chains(graph, x):
    """A readout of all outputs, edges dropped for each block, and sampled graphs."""
    blocks = [block(residual=NoSkip()) for _ in range(4)]
    jumping = Network(nn.Identity(), blocks, nn.Identity(), readout=JumpingKnowledge())
    assert "each one operator: the readout reads the output of every block" in jumping.plan().words()
    dropping = network_of(blocks)
    dropping.regularize_with([Thinning()])
    assert "each one operator: edges are dropped for each block anew" in dropping.plan().words()
    assert "4 blocks in 1 chain of 4" in dropping.eval().plan().words()
    whole = network_of(blocks)
    assert torch.equal(whole(graph, x), whole(BlockGraphs([graph] * 4), x))


def test_a_shared_convolution_is_in_no_chain(graph, x):
    """The gradients of one tensor in several places are summed in the order of single blocks."""
    conv = block().conv
    blocks = [Block(conv, residual=AddSkip(), activation=nn.ReLU()).double() for _ in range(3)]
    built = network_of(blocks)
    assert "blocks 2 to 3 each one operator: it shares its convolution with block 1" in built.plan().words()
    _, operators = results(built, graph, x)
    assert sum("_Blocks" in name for name in operators) == 3
    tied = [block(), block()]
    tied[1].conv.weight = tied[0].conv.weight  # which the plan does not see, and the chain does
    assert sum("_Blocks" in name for name in results(network_of(tied), graph, x)[1]) == 2


def test_the_plan_in_words():
    """Chains, the blocks between them with their reasons, and what is computed again."""
    blocks = [block() for _ in range(64)]
    assert lower(blocks).words() == "64 blocks in 4 chains of 16"
    blocks[12].register_forward_hook(lambda *_: None)
    words = "64 blocks in 5 chains of 3 to 16; block 13 one operator by itself: it has a forward hook"
    assert lower(blocks).words() == words
    again = lower(blocks, checkpointed=True).lines()
    assert again[-1] == "8 inputs are kept, and runs of 8 blocks are computed again"
    assert lower(blocks[:3], first_alone=True).lines()[1] == "block 1 one operator by itself: its output is X_0"
    lone = lower([block(gin), block(), block(gin)]).lines()
    assert lone == [
        "3 blocks",
        "block 1 plain: GINConv does not fuse",
        "block 2 one operator by itself: no block beside it can be chained to it",
        "block 3 plain: GINConv does not fuse",
    ]


def test_a_signature_is_equal_until_something_changes():
    """Two of the same blocks are equal; a mode that matters and a hook make another."""
    blocks = [block(dropout=0.5), block()]
    before = signature(blocks)
    assert signature(blocks) == before
    blocks[0].eval()
    assert signature(blocks) != before
    blocks[0].train()
    assert signature(blocks) == before
    hook = blocks[1].conv.register_forward_hook(lambda *_: None)
    assert signature(blocks) != before
    hook.remove()
    assert signature(blocks) == before


@pytest.mark.parametrize(
    ("blocks", "first_alone", "lengths"),
    [(1, False, [1]), (9, False, [3, 3, 3]), (10, True, [1, 3, 3, 3]), (11, False, [3, 3, 3, 2]), (1, True, [1])],
)
def test_segments_are_about_the_root_of_the_depth(blocks, first_alone, lengths):
    """They follow on one another, and leave no block out."""
    found = segments(blocks, True, first_alone=first_alone)
    assert [len(places) for places in found] == lengths
    assert [place for places in found for place in places] == list(range(blocks))
    assert [len(places) for places in segments(blocks, False, first_alone=first_alone)] == (
        [1, blocks - 1] if first_alone and blocks > 1 else [blocks]
    )


@pytest.mark.parametrize("conv", [GCNConv, SAGEConv, GATConv, GATv2Conv])
def test_a_fused_block_is_the_convolution_and_what_follows(graph, conv):
    """Activation and skip after `forward` give what `fused_block` of its operands does."""
    x, skip = torch.randn(20, 6), torch.randn(20, 4)
    made = conv(6, 4)
    expected = 0.5 * torch.relu(made(graph, x)) + 0.3 * skip
    torch.testing.assert_close(fused_block(graph, x, made.operands(), skip, Epilogue(0.0, 0.5, 0.3)), expected)
