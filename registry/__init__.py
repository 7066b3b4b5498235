"""Names to objects: the one place that knows what the zoo offers. Needs the standard library only."""

from registry.core import Entry, Registry
from registry.describe import Description, Option, describe
from registry.errors import BrokenEntry, DuplicateName, PluginError, RegistryError, UnknownName
from registry.plugins import load_plugin
from registry.tables import (
    TABLES,
    activations,
    controllers,
    convs,
    datasets,
    initializers,
    models,
    normalizers,
    optimizers,
    probes,
    regularizers,
    residuals,
    schedules,
    splits,
    tasks,
)

__all__ = [
    "TABLES",
    "BrokenEntry",
    "Description",
    "DuplicateName",
    "Entry",
    "Option",
    "PluginError",
    "Registry",
    "RegistryError",
    "UnknownName",
    "activations",
    "controllers",
    "convs",
    "datasets",
    "describe",
    "initializers",
    "load_plugin",
    "models",
    "normalizers",
    "optimizers",
    "probes",
    "regularizers",
    "residuals",
    "schedules",
    "splits",
    "tasks",
]
