"""A network: encoder, blocks, head; and the place where weight normalisation enters."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar, cast

import torch
from torch import Tensor, is_grad_enabled, nn, no_grad, stack

from zoo.contracts import as_input, broken, returned, scalar
from zoo.graphs.block_graphs import BlockGraphs
from zoo.graphs.given import check_given
from zoo.graphs.graph import Graph
from zoo.initializers.base import Initializer
from zoo.layers.chain import chained
from zoo.layers.embedding import Embedding
from zoo.layers.linear import Linear
from zoo.layers.matrices import BlockMatrices
from zoo.layers.memory import Checkpointed, Memory, reverse, segments
from zoo.layers.modes import set_training
from zoo.layers.pooling import Pooling
from zoo.layers.residual import NoSkip, Residual
from zoo.regularizers.base import Regularizer
from zoo.system.private import is_transformed

T = TypeVar("T")


class WeightNormalization(Protocol):
    """What a network needs of a weight normalisation; it is an `nn.Module` besides."""

    def __call__(self, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The normalised matrices by name; those it leaves alone may be missing."""
        ...

    def project(self, parameters: Mapping[str, Tensor]) -> None:
        """Normalise matrices in place, where its mode is to project."""
        ...

    @property
    def projects(self) -> bool:
        """Whether `project` has anything to do."""
        ...

    def bounded(self) -> Any:
        """Its normalisers that have a bound c."""
        ...

    def bounds(self) -> Iterable[tuple[Sequence[str], Tensor]]:
        """For each normaliser that has a bound the names of its matrices, and their c."""
        ...


class Blocks(nn.ModuleList):
    """The blocks. Called, they are handed to a function: what stands in for parameters then lasts for all it does.

    What they keep for the backward pass they are told by `set_activation_memory`; at first that is all that it needs.
    """

    same_in_training = True

    def __init__(self, blocks: Iterable[nn.Module] | None = None) -> None:
        super().__init__(blocks)
        self.memory: Memory = "full"

    def forward(self, run: Callable[["Blocks"], T]) -> T:
        """Return run(self)."""
        return run(self)

    def set_activation_memory(self, memory: Memory, bounds: Mapping[Tensor, float]) -> str:
        """Keep all that the backward pass needs, √blocks inputs, or the last output; return what that is, in words.

        bounds: the norms that weight matrices are held to. Raises: BuildError for blocks that cannot be inverted.
        """
        reverse(self, bounds if memory == "reversible" else None)
        self.memory = memory
        if all(getattr(block, "reversible", False) for block in self):
            return "each block's input is computed from its output, the last of which is kept"
        if memory == "full":
            return "every block keeps what its backward pass needs"
        runs = segments(len(self), memory)
        return f"{len(runs)} inputs are kept, and runs of {len(runs[0])} blocks are computed again from them"

    def run(
        self,
        graph: Graph | BlockGraphs,
        x: Tensor,
        first: Tensor | None,
        collect: bool,
        thinning: Sequence[Regularizer] = (),
    ) -> list[Tensor]:
        """The output of every block, or with `collect` off, of the last one only; `thinning`: anew for each block.

        first: X_0, of which blocks take the rows that they need; without it, the first block's output.
        """
        blocks = list(self)
        again = self.memory == "checkpoint" and is_grad_enabled() and not is_transformed()
        outputs: list[Tensor] = []
        for places in segments(len(blocks), "checkpoint" if again else "full", first_alone=first is None):
            part = blocks[places.start : places.stop]

            def run(x: Tensor, first: Tensor | None, places: range = places) -> list[Tensor]:
                found: list[Tensor] = []
                index = places.start
                while index < places.stop:
                    many = 0
                    if not (collect or thinning):
                        x, many = chained(blocks[index : places.stop], graph, x)
                    if not many:
                        x = blocks[index](_thinned(graph.at_block(index, len(blocks)), thinning), x, first)
                        many = 1
                    found = [*found, x] if collect else [x]
                    index += many
                return found

            keeps_nothing = all(getattr(block, "reversible", False) for block in part)
            found = (Checkpointed(run, part) if again and not keeps_nothing else run)(x, first)
            x = found[-1]
            first = x if first is None else first
            outputs = [*outputs, *found] if collect else found
        return outputs


class Network(nn.Module):
    """encoder → blocks → head, an optional normalisation of the blocks' weight matrices, and regularisers.

    encoder, head: modules on node features, nn.Identity where the first and last block do their work. readout: decides
    what the head sees of the blocks. Without an encoder X_0 is the first block's output.

    What stands at its ends depends on data and task: `embedding` makes float features before the encoder; `pooling`,
    between readout and head, makes one row of each graph; `decoder` makes scores of pairs of rows, when a task asks it.
    """

    same_in_training = True

    def __init__(
        self, encoder: nn.Module, blocks: Sequence[nn.Module], head: nn.Module, *, readout: Residual | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
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
        """Tell the blocks what to keep for the backward pass, `training.memory`; return what that comes to, in words.

        Called when regularisers, normalisation and its bounds are what they will be. Raises: BuildError where blocks
        are to be inverted and cannot be.
        """
        bounds: dict[Tensor, float] = {}
        if self._normalization is not None:
            matrices = self.block_matrices()
            for names, c in cast(WeightNormalization, self._normalization).bounds():
                bounds.update(zip((matrices[name] for name in names), c.flatten(1)[:, 0].tolist(), strict=True))
        return self.blocks.set_activation_memory(memory, bounds)

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
        active = self._regularizers() if self.training else []
        for regularizer in active:
            x = as_input("regularizer", regularizer, regularizer.features(graph, x), x)
        thinned = _thinned(graph, [regularizer for regularizer in active if not regularizer.per_block])
        x = self._encoded(x)
        per_block = [regularizer for regularizer in active if regularizer.per_block]
        inputs = thinned, x, x if self.encodes else None, self.readout.collects, per_block
        outputs = self.with_blocks(lambda blocks: blocks.run(*inputs))
        return self.read_out(graph, x, outputs)

    def _encoded(self, x: Tensor) -> Tensor:
        """X_0. Raises: ComponentError unless it is [sources, width]; its last part may be a plug-in's activation."""
        parts = list(self.encoder.children())
        last = parts[-1] if parts else self.encoder
        linears = [part for part in self.encoder.modules() if isinstance(part, Linear)]
        shape = len(x), linears[-1].weight.shape[1] if linears else None
        return returned("activation", last, self.encoder(x), shape, x, "[nodes, width]", any_float=True)

    @property
    def encodes(self) -> bool:
        """Whether X_0 is an encoder's output; else it is the first block's."""
        return not isinstance(self.encoder, nn.Identity)

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


def _thinned(graph: Graph | BlockGraphs, regularizers: Sequence[Regularizer]) -> Graph | BlockGraphs:
    for regularizer in regularizers:
        graph = graph.each(partial(_thinned_by, regularizer))
    return graph


def _thinned_by(regularizer: Regularizer, graph: Graph) -> Graph:
    """What is left of a graph. Raises: ComponentError unless that is a graph of the same nodes."""
    thin = regularizer.drop_edges(graph)
    if not isinstance(thin, Graph) or (thin.sources, thin.nodes) != (graph.sources, graph.nodes):
        broken(
            "regularizer",
            regularizer,
            f"thinned {graph} to {thin}",
            "a Graph of the same nodes",
            "graph.edge_subgraph(keep)",
        )
    return thin
