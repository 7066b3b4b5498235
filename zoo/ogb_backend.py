"""OGB's own package: the only module that says `import ogb`.

Three faults of ogb 1.3.6 are worked around, none of them in the user's `ogb`:

- `import ogb` starts a thread that asks PyPI for a newer version, without a time-out, where it can import `outdated`;
  that import fails while ours runs, and is as it was afterwards.
- `import ogb.graphproppred` and its siblings import PyG and DGL for loaders that are not needed here. The single files
  that are needed, encoders and evaluators, are run by themselves.
- The evaluator's MRR fails on NumPy arrays (`sum(dim=)`): it is given tensors.

Source: Hu et al., "Open Graph Benchmark: Datasets for Machine Learning on Graphs", NeurIPS 2020.
"""

import csv
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError

if TYPE_CHECKING:
    from torch import Tensor, nn

    Score = Callable[[Tensor, Tensor], float]

PACKAGES = {"ogbn": "nodeproppred", "ogbg": "graphproppred", "ogbl": "linkproppred"}
_ENCODERS = ("AtomEncoder", "BondEncoder")
_METRICS = {"acc": "accuracy", "ap": "average-precision"}  # OGB's short names, in the zoo's words
_UNDEFINED = "No positively labeled data"  # the beginning of OGB's message on labels of one kind only


def version() -> str:
    """Return OGB's version, e.g. "1.3.6". Raises: ZooError if ogb is missing."""
    return str(_import_ogb().__version__)


def meta(name: str) -> dict[str, str]:
    """Return the row of a data set in OGB's table: "eval metric", "num tasks", "split", "url" … Raises: KeyError."""
    return dict(_table(PACKAGES[name.partition("-")[0]])[name])


def atom_encoder(width: int) -> "nn.Module":
    """Return OGB's encoder of atoms: int64 [atoms, 9] to float [atoms, width], a sum of learned vectors by column."""
    return _encoders()["AtomEncoder"](width)


def bond_encoder(width: int) -> "nn.Module":
    """Return OGB's encoder of bonds: int64 [bonds, 3] to float [bonds, width], a sum of learned vectors by column."""
    return _encoders()["BondEncoder"](width)


def atom_categories() -> tuple[int, ...]:
    """Return the number of values of each of the nine columns that describe an atom."""
    return tuple(_part("utils", "features").get_atom_feature_dims())


def bond_categories() -> tuple[int, ...]:
    """Return the number of values of each of the three columns that describe a bond."""
    return tuple(_part("utils", "features").get_bond_feature_dims())


def evaluator(name: str) -> tuple[str, bool, "Score"]:
    """Return the official `Evaluator` of a data set: its metric's name in the zoo's words, higher is better, the score.

    The score of labels is called as score(outputs [n, classes or tasks], labels [n] or [n, tasks]), that of links as
    score(positive [links], negative [others] or [links, others]). It is NaN where it is not defined: an output that is
    not finite, nothing to score, or binary labels of one kind only.
    Raises: KeyError if OGB has no such data set.
    """
    metric = meta(name)["eval metric"]
    score = partial(_score_links if name.startswith("ogbl-") else _score_labels, name, metric)
    return _METRICS.get(metric, metric), metric != "rmse", score


def _score_labels(name: str, metric: str, outputs: "Tensor", labels: "Tensor") -> float:
    outputs, labels = _plain(outputs), labels.detach().cpu()
    if not outputs.isfinite().all():
        return float("nan")
    if metric == "acc":
        known = labels >= 0
        truth, predicted = labels[known, None], outputs[known].argmax(dim=1, keepdim=True)
        known = truth >= 0
    else:
        truth, predicted = labels, outputs
        known = ~labels.isnan()
    if not known.any():
        return float("nan")
    try:
        return float(_evaluator(name).eval({"y_true": truth.numpy(), "y_pred": predicted.numpy()})[metric])
    except RuntimeError as error:
        if str(error).startswith(_UNDEFINED):
            return float("nan")
        raise


def _score_links(name: str, metric: str, positive: "Tensor", negative: "Tensor") -> float:
    positive, negative = _plain(positive), _plain(negative)
    if not (len(positive) and positive.isfinite().all() and negative.isfinite().all()):
        return float("nan")
    found = _evaluator(name).eval({"y_pred_pos": positive, "y_pred_neg": negative})
    return float(found["mrr_list"].double().mean()) if metric == "mrr" else float(found[metric])


def _plain(scores: "Tensor") -> "Tensor":
    """Return the scores on the CPU, in a precision that NumPy has."""
    scores = scores.detach().cpu()
    return scores if scores.element_size() >= 4 else scores.float()


@cache
def _evaluator(name: str) -> Any:  # not made before it is used: the file imports scikit-learn
    return _part(PACKAGES[name.partition("-")[0]], "evaluate").Evaluator(name)


@cache
def _encoders() -> dict[str, type["nn.Module"]]:
    made = vars(_part("graphproppred", "mol_encoder"))
    for name in _ENCODERS:
        made[name].__module__ = __name__  # so that a pickled network finds its class, here
    return {name: made[name] for name in _ENCODERS}


@cache
def _table(package: str) -> dict[str, dict[str, str]]:
    """Read OGB's master.csv: a row for each property, a column for each data set."""
    with Path(_import_ogb().__path__[0], package, "master.csv").open(encoding="utf-8", newline="") as file:
        (_, *names), *rows = csv.reader(file)
    return {name: {row[0]: row[column] for row in rows} for column, name in enumerate(names, start=1)}


@cache
def _part(package: str, name: str) -> ModuleType:
    """Run one file of OGB's without the package that it stands in."""
    ogb = _import_ogb()
    spec = importlib.util.spec_from_file_location(
        f"{__name__}.{package}.{name}", Path(ogb.__path__[0], package, f"{name}.py")
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _quiet():
        spec.loader.exec_module(module)
    return module


@cache
def _import_ogb() -> ModuleType:
    if "ogb" not in sys.modules and importlib.util.find_spec("ogb") is None:
        raise ZooError("ogb — is not installed — expected ogb ≥ 1.3.6 — pip install 'ogb>=1.3.6'")
    with _quiet():
        import ogb
    return ogb


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress OGB's look for a newer version, its change of the environment, and warnings of its own code."""
    name, variable, absent = "outdated", "OUTDATED_IGNORE", object()
    before, setting = sys.modules.get(name, absent), os.environ.get(variable)
    sys.modules[name] = None  # type: ignore[assignment]  # `import outdated` raises ImportError, which OGB expects
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if before is absent:
            del sys.modules[name]
        else:
            sys.modules[name] = before  # type: ignore[assignment]
        if setting is None:
            os.environ.pop(variable, None)


def __getattr__(name: str) -> Any:
    if name in _ENCODERS:
        return _encoders()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
