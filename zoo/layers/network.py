"""A network: encoder, blocks, head; and the place where weight normalisation enters."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, cast

from torch import Tensor, nn, no_grad
from torch.func import functional_call

from zoo.graphs.graph import Graph
from zoo.layers.conv import weight_matrices
from zoo.layers.residual import NoSkip, Residual

NormPosition = Literal["pre", "inner", "post"]


class WeightNormalization(Protocol):
    """What a network needs of a weight normalisation; it is an `nn.Module` besides."""

    def __call__(self, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The normalised matrices by name; those it leaves alone may be missing."""
        ...

    def project(self, parameters: Mapping[str, Tensor]) -> None:
        """Normalise matrices in place, where its mode is to project."""
        ...

    def bounded(self) -> Any:
        """Its normalisers that have a bound c."""
        ...

    def bounds(self) -> Iterable[tuple[Sequence[str], Tensor]]:
        """For each normaliser that has a bound the names of its matrices, and their c."""
        ...


class Block(nn.Module):
    """dropout → [norm: pre] → conv → [norm: inner] → activation → residual → [norm: post].

    Its output is the representation X_l, which probes read by a forward hook.
    """

    def __init__(
        self,
        conv: nn.Module,
        *,
        residual: Residual,
        norms: Sequence[nn.Module] = (),
        norm_position: NormPosition = "inner",
        activation: nn.Module | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.conv = conv
        self.norms = nn.ModuleList(norms)
        self.norm_position: NormPosition = norm_position
        self.activation = nn.Identity() if activation is None else activation
        self.residual = residual

    def forward(self, graph: Graph, x: Tensor, first: Tensor | None = None) -> Tensor:
        """x: [sources, in]; first: X_0, for initial residuals; the result is [nodes, out]."""
        update = self._norm("pre", graph, self.dropout(x))
        update = self._norm("inner", graph, self.conv(graph, update))
        update = self.activation(update)
        return self._norm("post", graph, self.residual(graph.at_destinations(x), update, first))

    def _norm(self, position: NormPosition, graph: Graph, x: Tensor) -> Tensor:
        if position == self.norm_position:
            for norm in self.norms:
                x = norm(graph, x)
        return x


class Blocks(nn.ModuleList):
    """The blocks, run one after the other."""

    def forward(self, graph: Graph, x: Tensor, first: Tensor | None, collect: bool) -> list[Tensor]:
        """The output of every block, or with `collect` off, of the last one only."""
        outputs: list[Tensor] = []
        for block in self:
            x = block(graph, x, first)
            first = x if first is None else first
            if collect or not outputs:
                outputs.append(x)
            else:
                outputs[-1] = x
        return outputs


class Network(nn.Module):
    """encoder → blocks → head, and an optional normalisation of the blocks' weight matrices.

    encoder, head: modules on node features, nn.Identity where the first and last block do their work. readout: decides
    what the head sees of the blocks. Without an encoder X_0 is the first block's output.
    """

    def __init__(
        self, encoder: nn.Module, blocks: Sequence[nn.Module], head: nn.Module, *, readout: Residual | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.blocks = Blocks(blocks)
        self.head = head
        self.readout: Residual = NoSkip() if readout is None else readout
        self._normalization: nn.Module | None = None

    @property
    def normalization(self) -> Any:
        """The weight normalisation, or None."""
        return self._normalization

    def normalize_with(self, normalization: WeightNormalization | None) -> None:
        """Normalise the matrices of `block_matrices` from now on; None takes the normalisation away."""
        self._normalization = cast("nn.Module | None", normalization)

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """x: [nodes, in]; the result is [nodes, out], logits where a head is trained on classes."""
        x = self.encoder(x)
        first = None if isinstance(self.encoder, nn.Identity) else x
        inputs = graph, x, first, self.readout.collects
        normalized = self._normalized()
        # The normalised matrices stand in for the parameters for this call only, in modules of third parties too.
        outputs = functional_call(self.blocks, normalized, inputs) if normalized else self.blocks(*inputs)
        return self.head(self.readout.readout(outputs))

    def block_matrices(self) -> dict[str, nn.Parameter]:
        """Every weight matrix inside the blocks' convolutions, by its dotted name in the network.

        The zoo's own are [..., in, out]; those of modules from `dgl.nn` may be [out, in], as their authors have it.
        """
        return {
            name: parameter
            for index, block in enumerate(self.blocks)
            if isinstance(conv := getattr(block, "conv", None), nn.Module)
            for name, parameter in weight_matrices(conv, f"blocks.{index}.conv")
        }

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
        if self._normalization is not None:
            with no_grad():
                cast(WeightNormalization, self._normalization).project(self.block_matrices())

    def _normalized(self) -> dict[str, Tensor]:
        if self._normalization is None:
            return {}
        found: dict[str, Tensor] = self._normalization(self.block_matrices())
        return {name.removeprefix("blocks."): matrix for name, matrix in found.items()}
