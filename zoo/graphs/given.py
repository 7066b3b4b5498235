"""The check of what a network or a convolution is given: compiled loops read memory by the graph's numbers."""

from typing import Any

from torch import Tensor

from zoo.errors import BuildError
from zoo.graphs.block_graphs import BlockGraphs
from zoo.graphs.graph import Graph
from zoo.graphs.shapes import is_on


def check_given(where: str, graph: Any, x: Any) -> None:
    """Raise BuildError unless this is a `Graph` or `BlockGraphs`, and x, on its device, has a row for each source."""
    if not isinstance(graph, Graph | BlockGraphs):
        raise BuildError(
            f"{where} — got a {type(graph).__name__} for the graph — expected the zoo's Graph, which keeps what "
            "depends on the graph alone — zoo.graphs.Graph(graph), made once of a DGLGraph"
        )
    if not isinstance(x, Tensor):
        raise BuildError(f"{where} — got a {type(x).__name__} — expected a tensor — torch.as_tensor(x)")
    if not x.dim() or len(x) != graph.sources:
        raise BuildError(
            f"{where} — got features {list(x.shape)} for a graph of {graph.sources} nodes — expected one row for each "
            f"of them, [{graph.sources}, …]"
        )
    if not is_on(x, graph.device):
        raise BuildError(
            f"{where} — got features on {x.device} and a graph on {graph.device} — expected one device — "
            f"x.to({str(graph.device)!r})"
        )
