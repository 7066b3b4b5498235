"""Node classification on one graph, full-batch or sampled."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from registry import samplers
from zoo.contracts import broken, of_kind
from zoo.datasets.base import NodeData, Split
from zoo.engine.sparse_input import mark_sparse
from zoo.graphs.graph import Graph
from zoo.layers.network import Network
from zoo.metrics.base import label_score
from zoo.recipe.fields import Count, Metric
from zoo.recipe.fields import Sampler as SamplerOption
from zoo.sampling.base import FullGraph, Sample, Sampler
from zoo.sampling.batching import TaskSetting
from zoo.tasks.base import Batch, Note, Part, Prediction, outputs_of
from zoo.tasks.label_task import LabelTask, label_loss
from zoo.tasks.layerwise import Layerwise, whole_reason


class NodeClassification(LabelTask):
    """Classify the nodes of one graph, by one of several classes or by several binary labels each, some unknown.

    metric: `auto` takes the data set's own, else a name of the table `metrics`. sampler: what a step computes on, the
    whole graph (`full`) or a sample of it. Scores are those of the whole graph, whatever the training sampled.
    inference: how these are computed, `whole` in one forward pass or `layerwise`, block by block for `chunk` nodes at a
    time: the same scores in less memory. Networks that mix all nodes in a block are run whole, and the record says so.
    """

    takes: ClassVar = {NodeData: ""}

    def __init__(
        self,
        data: NodeData,
        split: Split,
        setting: TaskSetting,
        *,
        metric: Literal["auto"] | Metric = "auto",
        sampler: SamplerOption = "full",  # pyright: ignore[reportArgumentType]
        inference: Literal["whole", "layerwise"] = "whole",
        chunk: Count = 65536,
    ) -> None:
        super().__init__(data, split, metric)
        self.graph = Graph.from_edges(data.src, data.dst, data.nodes, setting.kernel, edge_features=data.edge_features)
        self.zeros_reason: str | None = None
        make = samplers.get(sampler) if isinstance(sampler, str) else sampler
        self.sampler: Sampler = make(self.graph, split.train, setting)
        self.layerwise = Layerwise(self.graph, chunk) if inference == "layerwise" else None
        self.inference_reason = "asked for"
        self.device = self.graph.device

    @property
    def steps_per_epoch(self) -> int:
        """Samples of an epoch, one of the whole graph."""
        return self.sampler.steps

    @property
    def nodes_per_step(self) -> int:
        """Nodes of the whole graph, or of a sample where that can be told."""
        return self.sampler.nodes_per_step or self.graph.nodes

    def to(self, device: torch.device) -> "NodeClassification":
        """Move graph, features, labels and splits."""
        self.device = device
        self.graph = self.graph.to(device)
        self.sampler.to(device)
        self.features = self.features.to(device)
        self.zeros_reason = mark_sparse(self.features)
        self.labels = self.labels.to(device)
        self.index = {part: nodes.to(device) for part, nodes in self.index.items()}
        return self

    def complete(self, network: Network) -> None:
        """Prepare the sampler for the network's depth, and give up layer-wise inference if it cannot be run so."""
        self.sampler.for_blocks(len(network.blocks))
        if self.layerwise and (reason := whole_reason(network)):
            self.layerwise, self.inference_reason = None, reason

    @property
    def whole(self) -> tuple[Graph, Tensor] | None:
        """Graph and features, unless steps are samples or scores are computed layer by layer."""
        full = type(self.sampler) is FullGraph and self.layerwise is None
        return (self.graph, self.features) if full else None

    @property
    def choices(self) -> list[Note]:
        """Sparse products; labels that cannot be learned or scored; the way of inference, if chosen."""
        found = [("input", "sparse products", self.zeros_reason)] if self.zeros_reason else []
        found += self.notes
        if self.layerwise is not None:
            chosen = f"layer-wise, {self.layerwise.chunk:,} nodes at a time"
        elif self.inference_reason != "asked for":
            chosen = "whole"
        else:
            return found
        return [*found, ("inference", chosen, self.inference_reason)]

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the samples of an epoch, on the device."""
        for sample in self.sampler.epoch(epoch, start):
            yield _checked(self.sampler, sample).to(self.device)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Return the mean loss over the sample's training nodes, in float32; see `label_loss`."""
        features = self.features if batch.nodes is None else self.features[batch.nodes]
        outputs = outputs_of(network, batch.graph, features, (batch.graph.nodes, self.out_width))
        loss = label_loss(outputs[batch.rows], self.labels[batch.targets], self.problem)
        return loss if batch.weight == 1 else loss * batch.weight

    def scores(self, network: nn.Module) -> Callable[[Part], float]:
        """Score parts from one forward pass over the whole graph."""
        outputs = self._outputs(network)
        return lambda part: label_score(self.measure, outputs[self.index[part]], self.labels[self.index[part]])

    def predict(self, network: nn.Module, part: Part) -> Prediction:
        """Return logits `output` of each node of the part, its number `node` and its label."""
        nodes = self.index[part]
        outputs, labels = self._outputs(network)[nodes], self.labels[nodes]
        arrays = {"node": nodes.cpu(), "output": outputs.cpu(), "label": labels.cpu()}
        return Prediction(arrays, label_score(self.measure, outputs, labels))

    def _outputs(self, network: nn.Module) -> Tensor:
        if self.layerwise is not None and isinstance(network, Network):
            return self.layerwise(network, self.features).float()
        shape = self.graph.nodes, self.out_width
        return outputs_of(network, self.graph, self.features, shape).detach().float()


def _checked(sampler: Sampler, sample: Any) -> Sample:
    """Return the sample. Raises: ComponentError if it is none, or its rows do not go with its targets."""
    found: Sample = of_kind("sampler", sampler, sample, Sample)
    for index in (found.rows, found.targets):
        if not isinstance(index, Tensor) or index.dtype != torch.int64 or index.shape != (len(found.targets),):
            broken("sampler", sampler, "rows and targets are not alike", "int64 [targets], both")
    return found
