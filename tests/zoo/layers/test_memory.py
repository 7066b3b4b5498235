"""Checkpointed and reversible blocks against the same blocks that keep everything; what they keep and refuse."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

import zoo
from zoo.builder import Built, training_loss
from zoo.errors import BuildError
from zoo.graphs import Graph
from zoo.layers.block import Block
from zoo.layers.gcn import GCNConv
from zoo.layers.memory import segments
from zoo.layers.network import Network
from zoo.layers.residual import AddSkip
from zoo.probes.presets import quick
from zoo.probes.tap import Tap

DEEP = {"model.depth": 5}
# Of each kind of block, and of all that draws random numbers, moves buffers, or stands in for parameters.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "normalised": ("smoke/res-gcn", DEEP),
    "dropout": ("smoke/res-gcn", {**DEEP, "model.dropout": 0.5}),
    "batch norm": ("smoke/res-gcn", {**DEEP, "normalizer": "batch", "model.dropout": 0.2}),
    "attention": ("smoke/res-gat", {**DEEP, "model.conv.attention_dropout": 0.3}),
    "sage": ("smoke/res-sage", DEEP),
    "gin": ("smoke/res-gin", DEEP),
    "foreign": ("smoke/dgl-conv", DEEP),
    "shared": ("smoke/shared", DEEP),
    "initial": ("smoke/initial", DEEP),
    "no encoder": ("smoke/gcn", DEEP),
    "jumping": ("smoke/jumping", DEEP),
    "skip node": ("smoke/skip-node", DEEP),
    "drop edge": ("smoke/drop-edge", {**DEEP, "regularizer.per_block": True}),
    "gcnii": ("smoke/gcnii", DEEP),
    "g2": ("smoke/g2", DEEP),
    "plain kernel": ("smoke/res-gcn", {**DEEP, "execution.kernel": "torch"}),
    "samples": ("smoke/neighbor", {}),
    "graphs": ("smoke/graphs", {}),
    "reversible already": ("smoke/rev-gnn", DEEP),
}


def build(recipe: str, overrides: dict[str, Any]) -> Built:
    return zoo.build(recipe, {"probes": "none", **overrides}, device="cpu")


def step(built: Built, memory: Any) -> tuple[list[Tensor | None], list[Tensor], Tensor]:
    """Gradients, buffers after the step, and the random state that is left."""
    built.network.set_activation_memory(memory)
    built.network.zero_grad()
    torch.manual_seed(5)
    training_loss(built.network, built.task).backward()
    gradients = [None if p.grad is None else p.grad.clone() for p in built.network.parameters()]
    return gradients, [buffer.clone() for buffer in built.network.buffers()], torch.get_rng_state()


@pytest.mark.parametrize("case", CASES)
def test_checkpointed_gradients_are_those_of_full_to_the_bit(case: str):
    """So are running statistics, which move once, and the random state after the step."""
    full, other = (step(build(*CASES[case]), memory) for memory in ("full", "checkpoint"))
    for mine, theirs in zip((*full[0], *full[1], full[2]), (*other[0], *other[1], other[2]), strict=True):
        assert (mine is None and theirs is None) or torch.equal(mine, theirs)  # pyright: ignore[reportArgumentType]
    assert any(gradient is not None and gradient.abs().sum() > 0 for gradient in full[0])


def test_so_they_are_under_autocast():
    """The second run is made in the precision of the first."""
    found = []
    for memory in ("full", "checkpoint"):
        with torch.autocast("cpu", torch.bfloat16):
            found.append(step(build("smoke/res-gcn", DEEP), memory)[0])
    assert all(map(torch.equal, *found))


def test_a_switch_to_eval_before_the_backward_pass_changes_nothing():
    """Modes are those of the forward pass, and are back after the backward pass."""
    built = build("smoke/skip-node", {**DEEP, "model.dropout": 0.4})
    expected = step(built, "full")[0]
    built.network.set_activation_memory("checkpoint")
    built.network.zero_grad()
    torch.manual_seed(5)
    loss = training_loss(built.network, built.task)
    built.network.eval()
    loss.backward()
    for parameter, gradient in zip(built.network.parameters(), expected, strict=True):
        assert parameter.grad is not None and gradient is not None and torch.equal(parameter.grad, gradient)
    assert not any(module.training for module in built.network.modules())


@pytest.mark.parametrize("memory", ["checkpoint", "reversible"])
def test_probes_read_every_block_once(memory: Any):
    """Representations and gradients of all blocks, those of full: equal checkpointed, to 1e-5 reversed."""
    readings = []
    for kept in ("full", memory):
        built = build("smoke/res-gcn", DEEP)
        built.network.set_activation_memory(kept)
        with Tap(built.network, quick()) as tap:
            training_loss(built.network, built.task).backward()
        readings.append(tap.read())
    one, other = readings
    assert set(one) == set(other)
    for name in one:
        torch.testing.assert_close(
            torch.tensor(other[name]), torch.tensor(one[name]), rtol=1e-5 if memory == "reversible" else 0, atol=0,
            equal_nan=True,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("blocks", "first_alone", "lengths"),
    [(1, False, [1]), (9, False, [3, 3, 3]), (10, True, [1, 3, 3, 3]), (11, False, [3, 3, 3, 2]), (1, True, [1])],
)
def test_segments_are_about_the_root_of_the_depth(blocks: int, first_alone: bool, lengths: list[int]):
    """They follow on one another, and leave no block out."""
    found = segments(blocks, "checkpoint", first_alone=first_alone)
    assert [len(places) for places in found] == lengths
    assert [place for places in found for place in places] == list(range(blocks))
    assert [len(places) for places in segments(blocks, "full", first_alone=first_alone)] == (
        [1, blocks - 1] if first_alone and blocks > 1 else [blocks]
    )


def blocks_of(kernel: Any, depth: int = 9) -> tuple[Network, Graph, Tensor]:
    ends = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])
    graph = Graph.from_edges(torch.cat([ends[0], ends[1]]), torch.cat([ends[1], ends[0]]), 4, kernel=kernel)
    torch.manual_seed(3)
    network = Network(
        nn.Sequential(), [Block(GCNConv(6, 6), residual=AddSkip(), activation=nn.ReLU()) for _ in range(depth)],
        nn.Identity(),
    )  # fmt: skip
    return network, graph, torch.randn(4, 6)


@pytest.mark.parametrize("kernel", ["compiled", "torch"])
def test_only_the_ends_of_segments_are_kept(kernel: Any):
    """After the forward pass of nine blocks the storages of three outputs are alive, and all nine with full."""
    network, graph, x = blocks_of(kernel)
    cases: list[tuple[Any, list[bool]]] = [("full", [True] * 9), ("checkpoint", [False, False, True] * 3)]
    for memory, expected in cases:
        network.set_activation_memory(memory)
        seen: list[StorageWeakRef] = []

        def note(block: nn.Module, inputs: Any, y: Tensor, seen: list[StorageWeakRef] = seen) -> None:
            seen.append(StorageWeakRef(y.untyped_storage()))

        hooks = [block.register_forward_hook(note) for block in network.blocks]
        y = network(graph, x)
        for hook in hooks:
            hook.remove()
        if kernel == "torch":
            assert [not storage.expired() for storage in seen] == expected
        else:  # memory is lent again: what has a second tensor is in use
            buffers = graph._kernel.buffers  # pyright: ignore[reportAttributeAccessIssue]
            (ring,) = (
                ring for (_, dtype, use), ring in buffers._rings.items() if (dtype, use) == (torch.float32, "features")
            )
            in_use = sum(torch._C._storage_Use_Count(buffer.untyped_storage()._cdata) > 2 for buffer in ring)
            assert in_use == sum(expected)
        del y
        if kernel == "compiled":
            graph._kernel.buffers.clear()  # pyright: ignore[reportAttributeAccessIssue]


def test_a_pass_without_gradients_is_run_once():
    """And a second-order gradient can be taken through segments."""
    network, graph, x = blocks_of("torch")
    network.set_activation_memory("checkpoint")
    calls: list[int] = []
    network.blocks[4].register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        network(graph, x)
    assert len(calls) == 1
    found = []
    for memory in ("full", "checkpoint"):
        network.set_activation_memory(memory)
        x = x.detach().requires_grad_()
        (first,) = torch.autograd.grad(network(graph, x).square().sum(), x, create_graph=True)
        found += torch.autograd.grad(first.square().sum(), [x, network.blocks[0].conv.weight])  # pyright: ignore
    torch.testing.assert_close(found[2:], found[:2], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("conv", "depth"), [("gcn", 5), ("sage", 5), ("gcn", 64)])
def test_reversible_gradients_are_those_of_full(conv: str, depth: int):
    """float32 and ‖W‖_F = 0.4: the whole gradient to 1e-4, and running it again changes nothing in the network."""
    built = build(f"smoke/res-{conv}", {"model.depth": depth, "normalizer": {"name": "frobenius", "c": 0.4}})
    full, found = (step(built, memory)[0] for memory in ("full", "reversible"))
    one, other = (torch.cat([g.flatten() for g in each if g is not None]) for each in (full, found))
    assert (one - other).norm() <= 1e-4 * one.norm()
    assert all(block.reversible for block in built.network.blocks)
    built.network.set_activation_memory("full")
    assert not any(block.reversible for block in built.network.blocks)


@pytest.mark.parametrize(
    ("recipe", "overrides", "reason"),
    [
        ("smoke/res-gat", {}, "its convolution is a GATConv"),
        ("smoke/gcn", {}, "its residual is a NoSkip"),
        ("smoke/gcnii", {}, "has no inverse"),
        ("smoke/res-gcn", {"model.dropout": 0.5}, "it has dropout"),
        ("smoke/res-gcn", {"normalizer": "batch"}, "it has feature norms"),
        ("smoke/res-gcn", {"normalizer": "none"}, "held to no bound"),
        ("smoke/res-gcn", {"normalizer": {"name": "frobenius", "c": 2.0}}, "held to 2 together"),
        ("smoke/res-gcn", {"model.activation": "elu"}, "its activation is ELU"),
        ("smoke/res-gcn", {"regularizer": "skip-node"}, "mixes its output"),
        ("smoke/rev-gnn", {"model.reversible": False}, "model.reversible is false"),
        (
            "smoke/neighbor",
            {"model": {"name": "res-gcn", "depth": 2}, "normalizer": {"name": "frobenius", "c": 0.5}},
            "a sampled graph",
        ),
    ],
)
def test_what_cannot_be_inverted_is_refused_when_it_is_built(recipe: str, overrides: dict[str, Any], reason: str):
    """With the reason, and with checkpointing as the way out."""
    with pytest.raises(BuildError, match=f"{reason}.*training.memory=checkpoint"):
        build(recipe, {**overrides, "training.memory": "reversible"})
