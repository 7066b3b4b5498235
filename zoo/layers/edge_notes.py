"""What a network's convolutions want of the edges, held against what the graph has."""

from collections.abc import Iterable, Iterator

from torch import nn

Note = tuple[str, str, str]


def edge_notes(network: nn.Module, *, loops: int, nodes: int, columns: int) -> Iterator[Note]:
    """Notes for the record on edges that do not suit the network: what, how it is, why that matters and what to do.

    Modules say what they want by `self_loops` and `reads_edges`, see `zoo.layers.conv.Conv`.
    loops, nodes: how many the prepared graph has. columns: how many features each edge has.
    """
    parts = list(network.modules())
    wishes = {
        wish: _named(part for part in parts if getattr(part, "self_loops", None) == wish) for wish in ("add", "avoid")
    }
    if loops and wishes["avoid"]:
        yield (
            "self-loops",
            f"{loops:,} on {nodes:,} nodes",
            f"{wishes['avoid']} takes the node itself besides its neighbours, so that a loop counts it twice: "
            "prepare.self_loops=remove takes loops away",
        )
    if not loops and wishes["add"]:
        yield (
            "self-loops",
            "none",
            f"{wishes['add']} hears the node itself by its loop alone: prepare.self_loops=add makes loops",
        )
    if columns and not any(getattr(part, "reads_edges", False) for part in parts):
        yield (
            "edge features",
            "not read",
            f"edges carry {columns} feature{'s' if columns > 1 else ''}, and no convolution here declares that it "
            "reads any: conv=gine or gcn-edge does; prepare.edge_features=drop leaves them out",
        )


def _named(modules: Iterable[nn.Module]) -> str:
    return ", ".join(dict.fromkeys(getattr(module, "name", type(module).__name__) for module in modules))
