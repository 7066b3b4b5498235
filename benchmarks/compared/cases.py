"""Who takes part at a point, by name; who does not, and why."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml

from compared.allocator import available
from compared.points import BASE, Point

ZOO = "zoo"
PEERS = ("dgl.nn", "pyg-cached", "pyg-sparse")
CHECKPOINT = "zoo:checkpoint"
STEPPED = "zoo:stepped"  # on a GPU, told of each kernel by the host
ON_GPU = (ZOO, STEPPED, "pyg-cached", "pyg-sparse")  # DGL's package has no kernels for it

# What the recipe of a mode of the zoo's has beside that of the point.
_MODES: dict[str, dict[str, Any]] = {
    STEPPED: {"execution.cuda_graphs": "never"},
    CHECKPOINT: {"training.memory": "checkpoint"},
}
# Floats that a training keeps for each block, by node and channel, and by edge and channel; rather too many, as they
# decide only what is not tried.
_PER_NODE = {"gcn": (2.5, 7.5), "sage": (2.5, 8.0), "gat": (7.0, 8.0)}  # the zoo, its peers
_PER_EDGE = {"gat": {"zoo": 0.3, "dgl.nn": 0.3, "pyg-cached": 1.9, "pyg-sparse": 1.9}}
# What passes edges one by one holds features of all of them for a while.
_PASSING_EDGES = {"pyg-cached": 3.0, "pyg-sparse": 1.0}


def changes(words: Sequence[str]) -> dict[str, Any]:
    """Overrides of a recipe from words such as `optimizer.lr=0.1`, their values read as YAML."""
    return {key: yaml.safe_load(value) for key, _, value in (word.partition("=") for word in words)}


def missing(name: str) -> str | None:
    """Why a contestant cannot take part at all, or None."""
    if name == CHECKPOINT and not has_memory_modes():
        return "this version has no training.memory"
    return None


def has_memory_modes() -> bool:
    """Whether recipes have `training.memory`."""
    from zoo.recipe.recipe import Training

    return "memory" in Training.model_fields


def estimate(name: str, point: Point, nodes: int, edges: int) -> float:
    """About how many bytes the activations of a training take."""
    blocks = 2 * point.depth**0.5 if name == CHECKPOINT else float(point.depth)
    ours, theirs = _PER_NODE[point.conv]
    kept = (theirs if name in PEERS else ours) * nodes + _PER_EDGE.get(point.conv, {}).get(name, 0.0) * edges
    return 4 * point.width * (blocks * kept + _PASSING_EDGES.get(name, 0.0) * edges)


def too_large(name: str, point: Point, nodes: int, edges: int) -> str | None:
    """Why a training would not fit into the memory that there is, or None."""
    needed, there = estimate(name, point, nodes, edges), 0.85 * available()
    if needed <= there:
        return None
    return f"needs about {needed / 2**30:.0f} GiB of {there / 2**30:.0f}"


def contestants(
    point: Point, names: Sequence[str], extra: Mapping[str, Any], threads: int
) -> tuple[list[Any], dict[str, str]]:
    """Those of `names` that can take part, ready to train from the same weights, the zoo first; and why others cannot.

    extra: overrides of the zoo's recipe. The zoo's own training is made in any case, as the peers copy its weights;
    where it is not among the names it is gone again before this returns.
    """
    from compared.problem import Problem
    from compared.zoo_training import ZooTraining

    def trained(name: str) -> ZooTraining:
        overrides = {**point.overrides, **_MODES.get(name, {}), **extra}
        return ZooTraining(name, BASE, overrides, largest=point.norm, threads=threads)

    left_out = {name: why for name in names if (why := missing(name))}
    names = [name for name in names if name not in left_out]
    if not names:
        return [], left_out
    ours = [name for name in names if name not in PEERS]
    made = [trained(ours[0] if ours else ZOO)]
    graph: Any = made[0].built.graph
    for name in names:
        if why := too_large(name, point, graph.nodes, graph.edges):
            left_out[name] = why
    problem = Problem.of(made[0].built, point.conv) if set(names) & set(PEERS) else None
    made += [trained(name) for name in ours[1:] if name not in left_out]
    found: list[Any] = []
    for one in made:
        if one.name in names and one.name not in left_out:
            found.append(one)
        else:
            one.close()
    if problem is not None:
        found += [peers()[name](problem) for name in names if name in PEERS and name not in left_out]
    return found, left_out


def peers() -> dict[str, Callable[[Any], Any]]:
    """The peers' trainings by name; each library is imported only if it is asked for."""

    def dgl_nn(problem: Any) -> Any:
        from compared.dgl_stack import dgl_nn as made

        return made(problem)

    def pyg_cached(problem: Any) -> Any:
        from compared.pyg_stack import pyg_cached as made

        return made(problem)

    def pyg_sparse(problem: Any) -> Any:
        from compared.pyg_stack import pyg_sparse as made

        return made(problem)

    return {"dgl.nn": dgl_nn, "pyg-cached": pyg_cached, "pyg-sparse": pyg_sparse}
