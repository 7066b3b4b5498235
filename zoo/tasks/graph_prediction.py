"""Classification of graphs, and regression on them, in batches."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from registry import poolings
from zoo.datasets.base import GraphData, Split
from zoo.engine.kernel import KernelName
from zoo.errors import BuildError
from zoo.graphs.disjoint import DisjointGraphs
from zoo.graphs.graph import Graph
from zoo.layers.network import Network
from zoo.metrics.base import label_score
from zoo.recipe.fields import Count, Metric, Pooling
from zoo.sampling.batching import TaskSetting
from zoo.tasks.base import Batch, Note, Part, Prediction, outputs_of
from zoo.tasks.label_task import LabelTask, label_loss

# Batches of a part to be scored are kept when it has so many nodes and edges at most: about 100 bytes for each of them.
_KEPT = 2_000_000


@dataclass(frozen=True)
class GraphBatch:
    """A disjoint union of graphs, their labels and the factor of their mean loss, see `batching.Share`."""

    graph: Graph
    features: Tensor
    labels: Tensor
    weight: float = 1.0

    def to(self, device: torch.device) -> "GraphBatch":
        """Return the batch on a device."""
        return GraphBatch(self.graph.to(device), self.features.to(device), self.labels.to(device), self.weight)


class GraphPrediction(LabelTask):
    """Predict one of several classes, several binary labels, or numbers, of whole graphs.

    The loss is that of `label_loss`, and its mean over a batch is minimised. Numbers are learned as (y − m)/s, with m
    and s the mean and the deviation of each label over the training part; outputs are brought back before they are
    scored. Scores do not depend on how graphs are put into batches, where no layer's own statistics do.

    metric: `auto` takes the data set's own, else a name of the table `metrics`. pool: how the nodes of a graph become
    one row, which the network's head reads. batch_size: graphs of a training step; eval_batch_size: of a batch that is
    scored. standardize: whether numbers are; classes and binary labels never are.
    Raises: BuildError, as of `LabelTask`, and for a graph of the split without nodes.
    """

    takes: ClassVar = {GraphData: ""}

    def __init__(
        self,
        data: GraphData,
        split: Split,
        setting: TaskSetting,
        *,
        metric: Literal["auto"] | Metric = "auto",
        pool: Pooling = "mean",  # pyright: ignore[reportArgumentType]
        batch_size: Count = 32,
        eval_batch_size: Count = 64,
        standardize: bool = True,
    ) -> None:
        super().__init__(data, split, metric)
        _check_nodes(data, self.index)
        self.graphs = DisjointGraphs(data.src, data.dst, data.sizes, data.edge_features)
        self.kernel: KernelName = setting.kernel
        self.scaled = standardize and data.problem == "values"
        self.mean, self.deviation = _moments(data.labels[split.train]) if self.scaled else (torch.zeros(1),) * 2
        self.pool = poolings.get(pool) if isinstance(pool, str) else pool
        self.batching = setting.batching(len(split.train), batch_size)
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size
        self.device = torch.device("cpu")
        self._kept: dict[Part, list[GraphBatch]] = {}
        self.graph = next(iter(self.batches(0))).graph

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch."""
        return self.batching.steps

    @property
    def nodes_per_step(self) -> int:
        """Nodes of a batch of graphs of mean size."""
        graphs = min(self.batch_size, len(self.index["train"]))
        return round(float(self.graphs.sizes[self.index["train"]].double().mean()) * graphs)

    @property
    def choices(self) -> list[Note]:
        """Standardisation of numbers, and labels that cannot be learned or scored."""
        if not self.scaled:
            return self.notes
        mean, deviation = (", ".join(f"{x:.6g}" for x in each[:3].tolist()) for each in (self.mean, self.deviation))
        more = ", …" if len(self.mean) > 3 else ""
        return [
            ("labels", f"mean {mean}{more}, deviation {deviation}{more}", "those of the training part"),
            *self.notes,
        ]

    def to(self, device: torch.device) -> "GraphPrediction":
        """Send batches to the device from now on; the whole stays where it is."""
        self.device = device
        self.graph = self.graph.to(device)
        self.mean, self.deviation = self.mean.to(device), self.deviation.to(device)
        self._kept.clear()
        return self

    def complete(self, network: Network) -> None:
        """Give the network its pooling."""
        network.pool_with(self.pool)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, in an order of its own, on the device."""
        for share in self.batching.epoch(epoch, start):
            yield self._batch(self.index["train"][share.examples], share.weight)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Return the mean loss over the batch's labels, in float32; see `label_loss`."""
        labels = (batch.labels - self.mean) / self.deviation if self.scaled else batch.labels
        loss = label_loss(self._run(network, batch), labels, self.problem)
        return loss if batch.weight == 1 else loss * batch.weight

    def scores(self, network: nn.Module) -> Callable[[Part], float]:
        """Score parts, each by a pass over it when it is asked for."""
        return lambda part: label_score(self.measure, *self._predicted(network, part))

    def predict(self, network: nn.Module, part: Part) -> Prediction:
        """Return logits or numbers `output` of each graph of the part, its number `graph` and its label."""
        outputs, labels = self._predicted(network, part)
        arrays = {"graph": self.index[part], "output": outputs.cpu(), "label": labels.cpu()}
        return Prediction(arrays, label_score(self.measure, outputs, labels))

    @torch.no_grad()
    def _predicted(self, network: nn.Module, part: Part) -> tuple[Tensor, Tensor]:
        """Return outputs in the labels' units, and labels, of the graphs of a part, in its order."""
        found = [(self._run(network, batch).float(), batch.labels) for batch in self._parted(part)]
        outputs, labels = (torch.cat(each) for each in zip(*found, strict=True))
        return (outputs * self.deviation + self.mean if self.scaled else outputs), labels

    def _run(self, network: nn.Module, batch: GraphBatch) -> Tensor:
        return outputs_of(network, batch.graph, batch.features, (len(batch.labels), self.out_width))

    def _parted(self, part: Part) -> Iterator[GraphBatch]:
        """Yield the batches of a part in its order; the same objects each time where it is small enough to be kept."""
        if part in self._kept:
            yield from self._kept[part]
            return
        ids = self.index[part]
        keep = int(self.graphs.sizes[ids].sum() + self.graphs.edge_counts[ids].sum()) <= _KEPT
        made = []
        for some in ids.split(self.eval_batch_size):
            yield (batch := self._batch(some))
            if keep:
                made.append(batch)
        if keep:
            self._kept[part] = made

    def _batch(self, ids: Tensor, weight: float = 1.0) -> GraphBatch:
        graph, nodes = self.graphs.batch(ids, self.kernel)
        return GraphBatch(graph, self.features[nodes], self.labels[ids], weight).to(self.device)


def _check_nodes(data: GraphData, index: dict[str, Tensor]) -> None:
    """Raise BuildError for a graph without nodes: there is nothing to pool, and a batch of such graphs has no row."""
    for part, graphs in index.items():
        if len(empty := graphs[data.sizes[graphs] == 0]):
            raise BuildError(
                f"task graphs — {len(empty)} {part} graphs of {data.name} have no nodes, graph {int(empty.min())} is "
                "the first — expected one node at least — leave such graphs out, or without a label"
            )


def _moments(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and deviation of the known values of each column, [columns]; a deviation of 0 as 1."""
    known = ~labels.isnan()
    count = known.sum(dim=0).clamp(min=1)
    mean = labels.double().nan_to_num(0.0).sum(dim=0) / count
    off = (labels.double() - mean).nan_to_num(0.0)
    deviation = (off.square().sum(dim=0) / count).sqrt()
    return mean.to(labels.dtype), deviation.where(deviation > 0, 1).to(labels.dtype)
