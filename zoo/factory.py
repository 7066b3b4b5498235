"""From a component of a recipe to the registered object, waiting for what the builder supplies."""

from functools import partial
from typing import Any

import torch
from torch import nn

from registry import TABLES
from zoo.contracts import of_kind
from zoo.datasets.base import GraphData, LinkData, LinkSplit, NodeData, Split
from zoo.initializers.base import Initializer
from zoo.layers.embedding import Embedding
from zoo.layers.network import Network
from zoo.layers.residual import Residual
from zoo.metrics.base import LabelMetric, LinkMetric
from zoo.normalizers.base import FeatureNormalizer, WeightNormalizer
from zoo.probes.base import Probe
from zoo.probes.steering import Controller
from zoo.recipe.options import options_of
from zoo.recipe.recipe import Component
from zoo.regularizers.base import Regularizer
from zoo.sampling.base import Sampler
from zoo.tasks.base import Task

# What the objects of each table make when they are called; activations and schedules are held against less, where they
# are used.
KINDS: dict[str, type | tuple[type, ...]] = {
    "models": Network,
    "convs": nn.Module,
    "residuals": Residual,
    "activations": nn.Module,
    "normalizers": (WeightNormalizer, FeatureNormalizer),
    "regularizers": Regularizer,
    "initializers": Initializer,
    "embeddings": Embedding,
    "edge_embeddings": nn.Module,
    "poolings": nn.Module,
    "decoders": nn.Module,
    "probes": (Probe, list, tuple),
    "controllers": Controller,
    "datasets": (NodeData, LinkData, GraphData),
    "splits": (Split, LinkSplit),
    "tasks": Task,
    "metrics": (LabelMetric, LinkMetric),
    "samplers": Sampler,
    "optimizers": torch.optim.Optimizer,
}
# What is to be returned in place of something else.
_INSTEAD = {
    "datasets": "return NodeData(name=…, src=src, dst=dst, features=…, labels=…, classes=…) of zoo.datasets.base; of a "
    "DGLGraph, src, dst = graph.edges() and features = graph.ndata['feat']",
    "splits": "return Split(name, train, val, test) of zoo.datasets.base, with int64 tensors of numbers",
}
ROLES = {"datasets": "data set", "edge_embeddings": "edge embedding"}


class Factory(partial[Any]):
    """A registered object with its options applied; what it makes is held against its table's kind."""

    table: str

    def __call__(self, /, *arguments: Any, **options: Any) -> Any:
        """Make one. Raises: ComponentError if it is something else."""
        made = super().__call__(*arguments, **options)
        if (kinds := KINDS.get(self.table)) is None:
            return made
        return of_kind(ROLES.get(self.table, self.table[:-1]), self.func, made, kinds, _INSTEAD.get(self.table, ""))


def factory(component: Component, table: str) -> Factory:
    """The registered object with its options applied, waiting for what the builder supplies.

    Options that are components themselves have become factories too.
    """
    target = TABLES[table].get(component.name)
    parameters = options_of(target)
    options: dict[str, Any] = {}
    for name, value in component.options.items():
        inner = parameters[name].table
        options[name] = factory(value, inner) if inner and isinstance(value, Component) else value
    made = Factory(target, **options)
    made.table = table
    return made
