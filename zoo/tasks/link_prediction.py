"""Link prediction on one graph, full-graph: every step computes on all nodes and learns from a batch of links."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from registry import decoders
from zoo.contracts import number, returned
from zoo.datasets.base import LinkData, LinkSplit, NodeData, Split
from zoo.datasets.pairs import Unlinked, among, pair_keys
from zoo.engine.sparse_input import mark_sparse
from zoo.errors import BuildError
from zoo.graphs.graph import Graph
from zoo.layers.embedding import Inputs
from zoo.layers.network import Network
from zoo.metrics.base import link_score
from zoo.recipe.fields import Count, Decoder, Metric
from zoo.sampling.batching import TaskSetting
from zoo.system.seeds import permutation, stream
from zoo.tasks.base import Batch, Note, Part, Prediction, Task, check_data, outputs_of
from zoo.tasks.task_metric import link_metric

# Pairs that are decoded at a time where nothing is learned from them: 64 MB for each 64 floats of a row, both ends.
_CHUNK = 2**17


@dataclass(frozen=True)
class LinkBatch:
    """Links and pairs that are none, int64 [2, …], and the graph to compute on. weight: see `batching.Share`."""

    graph: Graph
    positive: Tensor
    negative: Tensor
    weight: float = 1.0


@dataclass(frozen=True)
class Scored:
    """Pairs that a part is scored on: links [2, n], and others [2, m] or [2, n, m], as of `LinkSplit`."""

    positive: Tensor
    negative: Tensor

    def to(self, device: torch.device) -> "Scored":
        """Return the pairs on a device."""
        return Scored(self.positive.to(device), self.negative.to(device))


class LinkPrediction(Task):
    """Predict which pairs of nodes are linked: the network makes a row of each node, a decoder a logit of two rows.

    Features spread along the split's message edges and no others, in training and in evaluation alike. The loss is
    −mean log σ(s) over links − mean log(1 − σ(s)) over pairs that are drawn anew for each step: uniformly from pairs
    of different nodes that no training link or message edge joins. Nothing in training depends on val or test links.
    The train score is that of as many training links as there are of val, the same ones at all times, among the others
    of val, as in OGB's examples.

    decoder: from two rows to a logit. width: of the rows. metric: `auto` takes the data set's own, AUC for a split of a
    graph's edges. batch_size: links of a training step, unset: all; negatives: pairs drawn for each of them.
    mask_batch: take the step's own links out of the graph for that step, so that none helps to find itself.
    Source: Kipf & Welling, "Variational Graph Auto-Encoders", 2016; Hu et al., "Open Graph Benchmark", NeurIPS 2020.
    """

    takes: ClassVar = {NodeData: "split=links", LinkData: ""}

    def __init__(
        self,
        data: NodeData | LinkData,
        split: LinkSplit,
        setting: TaskSetting,
        *,
        decoder: Decoder = "hadamard-mlp",  # pyright: ignore[reportArgumentType]
        width: Count = 64,
        metric: Literal["auto"] | Metric = "auto",
        batch_size: Count | None = None,
        negatives: Count = 1,
        mask_batch: bool = False,
    ) -> None:
        check_data(type(self), data)
        _check_split(data, split)
        if mask_batch and batch_size is None:
            raise BuildError(
                "task.mask_batch — a step that learns from all links would have no edge left — expected a batch_size"
            )
        self.measure, reason = link_metric(metric, data)
        self._score_by(self.measure, reason)
        self.inputs = Inputs(data.features.shape[1], data.categories, data.embedding)
        self.out_width = width
        self.nodes, self.directed = data.nodes, split.directed
        self.graph = Graph.from_edges(
            split.message[0], split.message[1], data.nodes, setting.kernel, edge_features=_on_edges(data, split)
        )
        self.features: Tensor = data.features
        self.zeros_reason: str | None = None
        self.links = split.train
        self.unlinked = Unlinked(torch.cat([split.train, split.message], dim=1), data.nodes, directed=split.directed)
        self.parts = {
            "train": _train_part(split, setting.seed),
            "val": Scored(split.val, split.val_negative),
            "test": Scored(split.test, split.test_negative),
        }
        self.make_decoder: Callable[[int], nn.Module] = decoders.get(decoder) if isinstance(decoder, str) else decoder
        self.batching = setting.batching(split.train.shape[1], batch_size)
        self.negatives, self.seed = negatives, setting.seed
        self.edge_pairs = pair_keys(split.message, data.nodes, directed=False) if mask_batch else None

    @property
    def steps_per_epoch(self) -> int:
        """Batches of training links in an epoch."""
        return self.batching.steps

    def to(self, device: torch.device) -> "LinkPrediction":
        """Move graph, features and the pairs that are scored; training links go there batch by batch."""
        self.graph = self.graph.to(device)
        self.features = self.features.to(device)
        self.zeros_reason = mark_sparse(self.features)
        self.parts = {part: scored.to(device) for part, scored in self.parts.items()}
        self.edge_pairs = None if self.edge_pairs is None else self.edge_pairs.to(device)
        return self

    @property
    def choices(self) -> list[Note]:
        """Sparse products of features, where they are."""
        return [("input", "sparse products", self.zeros_reason)] if self.zeros_reason else []

    def complete(self, network: Network) -> None:
        """Give the network its decoder, which is trained and kept with it."""
        network.decoder = self.make_decoder(self.out_width)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, on the device; seed, epoch and batch decide the pairs that are drawn."""
        batching = self.batching
        size = batching.count if batching.size is None else batching.size
        for share in batching.epoch(epoch, start):
            # All processes draw the same pairs for the whole batch, and each takes those that go with its links.
            whole = min(size, batching.count - share.number * size)
            drawn = self.unlinked.draw(whole * self.negatives, stream(self.seed, epoch, share.number))
            mine = drawn.view(2, whole, self.negatives)[:, batching.rank :: batching.processes].flatten(1)
            positive, negative = (pairs.to(self.features.device) for pairs in (self.links[:, share.examples], mine))
            yield LinkBatch(self._masked(positive), positive, negative, share.weight)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Return mean −log σ over links plus mean −log(1 − σ) over the others, in float32; 0 without a link."""
        # In float32: a dot product is a long sum.
        rows = outputs_of(network, batch.graph, self.features, (self.nodes, None)).float()
        positive, negative = (_decode(network, rows, pairs).float() for pairs in (batch.positive, batch.negative))
        if not len(positive):
            return rows.sum() * 0
        loss = F.softplus(-positive).mean() + F.softplus(negative).mean()
        return loss if batch.weight == 1 else loss * batch.weight

    def scores(self, network: nn.Module) -> Callable[[Part], float]:
        """Score parts from one forward pass over the whole graph."""
        rows = self._rows(network)
        return lambda part: link_score(self.measure, *self._logits(network, rows, part))

    def predict(self, network: nn.Module, part: Part) -> Prediction:
        """Return each pair's nodes, `source` and `target`, its logit `score`, and its `label`, 1 of a link, else 0."""
        positive, negative = self._logits(network, self._rows(network), part)
        pairs = [self.parts[part].positive, self.parts[part].negative.flatten(1)]
        score = torch.cat([positive, negative.flatten()])
        label = torch.arange(len(score)) < len(positive)
        source, target = torch.cat(pairs, dim=1).cpu()
        arrays = {"source": source, "target": target, "score": score.cpu(), "label": label.to(torch.int64)}
        return Prediction(arrays, link_score(self.measure, positive, negative))

    def chance(self, part: Part) -> float:
        """Return the metric's chance for as many links and others."""
        scored = self.parts[part]
        chance = self.measure.chance(scored.positive.shape[1], scored.negative.shape[-1])
        return number("metric", self.measure, chance, "its chance")

    def _masked(self, links: Tensor) -> Graph:
        if self.edge_pairs is None:
            return self.graph
        own = pair_keys(links, self.nodes, directed=False).sort().values
        return self.graph.edge_subgraph(~among(self.edge_pairs, own))

    def _rows(self, network: nn.Module) -> Tensor:
        return outputs_of(network, self.graph, self.features, (self.nodes, None)).detach().float()

    @torch.no_grad()
    def _logits(self, network: nn.Module, rows: Tensor, part: Part) -> tuple[Tensor, Tensor]:
        """Return logits of a part's links and of the others, in the shape of these."""
        both = []
        for pairs in (self.parts[part].positive, self.parts[part].negative):
            chunks = pairs.flatten(1).split(_CHUNK, dim=1)
            both.append(torch.cat([_decode(network, rows, chunk).float() for chunk in chunks]).view(pairs.shape[1:]))
        return both[0], both[1]


