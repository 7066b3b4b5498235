"""The interface of a graph convolution, and what a network reads off one."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from zoo.contracts import returned
from zoo.engine.affine import Affine
from zoo.engine.attention import Attention
from zoo.engine.lowering import fused_block
from zoo.errors import BuildError
from zoo.graph_like import Norm
from zoo.graphs.block_graphs import check_given
from zoo.graphs.graph import Graph

SelfLoops = Literal["add", "avoid"] | None


class Conv(nn.Module, ABC):
    """Maps node features along the edges of a graph.

    A conv is built as `Conv(in_width, out_width, *, options)`. Its weight matrices are parameters called `weight` or
    `…_weight`, of shape [in, out] or [heads, in, out per head]: by these names weight normalisers find them. Biases and
    attention vectors have other names. Its class or the object may set:

    propagation: by which of `Graph.propagate`'s weights features spread, or None; probes read their limit subspace from
    it. Attention says "right": its coefficients add up to 1 at each node, as those of a mean do.
    per_node: False if in evaluation a row of the result may depend on more than the row's in-edges and what `Graph`'s
    operators make of them, so that rows cannot be computed apart.
    self_loops: "add" if a node reads itself by a loop only, as in Â = A + I; "avoid" if the formula takes the node
    itself besides its neighbours, so that a loop would count it twice; None if either will do, or is not known.
    reads_edges: True if it reads `graph.edge_features`. A run's record says where the graph has others than these want.
    same_in_training: True if it computes in training what it does in evaluation, see `zoo.training.declared`.
    """

    propagation: Norm | None = "both"
    per_node: ClassVar[bool] = True
    self_loops: SelfLoops = None
    reads_edges: ClassVar[bool] = False

    def __init__(self, in_width: int, out_width: int) -> None:
        super().__init__()
        self.in_width = in_width
        self.out_width = out_width

    def __call__(self, graph: Graph, x: Tensor, *more: Any, **named: Any) -> Any:
        """Do what a module's call does. Raises: BuildError unless graph and features fit."""
        check_given(type(self).__name__, graph, x)
        return super().__call__(graph, x, *more, **named)

    @abstractmethod
    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """x: [sources, in_width]; the result is [nodes, out_width]."""

    def extra_repr(self) -> str:
        """Return the widths, for `print`."""
        return f"{self.in_width}, {self.out_width}"


class FusedConv(Conv):
    """A convolution that runs as one operator with what a block does after it, as its `operands` tell.

    A subclass with a `forward` of its own is run by that.
    """

    @abstractmethod
    def operands(self) -> Affine | Attention:
        """Return the parameters, with the weights of the propagation or the scores of the attention."""

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return the convolution of the operands."""
        return fused_block(graph, x, self.operands())

    fusable_forward = forward


def attribute_of(module: object, name: str, default: Any = None) -> Any:
    """Return an attribute that a plug-in's or a third party's module may lack."""
    return getattr(module, name, default)


def conv_of(block: nn.Module) -> nn.Module | None:
    """Return a block's convolution; None if a plug-in's has none."""
    found = block._modules.get("conv")
    if found is None:
        found = attribute_of(block, "conv")
    return found if isinstance(found, nn.Module) else None


def convolve(conv: nn.Module, graph: Graph, x: Tensor) -> Tensor:
    """Return conv(graph, x). Raises: ComponentError unless it is [nodes, out_width], in the precision of x."""
    shape = graph.nodes, attribute_of(conv, "out_width")
    return returned("conv", conv, conv(graph, x), shape, x, "[nodes, out_width]")


def head_width(out_width: int, heads: int, option: str = "heads") -> int:
    """Return the width of each of `heads` heads that together are `out_width` wide.

    Raises: BuildError, with the nearest numbers of heads that divide the width.
    """
    if out_width % heads == 0:
        return out_width // heads
    divisors = sorted((n for n in range(1, out_width + 1) if out_width % n == 0), key=lambda n: (abs(n - heads), n))
    raise BuildError(
        f"conv.{option} — {heads} heads do not divide the width {out_width} — expected a divisor of {out_width} — "
        f"nearest: {' or '.join(map(str, sorted(divisors[:2])))}"
    )


def weight_matrices(conv: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the weight matrices of a convolution, the zoo's or a third party's, by dotted name.

    Those are the parameters called `weight` or `…_weight` that have two dimensions or more: attention vectors, biases,
    the parameters of feature normalisers and tables of embeddings are none.
    """
    # Most convolutions have no parts, and asking for the names of those takes ten times as long.
    own = {
        f"{prefix}.{name}".lstrip("."): parameter
        for name, parameter in conv._parameters.items()
        if parameter is not None
    }
    looked_up = {id(part.weight) for part in conv.modules() if isinstance(part, nn.Embedding)} if conv._modules else ()
    for name, parameter in conv.named_parameters(prefix) if conv._modules else own.items():
        last = name.rpartition(".")[2]
        if id(parameter) in looked_up:
            continue
        if parameter.dim() >= 2 and (last == "weight" or last.endswith("_weight")):
            yield name, parameter


Note = tuple[str, str, str]


def edge_notes(network: nn.Module, *, loops: int, nodes: int, columns: int) -> Iterator[Note]:
    """Yield notes for the record on edges that do not suit the network: what, how it is, why that matters, what to do.

    loops, nodes: how many the prepared graph has. columns: how many features each edge has.
    """
    names: dict[str | None, dict[str, None]] = {"add": {}, "avoid": {}}
    for module in network.modules():
        found = names.get(attribute_of(module, "self_loops"), {})
        found[attribute_of(module, "name", type(module).__name__)] = None
    add, avoid = map(", ".join, names.values())
    if loops and avoid:
        yield (
            "self-loops",
            f"{loops:,} on {nodes:,} nodes",
            f"{avoid} takes the node itself besides its neighbours, so that a loop counts it twice: "
            "prepare.self_loops=remove takes loops away",
        )
    if not loops and add:
        yield "self-loops", "none", f"{add} reads the node itself by its loop alone: prepare.self_loops=add makes loops"
    if columns and not any(attribute_of(module, "reads_edges", False) for module in network.modules()):
        yield (
            "edge features",
            "not read",
            f"edges carry {columns} feature{'s' if columns > 1 else ''}, and no convolution here declares that it "
            "reads any: conv=gine or gcn-edge does; prepare.edge_features=drop leaves them out",
        )
