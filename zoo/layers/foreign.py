"""Convolutions of `dgl.nn`, under the zoo's interface."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from registry.name_errors import UnknownName
from zoo.dgl_backend import dgl, has_cuda
from zoo.errors import BuildError
from zoo.graph_like import Norm
from zoo.graphs.graph import Graph
from zoo.layers.conv import Conv, SelfLoops, attribute_of, head_width
from zoo.layers.linear import Linear
from zoo.recipe.fields import Count

IN_WIDTH = ("in_feats", "in_feat", "in_size", "input_d")
OUT_WIDTH = ("out_feats", "out_feat", "out_size", "output_d")
# How each module of dgl.nn spreads features, where it is not by 1/√(d_i d_j); GraphConv and SAGEConv have options.
PROPAGATION: dict[str, Norm] = {
    **dict.fromkeys(("GATConv", "GATv2Conv", "DotGatConv", "EGATConv", "AGNNConv", "HGTConv", "GatedGCNConv"), "right"),
    **dict.fromkeys(("GINConv", "GINEConv", "GatedGraphConv", "GraphConv.none"), "sum"),
    **dict.fromkeys(("SAGEConv.mean", "GraphConv.right"), "right"),
    "GraphConv.left": "left",
}
# By what their papers' formulas say of the node itself.
SELF_LOOPS: dict[str, SelfLoops] = {
    **dict.fromkeys(("GraphConv", "GATConv", "GATv2Conv", "SGConv", "APPNPConv", "GCN2Conv"), "add"),
    **dict.fromkeys(("SAGEConv", "GINConv"), "avoid"),
}
_KIND = inspect.Parameter.POSITIONAL_OR_KEYWORD
_WIDTHS = [inspect.Parameter(name, _KIND, annotation=int) for name in ("in_width", "out_width")]
# Set by the adapter: the width options, the update of GIN, the block's own activation, isolated nodes.
SUPPLIED = {*IN_WIDTH, *OUT_WIDTH, "apply_func", "activation", "allow_zero_in_degree"}


class DGLConv(Conv):
    """A module of `dgl.nn`. Computes in the precision of its parameters, also under autocast; heads are concatenated.

    Raises: BuildError on a device that this build of DGL has no kernels for.
    """

    per_node = False  # the modules take the degrees of the graph that they are given

    def __init__(self, in_width: int, out_width: int, name: str, module: nn.Module) -> None:
        super().__init__(in_width, out_width)
        self.name = name
        self.module = module
        kind = type(module).__name__
        option = attribute_of(module, "_norm") or attribute_of(module, "_aggre_type")
        self.propagation = PROPAGATION.get(f"{kind}.{option}", PROPAGATION.get(kind, "both"))
        self.self_loops = SELF_LOOPS.get(kind)
        self._takes_lambda = "lambda_max" in inspect.signature(module.forward).parameters

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Run the module on the DGLGraph."""
        if graph.device.type != "cpu" and not has_cuda():
            raise BuildError(
                f"conv {self.name} — this build of DGL has no kernels for {graph.device.type} — expected a device of: "
                "cpu — device=cpu, or a conv of the zoo's own"
            )
        # An upper bound of the normalised Laplacian's spectrum; left out, DGL takes the same and warns on every call.
        more = {"lambda_max": [2.0] * graph.dgl.batch_size} if self._takes_lambda else {}
        kind = x.device.type
        if torch.is_autocast_enabled(kind):
            with torch.autocast(kind, enabled=False):
                return self.module(graph.dgl, x.float(), **more).flatten(1)
        return self.module(graph.dgl, x, **more).flatten(1)


