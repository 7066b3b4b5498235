"""The choice of how blocks are run: several in one operator, each as one, or as their formula stands; and why.

`decide` is the one predicate, by a block's parts and hooks. `lower` makes an `ExecutionPlan` of the decisions on all
blocks of a network, which holds as long as their `signature` does. What depends on features and graph,
`zoo.engine.eligibility.can_fuse`, is looked at when a plan is run: where it forbids, the same is run step by step.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import groupby
from typing import Any, Literal, NamedTuple, Protocol, TypeVar, cast

from torch import Tensor, nn

from zoo.engine.affine import Affine, Link, affine_block, affine_chain
from zoo.engine.attention import Attention, attention_block
from zoo.engine.kernel import Epilogue, KernelGraph
from zoo.system.private import has_global_hooks, hook_of

# Blocks in a chain. What PyTorch does for each operator is then shared by many, and gradients still arrive
# incrementally, which lets memory go and processes exchange them.
LONGEST = 16

Mode = Literal["chained", "fused", "plain"]
Forward = TypeVar("Forward", bound=Callable[..., Tensor])


def fused_block(
    graph: KernelGraph,
    x: Tensor,
    operands: Affine | Attention,
    skip: Tensor | None = None,
    epilogue: Epilogue = Epilogue(),  # noqa: B008 - a constant
) -> Tensor:
    """Return share·act(z) + skip_share·skip, z the convolution of these operands, as one operator where that can be.

    x: [sources, in], skip and the result: [nodes, out].
    """
    if isinstance(operands, Affine):
        return affine_block(graph, x, operands, skip, epilogue)
    return attention_block(graph, x, operands, skip, epilogue)


class FusableConv(Protocol):
    """A convolution that is `fused_block` of its operands; its class says `fusable_forward = forward`."""

    def operands(self) -> Affine | Attention:
        """Return its parameters, and what becomes of them."""
        ...


class FusableResidual(Protocol):
    """A residual share·f(x) + skip_share·skip; its class says `fusable_forward = forward`.

    Its `chainable_shares` are `shares` if it skips its block's input or nothing, else None.
    """

    def shares(self, x: Tensor, first: Tensor | None) -> tuple[float, float, Tensor | None]:
        """Return share, skip_share and skip."""
        ...


class FusableBlock(Protocol):
    """A block of the parts that `fused` runs; its class says `fusable_forward = forward`."""

    training: bool
    dropout: nn.Module
    conv: FusableConv
    norms: nn.ModuleList
    norm_position: str
    activation: nn.Module
    residual: FusableResidual

    def norm(self, position: Any, graph: KernelGraph, x: Tensor, before: Tensor) -> Tensor:
        """Apply the norms if they stand at this position."""
        ...


class Decision(NamedTuple):
    """The mode in which a block is run, and the reason if it is in no chain."""

    mode: Mode
    reason: str = ""


def decide(module: nn.Module) -> Decision:
    """Return how a block can be run, by its parts, their hooks and its mode."""
    if "forward" in module.__dict__ or not _declared(module):
        return Decision("plain", f"{type(module).__name__} has a forward of its own")
    block = cast(FusableBlock, module)
    if reason := _plain(block):
        return Decision("plain", reason)
    if reason := _alone(module, block):
        return Decision("fused", reason)
    return Decision("chained")


def slope_of(activation: nn.Module) -> float | None:
    """Return the activation's slope below 0 where it is z above; None for others."""
    if type(activation) is nn.LeakyReLU:
        return activation.negative_slope
    return {nn.ReLU: 0.0, nn.Identity: 1.0}.get(type(activation))


def _plain(block: FusableBlock) -> str | None:
    """Return why a block has to run as its formula stands; None if all from the convolution on is one operator."""
    if has_global_hooks():
        return "a hook listens to every module"
    parts: Any = block.conv, block.residual, block.activation
    for part in parts[:2]:
        if not _declared(part):
            return f"{type(part).__name__} does not fuse"
    if slope_of(block.activation) is None:
        return f"{type(block.activation).__name__} does not fuse"
    if block.norm_position == "inner" and len(block.norms):
        return "norms stand between convolution and activation"
    for part in parts:
        if hook := hook_of(part):
            return f"its {type(part).__name__} has {hook}"
    return None


