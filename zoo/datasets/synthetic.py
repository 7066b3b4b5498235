"""Graphs that need no file: a stochastic block model, overlapping communities, and the karate club."""

from typing import Annotated

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field
from torch import from_numpy

from zoo.datasets.base import NodeData
from zoo.datasets.pairs import distinct_draws
from zoo.datasets.store import Store
from zoo.errors import BuildError
from zoo.recipe.fields import Count, Fraction, NonNegative, Positive, Probability, Share

Ids = NDArray[np.int64]

_FACTS = {"edges": "undirected, both directions listed", "numpy": np.__version__}


def block_model(
    store: Store,
    *,
    nodes: Count = 2708,
    classes: Count = 7,
    degree: Positive = 4.0,
    homophily: Share = 0.8,
    features: Count = 64,
    signal: NonNegative = 1.0,
    imbalance: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.0,
    seed: Annotated[int, Field(ge=0)] = 0,
) -> NodeData:
    """Contextual stochastic block model of any size: by default 2,708 nodes, 10,832 edges, 7 classes.

    Graph: exactly round(nodes · degree / 2) distinct undirected edges without loops, both directions listed. Each joins
    two nodes of one class with probability `homophily`, independently; given that, all such pairs are equally likely.
    Features: x_i = m_{y_i} + z_i with z_i standard normal in every coordinate. The class means m_c have mean zero and
    lie `signal` apart, any two of them: the best classifier of two classes by features is right with probability
    Φ(signal / 2). The same options give the same graph (with the same numpy).

    nodes, classes, features: numbers. degree: mean number of neighbours. imbalance: size of the first class over that
    of the last, sizes in between falling geometrically; 1 makes them as equal as can be. seed: of the graph.
    Raises: BuildError if there are fewer nodes than classes or features than classes, or not enough pairs of nodes.
    Source: Deshpande et al., "Contextual Stochastic Block Models", NeurIPS 2018; here with a fixed number of edges.
    """
    if nodes < classes or features < classes:
        raise BuildError(
            f"dataset block-model — {classes} classes with {nodes} nodes and {features} features — expected no fewer "
            "nodes, and no fewer features, than classes"
        )
    rng = np.random.default_rng(seed)
    sizes = _class_sizes(nodes, classes, imbalance)
    edges = round(nodes * degree / 2)
    one, other = _edges(rng, sizes, edges, homophily)
    # until here the nodes were in the order of their classes
    place = rng.permutation(nodes)
    labels = np.empty(nodes, dtype=np.int64)
    labels[place] = np.repeat(np.arange(classes), sizes)
    one, other = place[one], place[other]
    src, dst = np.divmod(np.sort(np.concatenate([one * nodes + other, other * nodes + one])), nodes)
    x = rng.standard_normal((nodes, features), dtype=np.float32)
    x += _class_means(rng, classes, features, signal)[labels]
    same = float(np.mean(labels[src] == labels[dst])) if edges else None
    facts = {"source": "contextual stochastic block model", "edge homophily": same, "class sizes": sizes.tolist()}
    graph = from_numpy(src), from_numpy(dst)
    return NodeData("block-model", *graph, from_numpy(x), from_numpy(labels), classes, facts={**facts, **_FACTS})


def overlapping_blocks(
    store: Store,
    *,
    nodes: Count = 1000,
    labels: Count = 8,
    share: Fraction = 0.25,
    degree: Positive = 8.0,
    homophily: Share = 0.8,
    features: Count = 32,
    signal: NonNegative = 1.0,
    unknown: Probability = 0.0,
    seed: Annotated[int, Field(ge=0)] = 0,
) -> NodeData:
    """Overlapping communities: as many binary labels for each node, by default 8 for 1,000 nodes and 4,000 edges.

    Labels: round(share · nodes) members of each community, drawn independently; a node may be in several or in none.
    Graph: exactly round(nodes · degree / 2) distinct undirected edges without loops, both directions listed. An edge
    joins, with probability `homophily`, two members of a community, which is drawn for it; else any two nodes.
    Features: x_i = Σ_k y_ik m_k + z_i with z_i standard normal in every coordinate and m_k orthogonal, of length
    `signal`: the best classifier of a label by features alone has a ROC-AUC of Φ(signal / √2).

    unknown: the probability that a label is withheld, of each node and community; NaN then. seed: of the graph.
    Raises: BuildError if a community has fewer than two members or all nodes, or features or pairs are too few.
    """
    members = round(share * nodes)
    if not 2 <= members < nodes or features < labels:
        raise BuildError(
            f"dataset overlapping-blocks — {nodes} nodes, {members} of them in each of {labels} communities, and "
            f"{features} features — expected 2 or more members, other nodes besides, and no fewer features than labels"
        )
    rng = np.random.default_rng(seed)
    truth = np.zeros((nodes, labels), dtype=np.float32)
    belonging = np.stack([rng.choice(nodes, members, replace=False) for _ in range(labels)])
    truth[belonging, np.arange(labels)[:, None]] = 1
    low, high = _community_edges(rng, belonging, nodes, round(nodes * degree / 2), homophily)
    src, dst = np.divmod(np.sort(np.concatenate([low * nodes + high, high * nodes + low])), nodes)
    means, _ = np.linalg.qr(rng.standard_normal((features, labels)))
    x = rng.standard_normal((nodes, features)) + truth @ (signal * means.T)
    known = rng.random((nodes, labels)) >= unknown
    graph = from_numpy(src), from_numpy(dst)
    x, y = from_numpy(x.astype(np.float32)), from_numpy(np.where(known, truth, np.float32("nan")))
    facts = {"source": "overlapping communities", "labels of a node": float(truth.sum(axis=1).mean()), **_FACTS}
    return NodeData("overlapping-blocks", *graph, x, y, labels, metric="rocauc", problem="binary", facts=facts)