def dgl_conv(name: str) -> Callable[..., DGLConv]:
    """Return the convolution `dgl.nn.<name>` as a factory `(in_width, out_width, *, options)`.

    The options are the module's own constructor parameters with its defaults. The adapter supplies the widths (the
    output width is split over `num_heads`), a linear map as the `apply_func` of GIN, `allow_zero_in_degree=True`, and
    no `activation`, as the block has one.

    Raises: UnknownName if dgl.nn has no such convolution; BuildError if it needs more than a graph and node features.
    """
    classes = _convolutions()
    if name not in classes:
        raise UnknownName("convs", f"dgl.nn.{name}", _usable(classes).split(", "))
    kind = classes[name]
    lacking = _lacking(kind)
    if lacking:
        raise BuildError(
            f"conv dgl.nn.{name} — needs {lacking}, which a stack of blocks does not have — expected one of: "
            f"{_usable(classes)}"
        )
    signature = inspect.Signature([*_WIDTHS, *_options(kind)], return_annotation=DGLConv)

    def make(in_width: int, out_width: int, **options: Any) -> DGLConv:
        signature.bind(in_width, out_width, **options)
        return DGLConv(in_width, out_width, f"dgl.nn.{name}", _module(name, kind, in_width, out_width, options))

    make.__signature__ = signature  # type: ignore[attr-defined]
    make.__name__ = make.__qualname__ = f"dgl.nn.{name}"
    make.__doc__ = inspect.getdoc(kind)
    return make


def _module(name: str, kind: type[nn.Module], in_width: int, out_width: int, options: Mapping[str, Any]) -> nn.Module:
    parameters = _parameters(kind)
    given: dict[str, Any] = dict(options)
    heads = given.get("num_heads")
    inner_width = out_width if heads is None else head_width(out_width, heads, "num_heads")
    given |= {option: in_width for option in IN_WIDTH if option in parameters}
    given |= {option: inner_width for option in OUT_WIDTH if option in parameters}
    if "apply_func" in parameters:
        given["apply_func"] = Linear(in_width, out_width)
    elif not any(option in parameters for option in OUT_WIDTH) and in_width != out_width:
        raise BuildError(
            f"conv dgl.nn.{name} — keeps the width, and is asked to map {in_width} to {out_width} — "
            "expected equal widths — ends=linear"
        )
    given |= {"allow_zero_in_degree": True} if "allow_zero_in_degree" in parameters else {}
    given |= {"activation": None} if "activation" in parameters else {}
    try:
        return kind(**given)
    except Exception as error:
        raise BuildError(f"conv dgl.nn.{name} — {type(error).__name__}: {error} — expected options it takes") from error


def _convolutions() -> dict[str, type[nn.Module]]:
    return {
        name: kind
        for name, kind in vars(dgl.nn).items()
        if inspect.isclass(kind) and kind.__module__.startswith("dgl.nn.pytorch.conv.") and issubclass(kind, nn.Module)
    }


def _usable(classes: Mapping[str, type[nn.Module]]) -> str:
    return ", ".join(f"dgl.nn.{name}" for name, kind in sorted(classes.items()) if not _lacking(kind))


def _lacking(kind: type[nn.Module]) -> str:
    """Return what the module's forward wants besides a graph and node features; empty if nothing."""
    if kind.__name__.startswith("CuGraph"):
        return "the package pylibcugraphops"
    _, graph, features, *rest = inspect.signature(kind.forward).parameters.values()
    if graph.name not in ("graph", "g"):
        return f"a dense {graph.name}"
    if features.name not in ("feat", "node_feat"):
        return features.name
    return " and ".join(parameter.name for parameter in rest if parameter.default is parameter.empty)


def _parameters(kind: type[nn.Module]) -> dict[str, inspect.Parameter]:
    return dict(list(inspect.signature(kind.__init__).parameters.items())[1:])


def _options(kind: type[nn.Module]) -> list[inspect.Parameter]:
    """Return the module's parameters but for those that are supplied, as options with types that a recipe checks."""
    found = []
    for name, parameter in _parameters(kind).items():
        default = type(parameter.default)
        annotation: Any = default if default in (bool, float, str) else Any
        if name == "num_heads" or default is int:
            annotation = Count if name == "num_heads" else int | float  # DGL writes 0 and 1 for real numbers, too
        if name not in SUPPLIED:
            found.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=annotation))
    return found
