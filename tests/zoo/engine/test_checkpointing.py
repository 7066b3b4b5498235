"""Checkpointed blocks against the same blocks that keep everything, and what they keep."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

import zoo
from zoo.builder import Built
from zoo.graphs import Graph
from zoo.layers.block import Block
from zoo.layers.gcn import GCNConv
from zoo.layers.network import Network
from zoo.layers.residual import AddSkip
from zoo.probes.presets import quick
from zoo.probes.tap import Tap
from zoo.training.steps import first_loss

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
    first_loss(built.network, built.task).backward()
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
    loss = first_loss(built.network, built.task)
    built.network.eval()
    loss.backward()
    for parameter, gradient in zip(built.network.parameters(), expected, strict=True):
        assert parameter.grad is not None and gradient is not None and torch.equal(parameter.grad, gradient)
    assert not any(module.training for module in built.network.modules())


def test_probes_read_every_block_once():
    """Representations and gradients of all blocks, those of full."""
    readings = []
    for memory in ("full", "checkpoint"):
        built = build("smoke/res-gcn", DEEP)
        built.network.set_activation_memory(memory)
        with Tap(built.network, quick()) as tap:
            first_loss(built.network, built.task).backward()
        readings.append(tap.read())
    one, other = readings
    assert set(one) == set(other)
    for name in one:
        torch.testing.assert_close(torch.tensor(other[name]), torch.tensor(one[name]), rtol=0, atol=0, equal_nan=True)


def blocks_of(kernel: Any, depth: int = 9) -> tuple[Network, Graph, Tensor]:
    ends = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])
    graph = Graph.from_edges(torch.cat([ends[0], ends[1]]), torch.cat([ends[1], ends[0]]), 4, kernel=kernel)
    torch.manual_seed(3)
    network = Network(
        nn.Identity(), [Block(GCNConv(6, 6), residual=AddSkip(), activation=nn.ReLU()) for _ in range(depth)],
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
            buffers = graph.backend.buffers  # pyright: ignore[reportAttributeAccessIssue]
            (ring,) = (
                ring for (_, dtype, use), ring in buffers._rings.items() if (dtype, use) == (torch.float32, "features")
            )
            in_use = sum(torch._C._storage_Use_Count(buffer.untyped_storage()._cdata) > 2 for buffer in ring)
            assert in_use == sum(expected)
        del y
        if kernel == "compiled":
            graph.backend.buffers.clear()  # pyright: ignore[reportAttributeAccessIssue]


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
