"""The blocks of a network, run as their execution plan says."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Literal, TypeVar, cast

from torch import Tensor, is_grad_enabled, nn

from zoo.contracts import broken
from zoo.engine.checkpointing import Checkpointed
from zoo.engine.lowering import ExecutionPlan, Step, lower, run_step, signature
from zoo.graphs.block_graphs import BlockGraphs
from zoo.graphs.graph import Graph
from zoo.layers.conv import attribute_of
from zoo.regularizers.base import Regularizer
from zoo.system.private import is_transformed

Memory = Literal["full", "checkpoint"]
T = TypeVar("T")


class Blocks(nn.ModuleList):
    """The blocks. Called, they are handed to a function: what stands in for parameters then lasts for all it does.

    Their `ExecutionPlan` is made when they are first run, and anew when hooks, overrides or parts have changed.
    """

    same_in_training = True

    def __init__(self, blocks: Iterable[nn.Module] | None = None) -> None:
        super().__init__(blocks)
        self.memory: Memory = "full"
        self._plans: dict[bool, tuple[list[object], dict[object, ExecutionPlan]]] = {}

    def forward(self, run: Callable[["Blocks"], T]) -> T:
        """Return run(self)."""
        return run(self)

    def set_activation_memory(self, memory: Memory) -> str:
        """Keep all that the backward pass needs, or √blocks inputs; return what that is, in words."""
        self.memory = memory
        if not _keep_features(self):
            return "each block's input is computed from its output, the last of which is kept"
        if memory == "full":
            return "every block keeps what its backward pass needs"
        return lower(list(self), checkpointed=True).lines()[-1]

    def plan(self, *, first_alone: bool, apart: str | None, gradients: bool) -> ExecutionPlan:
        """Return how the blocks are run; first_alone and apart as for `lower`, gradients: whether a pass has any."""
        blocks = list(self)
        seen = signature(blocks)
        if self.training not in self._plans or self._plans[self.training][0] != seen:
            self._plans[self.training] = seen, {}
        made, key = self._plans[self.training][1], (first_alone, apart, gradients, self.memory)
        if key not in made:
            checkpointed = gradients and self.memory == "checkpoint"
            made[key] = lower(blocks, checkpointed=checkpointed, first_alone=first_alone, apart=apart)
        return made[key]

    def run(
        self,
        graph: Graph | BlockGraphs,
        x: Tensor,
        first: Tensor | None,
        collect: bool,
        dropping: Sequence[Regularizer] = (),
    ) -> list[Tensor]:
        """Return the output of every block, or with `collect` off, of the last one only.

        first: X_0; without it, the first block's output. dropping: regularisers that drop edges anew for each block.
        """
        gradients = is_grad_enabled() and not is_transformed()
        plan = self.plan(first_alone=first is None, apart=reason_apart(graph, collect, dropping), gradients=gradients)
        outputs: list[Tensor] = []
        for steps in plan.segments:
            run = partial(self._run_steps, steps, graph, collect, dropping)
            part = [self[place] for step in steps for place in step.blocks] if plan.checkpointed else []
            found = (Checkpointed(run, part) if _keep_features(part) else run)(x, first)
            x = found[-1]
            first = x if first is None else first
            outputs = [*outputs, *found] if collect else found
        return outputs

    def _run_steps(
        self,
        steps: Sequence[Step],
        graph: Graph | BlockGraphs,
        collect: bool,
        dropping: Sequence[Regularizer],
        x: Tensor,
        first: Tensor | None,
    ) -> list[Tensor]:
        found: list[Tensor] = []
        blocks = list(self)
        for mode, places in steps:
            here = drop_edges(graph.at_block(places.start, len(blocks)), dropping)
            x = run_step(mode, blocks[places.start : places.stop], here, x, first)
            found = [*found, x] if collect else [x]
        return found


def reason_apart(graph: Graph | BlockGraphs | None, collect: bool, dropping: Sequence[Regularizer]) -> str | None:
    """Return why each block is run by itself, whatever it is; None if it need not be."""
    if isinstance(graph, BlockGraphs):
        return "each block has a graph of its own"
    if collect:
        return "the readout reads the output of every block"
    return "edges are dropped for each block anew" if dropping else None


GraphT = TypeVar("GraphT", bound=Graph | BlockGraphs)


def drop_edges(graph: GraphT, regularizers: Sequence[Regularizer]) -> GraphT:
    """Return the graph without the edges that regularisers drop. Raises: ComponentError for one of other nodes."""
    for regularizer in regularizers:
        graph = cast(GraphT, graph.each(partial(_drop_edges, regularizer)))
    return graph


def _drop_edges(regularizer: Regularizer, graph: Graph) -> Graph:
    left = regularizer.drop_edges(graph)
    if not isinstance(left, Graph) or (left.sources, left.nodes) != (graph.sources, graph.nodes):
        nearest = "graph.edge_subgraph(keep)"
        broken("regularizer", regularizer, f"dropped edges of {graph} to {left}", "a Graph of the same nodes", nearest)
    return left


def _keep_features(blocks: Iterable[nn.Module]) -> bool:
    """Return True if any of the blocks keeps features for its backward pass, as all but reversible ones do."""
    return not all(attribute_of(block, "reversible", False) for block in blocks)
