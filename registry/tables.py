"""The tables, made from the catalog."""

from registry import catalog
from registry.core import Registry

models = Registry("models", catalog.MODELS)
convs = Registry("convs", catalog.CONVS)
residuals = Registry("residuals", catalog.RESIDUALS)
activations = Registry("activations", catalog.ACTIVATIONS)
normalizers = Registry("normalizers", catalog.NORMALIZERS)
regularizers = Registry("regularizers", catalog.REGULARIZERS)
initializers = Registry("initializers", catalog.INITIALIZERS)
embeddings = Registry("embeddings", catalog.EMBEDDINGS)
edge_embeddings = Registry("edge_embeddings", catalog.EDGE_EMBEDDINGS)
poolings = Registry("poolings", catalog.POOLINGS)
decoders = Registry("decoders", catalog.DECODERS)
probes = Registry("probes", catalog.PROBES)
controllers = Registry("controllers", catalog.CONTROLLERS)
datasets = Registry("datasets", catalog.DATASETS)
splits = Registry("splits", catalog.SPLITS)
tasks = Registry("tasks", catalog.TASKS)
metrics = Registry("metrics", catalog.METRICS)
samplers = Registry("samplers", catalog.SAMPLERS)
optimizers = Registry("optimizers", catalog.OPTIMIZERS)
schedules = Registry("schedules", catalog.SCHEDULES)

TABLES = {
    table.table: table
    for table in (
        models,
        convs,
        residuals,
        activations,
        normalizers,
        regularizers,
        initializers,
        embeddings,
        edge_embeddings,
        poolings,
        decoders,
        probes,
        controllers,
        datasets,
        splits,
        tasks,
        metrics,
        samplers,
        optimizers,
        schedules,
    )
}