def _alone(module: nn.Module, block: FusableBlock) -> str | None:
    """Return why a block that is one operator is no part of a chain; None if it can be."""
    if hook := hook_of(module) or hook_of(block.dropout):
        return f"it has {hook}"
    if len(block.norms):
        return "it has norms"
    if not isinstance(block.dropout, nn.Dropout):
        return f"a {type(block.dropout).__name__} takes the place of its dropout"
    if _dropped(block):
        return "it drops features"
    residual = cast(Any, type(block.residual))
    if residual.shares is not residual.chainable_shares:
        return f"{residual.__name__} does not chain"
    operands = block.conv.operands()
    if not isinstance(operands, Affine):
        return f"{type(block.conv).__name__} is not affine"
    inputs, outputs = operands.weight.shape[-2:]
    return f"it widens features from {inputs} to {outputs}" if inputs < outputs else None


def _dropped(block: FusableBlock) -> float:
    """Return the share of features that its dropout drops now."""
    return block.dropout.p if block.training and isinstance(block.dropout, nn.Dropout) else 0.0


def _declared(module: nn.Module) -> bool:
    """Return whether the class's forward is the one that its other methods describe, and not a subclass's own."""
    kind: Any = type(module)
    return kind.forward is getattr(kind, "fusable_forward", None)


def lowered(forward: Forward) -> Forward:
    """Decorate a block's forward, its formula: where nothing forbids it, it runs as one operator."""

    @wraps(forward)
    def run(block: FusableBlock, graph: KernelGraph, x: Tensor, first: Tensor | None = None) -> Tensor:
        return forward(block, graph, x, first) if _plain(block) else fused(block, graph, x, first)

    return cast(Forward, run)


def fused(block: FusableBlock, graph: KernelGraph, x: Tensor, first: Tensor | None) -> Tensor:
    """Return what the block's formula gives, with all from its convolution to its residual as one operator."""
    here = graph.at_destinations(x)
    first = None if first is None else graph.at_destinations(first)
    share, skip_share, skip = block.residual.shares(here, first)
    z = block.norm("pre", graph, block.dropout(x), x)
    y = fused_block(graph, z, block.conv.operands(), skip, Epilogue(_slope(block), share, skip_share))
    return block.norm("post", graph, y, here)


def run_step(mode: Mode, blocks: Sequence[nn.Module], graph: KernelGraph, x: Tensor, first: Tensor | None) -> Tensor:
    """Return what blocks give that a plan runs in this way; arguments besides as of a block's forward."""
    if mode == "chained":
        return chained(cast(Sequence[FusableBlock], blocks), graph, x)
    (block,) = blocks
    if mode == "fused" and hook_of(block) is None:
        return fused(cast(FusableBlock, block), graph, x, first)
    return block(graph, x, first)


def chained(blocks: Sequence[FusableBlock], graph: KernelGraph, x: Tensor) -> Tensor:
    """Return what these blocks give one after the other, to the bit, as one operator if features and graph allow."""
    links = [_link(block, x) for block in blocks]
    for place, block in enumerate(blocks):
        y = affine_chain(graph, x, links[place:]) if place + 1 < len(links) else None
        if y is not None:
            return y
        x = fused(block, graph, x, None)  # the first block's features may be sparse, and the next one's are not
    return x


def _link(block: FusableBlock, x: Tensor) -> Link:
    share, skip_share, skip = block.residual.shares(x, None)
    return Link(cast(Affine, block.conv.operands()), Epilogue(_slope(block), share, skip_share), skip is x)


def _slope(block: FusableBlock) -> float:
    return cast(float, slope_of(block.activation))


class Step(NamedTuple):
    """Blocks, counted from 0, that are run together, or one block."""

    mode: Mode
    blocks: range


