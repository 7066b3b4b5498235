"""A network: encoder, blocks, head; and the place where weight normalisation enters."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Literal, TypeVar, cast

import torch
from torch import Tensor, is_grad_enabled, nn, no_grad, stack

from zoo.contracts import as_input, broken, returned, scalar
from zoo.engine.checkpointing import Checkpointed
from zoo.engine.lowering import ExecutionPlan, Step, lower, run_step, signature
from zoo.graphs.block_graphs import BlockGraphs, check_given
from zoo.graphs.graph import Graph
from zoo.initializers.base import Initializer
from zoo.layers.embedding import Embedding
from zoo.layers.linear import Linear
from zoo.layers.matrices import BlockMatrices
from zoo.layers.pooling import Pooling
from zoo.layers.residual import NoSkip, Residual
from zoo.normalizers.attach import WeightNormalization
from zoo.regularizers.base import Regularizer
from zoo.system.private import is_transformed, set_training

T = TypeVar("T")
Memory = Literal["full", "checkpoint"]


class Blocks(nn.ModuleList):
    """The blocks. Called, they are handed to a function: what stands in for parameters then lasts for all it does.

    How they are run is an `ExecutionPlan`, made when they are first run, and anew whenever what it was made from has
    changed: a hook or an override has appeared or gone, or a part has been exchanged.
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
        if not self._keep_features(range(len(self))):
            return "each block's input is computed from its output, the last of which is kept"
        if memory == "full":
            return "every block keeps what its backward pass needs"
        return lower(list(self), checkpointed=True).lines()[-1]

    def plan(self, *, first_alone: bool, apart: str | None, training: bool) -> ExecutionPlan:
        """Return how the blocks are run; first_alone and apart as for `lower`, training: whether gradients are kept."""
        blocks = list(self)
        seen = signature(blocks)
        if self.training not in self._plans or self._plans[self.training][0] != seen:
            self._plans[self.training] = seen, {}
        made, key = self._plans[self.training][1], (first_alone, apart, self.memory, training)
        if key not in made:
            checkpointed = training and self.memory == "checkpoint"
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

        first: X_0, of which blocks take the rows that they need; without it, the first block's output. dropping: drop
        edges anew for each block.
        """
        keeps = is_grad_enabled() and not is_transformed()
        plan = self.plan(first_alone=first is None, apart=_apart(graph, collect, dropping), training=keeps)
        outputs: list[Tensor] = []
        for steps in plan.segments:
            run = partial(self._run_steps, steps, graph, collect, dropping)
            places = range(steps[0].blocks.start, steps[-1].blocks.stop)
            if plan.checkpointed and self._keep_features(places):
                run = Checkpointed(run, [self[place] for place in places])
            found = run(x, first)
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
        for step in steps:
            part = blocks[step.blocks.start : step.blocks.stop]
            here = _with_dropped_edges(graph.at_block(step.blocks.start, len(blocks)), dropping)
            x = run_step(step.mode, part, here, x, first)
            found = [*found, x] if collect else [x]
        return found

    def _keep_features(self, places: range) -> bool:
        """Return whether any of the blocks keeps features for its backward pass, as all but reversible ones do."""
        return not all(getattr(self[place], "reversible", False) for place in places)


class Network(nn.Module):
    """encoder → blocks → head, an optional normalisation of the blocks' weight matrices, and regularisers.

    encoder, head: modules on node features, nn.Identity where the first and last block do their work. readout: decides
    what the head sees of the blocks. encodes: X_0 is what the encoder makes; else it is the first block's output.

    What stands at its ends depends on data and task: `embedding` makes float features before the encoder; `pooling`,
    between readout and head, makes one row of each graph; `decoder` makes scores of pairs of rows, when a task asks it.
    """

    same_in_training = True

    def __init__(
        self,
        encoder: nn.Module,
        blocks: Sequence[nn.Module],
        head: nn.Module,
        *,
        readout: Residual | None = None,
        encodes: bool = True,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.encodes = encodes
        self.blocks = Blocks(blocks)
        self.head = head
        self.readout: Residual = NoSkip() if readout is None else readout
        self._matrices = BlockMatrices()
        self._normalization: nn.Module | None = None
        self.regularizers = nn.ModuleList()
        self.embedding: Embedding | None = None
        self.pooling: Pooling | None = None
        self.decoder: nn.Module | None = None

    @property
    def normalization(self) -> Any:
        """The weight normalisation, or None."""
        return self._normalization

    def normalize_with(self, normalization: WeightNormalization | None) -> None:
        """Normalise the matrices of `block_matrices` from now on; None takes the normalisation away."""
        self._normalization = cast("nn.Module | None", normalization)

    def regularize_with(self, regularizers: Sequence[Regularizer]) -> None:
        """Let these act while the network is trained, in their order; in eval mode none does. Called once."""
        self.regularizers.extend(regularizers)
        if any(type(regularizer).mix is not Regularizer.mix for regularizer in regularizers):
            for block in self.blocks:
                # A hook, so that blocks of any kind are mixed, and what listens to a block hears the mixed X_l.
                block.register_forward_hook(self._mix)

    def set_activation_memory(self, memory: Memory) -> str:
        """Let the blocks keep for the backward pass what `training.memory` says; return what that is, in words."""
        return self.blocks.set_activation_memory(memory)

    def plan(self) -> ExecutionPlan:
        """Return how the blocks are run now, on one whole graph."""
        dropping = [regularizer for regularizer in self._active() if regularizer.per_block]
        apart = _apart(None, self.readout.collects, dropping)
        return self.blocks.plan(first_alone=not self.encodes, apart=apart, training=self.training)

    def embed_with(self, embedding: Embedding) -> None:
        """Make float features of what the data set has before all else."""
        self.embedding = embedding

    def pool_with(self, pooling: Callable[[int], Pooling]) -> None:
        """Make one row of each graph; `pooling` is called with the width of what the head reads."""
        linears = [module for module in self.head.modules() if isinstance(module, Linear)]
        last: Any = getattr(self.blocks[-1], "conv", None)
        self.pooling = pooling(linears[0].weight.shape[0] if linears else last.out_width)

    def decode_with(self, decoder: nn.Module) -> None:
        """Let the decoder, which a task calls, be trained and kept with the network."""
        self.decoder = decoder

    def initialize_with(self, initializer: Initializer, graph: Graph) -> None:
        """Draw the matrices of `block_matrices` anew."""
        with no_grad():
            for name, weight in self.block_matrices().items():
                conv: Any = self.blocks[int(name.split(".")[1])].conv
                width = getattr(conv, "in_width", None)
                fan_in = (
                    weight.shape[-1] if width != weight.shape[-2] and width == weight.shape[-1] else weight.shape[-2]
                )
                before, fill = weight.clone(), initializer.fill
                result: Any = fill(weight, graph, fan_in=fan_in, propagation=getattr(conv, "propagation", "both"))
                as_input("initializer", initializer, weight, before)
                if result is not None and result is not weight and torch.equal(weight, before):
                    wrong = "returned values and wrote none into the matrix"
                    broken("initializer", initializer, wrong, "values in place", "weight.copy_(values)")

    def train(self, mode: bool = True) -> "Network":
        """Set training or evaluation; what `nn.Module.train` does, sooner."""
        set_training(self, mode)
        return self

    def penalty(self) -> Tensor | None:
        """What is added to the task's loss in training, by convolutions and regularisers; None without any."""
        convs: list[Any] = [getattr(block, "conv", None) for block in self.blocks]
        terms: list[tuple[str, Any, Any]] = [
            ("conv", conv, conv.penalty()) for conv in convs if hasattr(conv, "penalty")
        ]
        terms += [("regularizer", each, each.penalty(self)) for each in self._regularizers()]
        found = [scalar(role, part, term, "its penalty") for role, part, term in terms if term is not None]
        return stack(found).sum() if found else None

    def forward(self, graph: Graph | BlockGraphs, x: Tensor) -> Tensor:
        """x: [sources, in]; the result is [nodes, out], logits where a head learns classes; [graphs, out] if pooled."""
        check_given("network", graph, x)
        x = self.embed(x)
        active = self._active()
        for regularizer in active:
            x = as_input("regularizer", regularizer, regularizer.features(graph, x), x)
        left = _with_dropped_edges(graph, [regularizer for regularizer in active if not regularizer.per_block])
        x = self._encoded(x)
        per_block = [regularizer for regularizer in active if regularizer.per_block]
        inputs = left, x, x if self.encodes else None, self.readout.collects, per_block
        outputs = self.with_blocks(lambda blocks: blocks.run(*inputs))
        return self.read_out(graph, x, outputs)

    def _encoded(self, x: Tensor) -> Tensor:
        """X_0. Raises: ComponentError unless it is [sources, width]; its last part may be a plug-in's activation."""
        parts = list(self.encoder.children())
        last = parts[-1] if parts else self.encoder
        linears = [part for part in self.encoder.modules() if isinstance(part, Linear)]
        shape = len(x), linears[-1].weight.shape[1] if linears else None
        return returned("activation", last, self.encoder(x), shape, x, "[nodes, width]", any_float=True)

    def embed(self, x: Tensor) -> Tensor:
        """What the encoder is given of x, [nodes, …]."""
        if self.embedding is None:
            return x
        made, shape = self.embedding(x), (len(x), self.embedding.out_width)
        like = next(self.embedding.parameters(), x if x.is_floating_point() else x.new_empty(0, dtype=torch.float32))
        return returned("embedding", self.embedding, made, shape, like, "[nodes, out_width]")

    def with_blocks(self, run: Callable[[Blocks], T]) -> T:
        """Return run(blocks), with the normalised matrices in the parameters' places.

        They stand in for the parameters for this call only, in modules of third parties too.
        """
        if self._normalization is None:
            return self.blocks(run)
        with self._matrices.replaced(self.blocks, self._normalization(self.block_matrices())):
            return self.blocks(run)

    def read_out(self, graph: Graph | BlockGraphs, x: Tensor, outputs: Sequence[Tensor]) -> Tensor:
        """What the head says of X_0, the encoder's output, and of the outputs that the readout collects."""
        read = [x, *outputs] if self.readout.reads_first else outputs
        rows = [graph.at_destinations(each) for each in read]
        last = rows[-1]
        joined = returned(
            "residual", self.readout, self.readout.readout(rows), (len(last), None), last, "[nodes, width]"
        )
        if self.pooling is None:
            return self.head(joined)
        graphs = 1 if not isinstance(graph, Graph) or graph.sizes is None else len(graph.sizes)
        pooled, shape = self.pooling(graph, joined), (graphs, joined.shape[1])
        return self.head(returned("pooling", self.pooling, pooled, shape, joined, "[graphs, width]", any_float=True))

    def block_matrices(self) -> dict[str, nn.Parameter]:
        """Every weight matrix inside the blocks' convolutions, by its dotted name in the network.

        The zoo's own are [..., in, out]; those of modules from `dgl.nn` may be [out, in], as their authors have it.
        Those of a convolution that several blocks share stand here once, under the first one's name.
        """
        return cast("dict[str, nn.Parameter]", self._matrices.of(self.blocks))

    def bounds(self) -> list[tuple[list[int], Tensor]]:
        """The bounds c of the blocks' matrices, for each normaliser and shape: the blocks, counted from 0, and c.

        c: [matrices, 1, …], the buffer itself. After writing into it call `project`, which matters to normalisers that
        write into the weights. Empty where nothing is bounded.
        """
        if self._normalization is None:
            return []
        found = cast(WeightNormalization, self._normalization).bounds()
        return [([int(name.split(".")[1]) for name in names], c) for names, c in found]

    def project(self) -> None:
        """Let the normalisation write normalised weights into the parameters, where that is its mode."""
        if self._normalization is not None and self._normalization.projects:
            with no_grad():
                cast(WeightNormalization, self._normalization).project(self.block_matrices())

    def _active(self) -> list[Regularizer]:
        """Return the regularisers that act now."""
        return self._regularizers() if self.training else []

    def _regularizers(self) -> list[Regularizer]:
        return [module for module in self.regularizers if isinstance(module, Regularizer)]

    def _mix(self, block: nn.Module, inputs: tuple[Any, ...], after: Tensor) -> Tensor:
        """What training makes of a block's output; where the block changes the width, nothing."""
        graph, x = inputs[:2]
        before = graph.at_destinations(x)
        if block.training and before.shape == after.shape:
            for regularizer in self._regularizers():
                after = as_input("regularizer", regularizer, regularizer.mix(graph, before, after), after)
        return after


def _apart(graph: Graph | BlockGraphs | None, collect: bool, dropping: Sequence[Regularizer]) -> str | None:
    """Return why each block is run by itself; None where it need not be."""
    if isinstance(graph, BlockGraphs):
        return "each block has a graph of its own"
    if collect:
        return "the readout reads the output of every block"
    return "edges are dropped for each block anew" if dropping else None


def _with_dropped_edges(graph: Graph | BlockGraphs, regularizers: Sequence[Regularizer]) -> Graph | BlockGraphs:
    for regularizer in regularizers:
        graph = graph.each(partial(_drop_edges, regularizer))
    return graph


def _drop_edges(regularizer: Regularizer, graph: Graph) -> Graph:
    """Return what is left of a graph. Raises: ComponentError unless that is a graph of the same nodes."""
    left = regularizer.drop_edges(graph)
    if not isinstance(left, Graph) or (left.sources, left.nodes) != (graph.sources, graph.nodes):
        nearest = "graph.edge_subgraph(keep)"
        broken("regularizer", regularizer, f"dropped edges of {graph} to {left}", "a Graph of the same nodes", nearest)
    return left
