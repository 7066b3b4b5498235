"""What the three kinds of OGB data sets have in common once their files are arrays."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo import ogb_backend
from zoo.datasets.base import Masks, Official, Problem
from zoo.datasets.ogb.folder import Folder
from zoo.datasets.store import Content

_PROBLEMS: dict[str, Problem] = {
    "multiclass classification": "classes",
    "binary classification": "binary",
    "regression": "values",
}
BOTH = "undirected, one row each in the file; both directions listed, one after the other"
ONE = "directed, as in the file"


def official(name: str) -> Official:
    """OGB's own scoring of the data set."""
    metric, higher_is_better, score = ogb_backend.evaluator(name)
    return Official(metric, higher_is_better, "OGB's Evaluator", score)


def edges(folder: Folder, arrays: Mapping[str, NDArray]) -> tuple[Tensor, Tensor]:
    """src, dst over the nodes of all graphs, in the order of OGB's loaders: an edge, then its reverse if it has one."""
    first = np.cumsum(arrays["nodes"]) - arrays["nodes"]
    pairs = arrays["edge"] + np.repeat(first, arrays["edges"])[:, None]
    if doubled(folder):
        pairs = np.stack([pairs, pairs[:, ::-1]], axis=1).reshape(-1, 2)
    src, dst = torch.from_numpy(np.ascontiguousarray(pairs.T))
    return src, dst


def edge_values(folder: Folder, values: NDArray) -> Tensor:
    """What the file says of each edge, once for each direction that is listed."""
    return torch.from_numpy(np.repeat(values, 2, axis=0) if doubled(folder) else values)


def doubled(folder: Folder) -> bool:
    """Whether the file lists each undirected edge once."""
    return folder.meta["add_inverse_edge"] == "True"


def how(folder: Folder) -> str:
    """What a record says of the edges' direction."""
    return BOTH if doubled(folder) else ONE


def floats(values: NDArray) -> Tensor:
    """Float32 features."""
    return torch.from_numpy(values.astype(np.float32, copy=False))


def labels(
    folder: Folder, arrays: Mapping[str, NDArray], content: Callable[[], Content]
) -> tuple[Tensor, int, Problem]:
    """Labels as the zoo has them, how many classes or labels each there are, and which problem they pose.

    content: reads their file, to say what is wrong with it.
    Raises: DataBroken if one is none of the classes, or a binary one neither 0 nor 1.
    """
    problem, values = _PROBLEMS[folder.meta["task type"]], arrays["label"]
    if problem == "classes":
        classes, whole = int(folder.meta["num classes"]), np.nan_to_num(values[:, 0], nan=-1)
        if (whole != whole.astype(np.int64)).any() or whole.max(initial=-1) >= classes or whole.min(initial=0) < -1:
            raise content().broken(f"a label is not in 0 … {classes - 1}")
        return torch.from_numpy(whole.astype(np.int64)), classes, problem
    if problem == "binary" and not np.isin(values[~np.isnan(values)], (0, 1)).all():
        raise content().broken("a binary label is neither 0 nor 1")
    return floats(values), int(folder.meta["num tasks"]), problem


def masks(arrays: Mapping[str, NDArray], count: int) -> dict[str, Masks]:
    """The official split, as the one public one."""
    made = []
    for part in ("train", "valid", "test"):
        mask = torch.zeros(1, count, dtype=torch.bool)
        mask[0, torch.from_numpy(arrays[part])] = True
        made.append(mask)
    return {"public": Masks(*made)}
