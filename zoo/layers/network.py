"""A network: encoder, blocks, head; and the place where weight normalisation enters."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from torch import Tensor, nn

from zoo.contracts import as_input, broken, returned, scalar
from zoo.engine.lowering import ExecutionPlan
from zoo.graph_like import GraphLike
from zoo.graphs.block_graphs import BlockGraphs, check_given
from zoo.graphs.graph import Graph
from zoo.initializers.base import Initializer
from zoo.layers.blocks import Blocks, Memory, drop_edges, reason_apart
from zoo.layers.conv import attribute_of, conv_of
from zoo.layers.embedding import Embedding
from zoo.layers.linear import Linear
from zoo.layers.matrices import BlockMatrices
from zoo.layers.residual import NoSkip, Residual
from zoo.normalizers.attach import WeightNormalization
from zoo.regularizers.base import Regularizer
from zoo.system.private import set_training

if TYPE_CHECKING:
    from zoo.layers.pooling import Pooling

T = TypeVar("T")


class Network(nn.Module):
    """encoder → blocks → head, an optional normalisation of the blocks' weight matrices, and regularisers.

    encoder, head: modules on node features, nn.Identity where the first and last block do their work. readout: decides
    what the head sees of the blocks. encodes: X_0 is what the encoder makes; else it is the first block's output.

    Set as data and task need them: `embedding` makes float features before the encoder; `pooling`, between readout and
    head, makes one row of each graph; `decoder`, which a task calls, makes scores of pairs of rows.
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
        self._normalization: WeightNormalization | None = None
        self.regularizers = nn.ModuleList()
        self.embedding: Embedding | None = None
        self.pooling: Pooling | None = None
        self.decoder: nn.Module | None = None

    @property
    def normalization(self) -> WeightNormalization | None:
        """The weight normalisation, or None."""
        return self._normalization

    def normalize_with(self, normalization: WeightNormalization | None) -> None:
        """Normalise the matrices of `block_matrices` from now on; None takes the normalisation away."""
        self._normalization = normalization

    def regularize_with(self, regularizers: Sequence[Regularizer]) -> None:
        """Let these act while the network is trained, in their order; in eval mode none does. Called once."""
        self.regularizers.extend(regularizers)
        if any(type(regularizer).mix is not Regularizer.mix for regularizer in regularizers):
            for block in self.blocks:
                # A hook, so that blocks of any kind are mixed, and other hooks on a block read the mixed X_l.
                block.register_forward_hook(self._mix)

    def pool_with(self, pooling: "Callable[[int], Pooling]") -> None:
        """Make one row of each graph; `pooling` is called with the width of what the head reads."""
        linears = [module for module in self.head.modules() if isinstance(module, Linear)]
        last = attribute_of(conv_of(self.blocks[-1]), "out_width")
        self.pooling = pooling(linears[0].weight.shape[0] if linears else last)

    @torch.no_grad()
    def initialize_with(self, initializer: Initializer, graph: GraphLike) -> None:
        """Draw the matrices of `block_matrices` anew."""
        for name, weight in self.block_matrices().items():
            conv = conv_of(self.blocks[int(name.split(".")[1])])
            rows, columns = weight.shape[-2:]
            fan_in = columns if attribute_of(conv, "in_width") == columns else rows
            propagation, before = attribute_of(conv, "propagation", "both"), weight.clone()
            result: Any = cast(Any, initializer.fill)(weight, graph, fan_in=fan_in, propagation=propagation)
            as_input("initializer", initializer, weight, before)
            if result is not None and result is not weight and torch.equal(weight, before):
                wrong = "returned values and wrote none into the matrix"
                broken("initializer", initializer, wrong, "values in place", "weight.copy_(values)")

    def set_activation_memory(self, memory: Memory) -> str:
        """Let the blocks keep for the backward pass what `training.memory` says; return what that is, in words."""
        return self.blocks.set_activation_memory(memory)

    def plan(self) -> ExecutionPlan:
        """Return how the blocks are run in its mode, on one graph for all of them."""
        apart = reason_apart(None, self.readout.collects, self._active(per_block=True))
        return self.blocks.plan(first_alone=not self.encodes, apart=apart, gradients=self.training)

    def train(self, mode: bool = True) -> "Network":
        """Set training or evaluation, as `nn.Module.train` does."""
        set_training(self, mode)
        return self

    def penalty(self) -> Tensor | None:
        """Return what convolutions and regularisers add to the task's loss in training; None without any."""
        convs: list[Any] = [conv for block in self.blocks if attribute_of(conv := conv_of(block), "penalty")]
        terms: list[tuple[str, nn.Module, Tensor | None]] = [("conv", conv, conv.penalty()) for conv in convs]
        terms += [("regularizer", each, each.penalty(self)) for each in self._regularizers()]
        found = [scalar(role, part, term, "its penalty") for role, part, term in terms if term is not None]
        return torch.stack(found).sum() if found else None

    def forward(self, graph: Graph | BlockGraphs, x: Tensor) -> Tensor:
        """x: [sources, in]; the result is [nodes, out], logits where a head learns classes; [graphs, out] if pooled."""
        check_given("network", graph, x)
        x = self.embed(x)
        for regularizer in self._active():
            x = as_input("regularizer", regularizer, regularizer.features(graph, x), x)
        left = drop_edges(graph, self._active(per_block=False))
        x = self._encoded(x)
        inputs = left, x, x if self.encodes else None, self.readout.collects, self._active(per_block=True)
        outputs = self.with_blocks(lambda blocks: blocks.run(*inputs))
        return self.read_out(graph, x, outputs)

    def embed(self, x: Tensor) -> Tensor:
        """Return what the encoder is given of x, [nodes, …]."""
        if self.embedding is None:
            return x
        made, shape = self.embedding(x), (len(x), self.embedding.out_width)
        like = next(self.embedding.parameters(), x if x.is_floating_point() else x.new_empty(0, dtype=torch.float32))
        return returned("embedding", self.embedding, made, shape, like, "[nodes, out_width]")

    def _encoded(self, x: Tensor) -> Tensor:
        """Return X_0. Raises: ComponentError unless it is [sources, width]: a plug-in's activation may make it."""
        parts = list(self.encoder.children())
        linears = [part for part in self.encoder.modules() if isinstance(part, Linear)]
        shape = len(x), linears[-1].weight.shape[1] if linears else None
        last = parts[-1] if parts else self.encoder
        return returned("activation", last, self.encoder(x), shape, x, "[nodes, width]", any_float=True)

    def with_blocks(self, run: Callable[[Blocks], T]) -> T:
        """Return run(blocks), with the normalised matrices in the parameters' places.

        They stand in for the parameters for this call only, in modules of third parties too.
        """
        if self._normalization is None:
            return self.blocks(run)
        with self._matrices.replaced(self.blocks, self._normalization(self.block_matrices())):
            return self.blocks(run)

    def read_out(self, graph: Graph | BlockGraphs, x: Tensor, outputs: Sequence[Tensor]) -> Tensor:
        """Return the head's output for X_0, the encoder's output, and the outputs that the readout collects."""
        read = [x, *outputs] if self.readout.reads_first else outputs
        rows = [graph.at_destinations(each) for each in read]
        last, made = rows[-1], self.readout.readout(rows)
        joined = returned("residual", self.readout, made, (len(last), None), last, "[nodes, width]")
        if self.pooling is None:
            return self.head(joined)
        graphs = 1 if not isinstance(graph, Graph) or graph.sizes is None else len(graph.sizes)
        pooled, shape = self.pooling(graph, joined), (graphs, joined.shape[1])
        return self.head(returned("pooling", self.pooling, pooled, shape, joined, "[graphs, width]", any_float=True))

    def block_matrices(self) -> dict[str, nn.Parameter]:
        """Return every weight matrix inside the blocks' convolutions, by its dotted name in the network.

        The zoo's own are [..., in, out]; those of modules from `dgl.nn` may be [out, in], as their authors have it.
        Those of a convolution that several blocks share stand here once, under the first one's name.
        """
        return cast("dict[str, nn.Parameter]", self._matrices.of(self.blocks))

    def bounds(self) -> list[tuple[list[int], Tensor]]:
        """Return the bounds c of the blocks' matrices, for each normaliser and shape: the blocks, from 0, and c.

        c: [matrices, 1, …], the buffer itself. After writing into it call `project`, which matters to normalisers that
        write into the weights. Empty where nothing is bounded.
        """
        found = [] if self._normalization is None else self._normalization.bounds()
        return [([int(name.split(".")[1]) for name in names], c) for names, c in found]

    @torch.no_grad()
    def project(self) -> None:
        """Let the normalisation write normalised weights into the parameters, where that is its mode."""
        if self._normalization is not None and self._normalization.projects:
            self._normalization.project(self.block_matrices())

    def _regularizers(self) -> list[Regularizer]:
        return cast("list[Regularizer]", list(self.regularizers))

    def _active(self, *, per_block: bool | None = None) -> list[Regularizer]:
        """Return the regularisers that act now; with per_block those that drop edges so."""
        regularizers = self._regularizers() if self.training else []
        return [each for each in regularizers if per_block is None or bool(each.per_block) == per_block]

    def _mix(self, block: nn.Module, inputs: tuple[Any, ...], after: Tensor) -> Tensor:
        """Return what training makes of a block's output; where the block changes the width, nothing."""
        graph, x = inputs[:2]
        before = graph.at_destinations(x)
        if block.training and before.shape == after.shape:
            for regularizer in self._regularizers():
                after = as_input("regularizer", regularizer, regularizer.mix(graph, before, after), after)
        return after