def karate(store: Store) -> NodeData:
    """Zachary's karate club: 34 members, 156 edges (78 friendships both ways), 2 classes.

    The features are the identity matrix [34, 34]; class 0 stayed with Mr. Hi, class 1 followed the officer.
    Source: Zachary, "An Information Flow Model for Conflict and Fission in Small Groups", 1977.
    """
    import networkx as nx

    club = nx.karate_club_graph()
    one, other = torch.tensor([(a, b) for a, b in club.edges()]).unbind(1)
    labels = torch.tensor([int(club.nodes[member]["club"] != "Mr. Hi") for member in range(len(club))])
    src, dst = torch.cat([one, other]), torch.cat([other, one])
    facts = {"source": "networkx.karate_club_graph", "edges": _FACTS["edges"]}
    return NodeData("karate", src, dst, torch.eye(len(club)), labels, 2, facts=facts)


def _class_sizes(nodes: int, classes: int, imbalance: float) -> Ids:
    """Return geometric sizes that add up to `nodes`, at least one each; the largest remainders are rounded up."""
    shares = imbalance ** -np.linspace(0.0, 1.0, classes)
    wanted = (nodes - classes) * shares / shares.sum()
    sizes = wanted.astype(np.int64)
    sizes[np.argsort(sizes - wanted, kind="stable")[: nodes - classes - sizes.sum()]] += 1
    return sizes + 1


def _class_means(rng: Generator, classes: int, features: int, signal: float) -> NDArray[np.float32]:
    """Return corners of a regular simplex with edges of length `signal`, centred at 0 and turned at random."""
    orthonormal, _ = np.linalg.qr(rng.standard_normal((features, classes)))
    corners = orthonormal.T * (signal / np.sqrt(2))
    return (corners - corners.mean(axis=0)).astype(np.float32)


def _edges(rng: Generator, sizes: Ids, edges: int, homophily: float) -> tuple[Ids, Ids]:
    """Draw distinct pairs of different nodes, which are numbered class by class."""
    nodes = int(sizes.sum())
    within = np.cumsum(sizes * (sizes - 1) // 2)  # pairs in classes 0 … c
    first_class, second_class = np.triu_indices(len(sizes), k=1)
    between = np.cumsum(sizes[first_class] * sizes[second_class])
    same = int(rng.binomial(edges, homophily))
    for kind, wanted, there in (
        ("in one class", same, int(within[-1])),
        ("in two classes", edges - same, int(between[-1]) if len(between) else 0),
    ):
        if wanted > there:
            raise BuildError(
                f"dataset block-model — {wanted} edges between nodes {kind} are wanted — expected at most {there}, as "
                f"many as there are such pairs among {nodes} nodes — lower degree or change homophily"
            )
    start = np.cumsum(sizes) - sizes
    pair, label = _block(_distinct(rng, int(within[-1]), same), within)
    low, high = _pair_below(pair)
    inner = start[label] + low, start[label] + high
    if not len(between):
        return inner
    pair, block = _block(_distinct(rng, int(between[-1]), edges - same), between)
    row, column = np.divmod(pair, sizes[second_class[block]])
    outer = start[first_class[block]] + row, start[second_class[block]] + column
    return np.concatenate([inner[0], outer[0]]), np.concatenate([inner[1], outer[1]])


def _block(numbers: Ids, ends: Ids) -> tuple[Ids, Ids]:
    """Return the place of each number in its block, and that block; blocks end at the running totals `ends`."""
    block = np.searchsorted(ends, numbers, side="right")
    return numbers - np.concatenate([[0], ends])[block], block


def _pair_below(number: Ids) -> tuple[Ids, Ids]:
    """Return the pair (low < high) at each place of (0,1), (0,2), (1,2), (0,3), …: number = high(high−1)/2 + low."""
    high = ((1 + np.sqrt(1 + 8 * number.astype(np.float64))) / 2).astype(np.int64)
    high -= number < high * (high - 1) // 2  # the root of a large number may be rounded up or down
    high += number >= (high + 1) * high // 2
    return number - high * (high - 1) // 2, high


def _distinct(rng: Generator, population: int, count: int) -> Ids:
    """Draw a uniformly random set of `count` numbers below `population`, in memory proportional to `count`."""
    if 2 * count > population:
        left = np.ones(population, dtype=bool)
        left[_distinct(rng, population, population - count)] = False
        return np.flatnonzero(left)
    return distinct_draws(count, lambda missing: rng.integers(population, size=missing + missing // 8 + 16))


def _community_edges(rng: Generator, belonging: Ids, nodes: int, edges: int, homophily: float) -> tuple[Ids, Ids]:
    rounds = iter(range(100))

    def draw(missing: int) -> Ids:
        if next(rounds, None) is None:
            raise BuildError(
                f"dataset overlapping-blocks — {edges} edges are wanted, {edges - missing} distinct ones were found — "
                "expected a lower degree, a larger share, or a smaller homophily"
            )
        count = 2 * missing + 16
        pair = rng.integers(nodes, size=(2, count))
        community, place = rng.integers(len(belonging), size=count), rng.integers(belonging.shape[1], size=(2, count))
        pair = np.where(rng.random(count) < homophily, belonging[community, place], pair)
        low, high = pair.min(axis=0), pair.max(axis=0)
        return (low * nodes + high)[low < high]

    return np.divmod(distinct_draws(edges, draw), nodes)
