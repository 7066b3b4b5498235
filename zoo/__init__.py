"""A zoo of deep graph neural networks on DGL: models, normalisers and gradient probes, composed by recipes.

    run = zoo.train("cora-res-gcn-64", {"model.depth": 128})   # a run, with its metrics as columns
    runs = zoo.train_together("hello", ["probes=none"], seeds=range(8))  # eight of them, side by side
    built = zoo.build("cora-res-gcn-64")                       # data, graph, network, task, optimizer
    network = zoo.load(run.path)                               # the trained network of a run
    found = zoo.evaluate(run.path)                             # its test figure again, and its predictions
    for network in zoo.probe("hello", depths=[2, 64]): ...     # gradients at initialisation

Importing the package is cheap, and makes `import dgl` work beside a current PyTorch.
"""

from typing import TYPE_CHECKING

from zoo.dgl_backend import install

if TYPE_CHECKING:
    from zoo.api import build, load, probe, probe_run, train
    from zoo.evaluation import evaluate
    from zoo.together import train_together

__version__ = "0.1.0"
__all__ = ["build", "evaluate", "load", "probe", "probe_run", "train", "train_together"]
_ELSEWHERE = {"evaluate": "zoo.evaluation", "train_together": "zoo.together"}

install()


def __getattr__(name: str) -> object:
    if name in __all__:
        from importlib import import_module

        return getattr(import_module(_ELSEWHERE.get(name, "zoo.api")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