@dataclass(frozen=True)
class ExecutionPlan:
    """The way in which a network's blocks are run.

    decisions: of each block. segments: the steps, in the runs that are computed again together where `checkpointed`.
    """

    decisions: tuple[Decision, ...]
    segments: tuple[tuple[Step, ...], ...]
    checkpointed: bool

    def words(self) -> str:
        """Return the plan in one line, blocks counted from 1."""
        return "; ".join(self.lines())

    def lines(self) -> list[str]:
        """Return the plan in a few lines: chains, blocks that are in none, with the reason, and what is kept."""
        count = len(self.decisions)
        chains = [len(step.blocks) for steps in self.segments for step in steps if step.mode == "chained"]
        found = [f"{count} block{'s' * (count > 1)}"]
        if chains:
            sizes = f"{min(chains)} to {max(chains)}" if min(chains) < max(chains) else f"{chains[0]}"
            found = [f"{count} blocks in {len(chains)} chain{'s' * (len(chains) > 1)} of {sizes}"]
        for (mode, reason), group in groupby(range(count), self.decisions.__getitem__):
            if mode != "chained":
                places = list(group)
                several = len(places) > 1
                which = f"blocks {places[0] + 1} to {places[-1] + 1}" if several else f"block {places[0] + 1}"
                how = "plain" if mode == "plain" else "each one operator" if several else "one operator by itself"
                found.append(f"{which} {how}: {reason}")
        if self.checkpointed:
            longest = max(sum(len(step.blocks) for step in steps) for steps in self.segments)
            found.append(f"{len(self.segments)} inputs are kept, and runs of {longest} blocks are computed again")
        return found


def lower(
    blocks: Sequence[nn.Module], *, checkpointed: bool = False, first_alone: bool = False, apart: str | None = None
) -> ExecutionPlan:
    """Return how blocks are run.

    checkpointed: runs of √blocks of them keep their input alone. first_alone: the first block makes X_0. apart: why
    each block is run by itself, as where a readout reads all of their outputs.
    """
    decisions = [decide(block) for block in blocks]
    seen: dict[int, int] = {}  # of each convolution, by its id, the first block that has it
    for index, (block, decision) in enumerate(zip(blocks, decisions, strict=True)):
        if decision.mode == "chained":
            conv = id(cast(FusableBlock, block).conv)
            if apart or (first_alone and not index):
                decisions[index] = Decision("fused", apart or "its output is X_0")
            elif conv in seen:  # the gradients of a shared tensor are summed in the order of single blocks
                decisions[index] = Decision("fused", f"it shares its convolution with block {seen[conv] + 1}")
            seen.setdefault(conv, index)
    runs = []
    for places in segments(len(blocks), checkpointed, first_alone=first_alone):
        steps = list(_steps(decisions, places))
        for step in steps:
            if len(step.blocks) == 1 and decisions[step.blocks.start].mode == "chained":
                decisions[step.blocks.start] = Decision("fused", "no block beside it can be chained to it")
        runs.append(tuple(steps))
    return ExecutionPlan(tuple(decisions), tuple(runs), checkpointed)


def _steps(decisions: Sequence[Decision], places: range) -> Iterator[Step]:
    """Yield the steps of the blocks at these places: chains as long as may be, and all others alone."""
    start = places.start
    while start < places.stop:
        stop = start
        while stop < places.stop and stop - start < LONGEST and decisions[stop].mode == "chained":
            stop += 1
        mode = "chained" if stop - start > 1 else decisions[start].mode
        stop = max(stop, start + 1)
        yield Step("fused" if mode == "chained" and stop - start == 1 else mode, range(start, stop))
        start = stop


def segments(blocks: int, checkpointed: bool, *, first_alone: bool = False) -> list[range]:
    """Return the blocks in the runs that are computed again together: √blocks of them each, or all.

    first_alone: the first block is a run by itself.
    """
    ahead = min(int(first_alone), blocks)
    length = max(1, round(math.sqrt(blocks - ahead)) if checkpointed else blocks)
    rest = [range(start, min(start + length, blocks)) for start in range(ahead, blocks, length)]
    return [range(ahead), *rest] if ahead else rest


def signature(blocks: Sequence[nn.Module]) -> list[object]:
    """Return what a plan depends on: the blocks, their parts and classes, their hooks, and what they drop."""
    found: list[object] = [has_global_hooks()]
    for block in blocks:
        found += block, hook_of(block)
        if _declared(block):
            parts = cast(FusableBlock, block)
            found += parts.norm_position, len(parts.norms), _dropped(parts)
            for part in block._modules.values():
                if part is not None:
                    found += part, type(part), type(part).forward, hook_of(part)
    return found
