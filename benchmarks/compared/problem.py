"""What the peers are given: the zoo's graph, features, labels and initial weights, as plain tensors."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from zoo.builder import Built


@dataclass(frozen=True)
class Problem:
    """A training, described without the zoo's classes.

    src, dst: int64 [edges], loops included. ends: weight [in, out] and bias of encoder and head. convs: each block's
    parameters by the zoo's names.
    """

    conv: str
    nodes: int
    src: Tensor
    dst: Tensor
    features: Tensor
    labels: Tensor
    train: Tensor
    val: Tensor
    ends: tuple[dict[str, Tensor], dict[str, Tensor]]
    convs: list[dict[str, Tensor]]
    lr: float

    @classmethod
    def of(cls, built: Built, conv: str) -> "Problem":
        """What a residual stack of the zoo's trains on and from; everything that will change is copied."""
        task: Any = built.task
        network = built.network
        encoder: Any = network.encoder
        head: Any = network.head
        blocks: Any = network.blocks
        graph = task.graph
        return cls(
            conv=conv,
            nodes=graph.nodes,
            src=graph.structure.src.long(),
            dst=graph.structure.dst.long(),
            features=task.features,
            labels=task.labels,
            train=task.index["train"],
            val=task.index["val"],
            ends=(_copies(encoder.linear), _copies(head.linear)),
            convs=[_copies(block.conv) for block in blocks],
            lr=float(built.optimizer.param_groups[0]["lr"]),
        )

    @property
    def width(self) -> int:
        """Of the blocks."""
        return self.ends[0]["weight"].shape[1]

    @property
    def classes(self) -> int:
        """Of the labels."""
        return self.ends[1]["weight"].shape[1]


def _copies(module: Any) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in module.named_parameters()}