def _decode(network: Any, rows: Tensor, pairs: Tensor) -> Tensor:
    # In half precision most logits would tie, and their ranks with them.
    with torch.autocast(rows.device.type, enabled=False):
        logits = network.decoder(rows[pairs[0]], rows[pairs[1]])
    return returned("decoder", network.decoder, logits, (pairs.shape[1],), rows, "[pairs]", any_float=True)


def _check_split(data: NodeData | LinkData, split: LinkSplit | Split) -> None:
    if not isinstance(split, LinkSplit):
        nearest = "links" if isinstance(data, NodeData) else "default"
        raise BuildError(f"task links — split {split.name} is of nodes — expected one of links — split={nearest}")


def _on_edges(data: NodeData | LinkData, split: LinkSplit) -> Tensor | None:
    """Return the edges' features, where the message edges are the data's own."""
    if data.edge_features is None or torch.equal(split.message, torch.stack([data.src, data.dst])):
        return data.edge_features
    raise BuildError(
        f"task links — edges of {data.name} have features, and split {split.name} keeps only some edges — expected "
        "plain edges — prepare.edge_features=drop"
    )


def _train_part(split: LinkSplit, seed: int) -> Scored:
    """Return as many training links as val has, or all, chosen once, with the others of val.

    Others that are drawn would do less well: those that training spares may be links of val or test.
    """
    links = split.train[:, permutation(split.train.shape[1], seed)[: split.val.shape[1]]]
    others = split.val_negative
    if others.dim() == 3:  # of each link its own: its source with another target
        target = others[1, : links.shape[1]]
        others = torch.stack([links[0, :, None].expand_as(target), target])
    return Scored(links, others)
