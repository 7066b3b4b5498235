"""A graph whose nodes have several binary labels, made on the spot: overlapping communities."""

from typing import Annotated

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from zoo.datasets.base import NodeData
from zoo.datasets.store import Store
from zoo.errors import BuildError
from zoo.recipe.fields import Count, Fraction, NonNegative, Positive, Probability, Share

Ids = NDArray[np.int64]


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

    Labels: round(share · nodes) members of each community, drawn without regard to the others, so that a node may be in
    several or in none.
    Graph: exactly round(nodes · degree / 2) distinct undirected edges without loops, both directions listed. An edge
    joins, with probability `homophily`, two members of a community, which is drawn for it; else any two nodes.
    Features: x_i = Σ_k y_ik m_k + z_i with z_i standard normal in every coordinate and m_k orthogonal, of length
    `signal`: the best classifier of a label by features alone has a ROC-AUC of Φ(signal / √2).
    Nothing depends on anything but these options, so a seed gives the same graph again (with the same numpy).

    unknown: the probability that a label is withheld, of each node and community; NaN then. seed: of the graph.
    Raises: BuildError if a community has fewer than two members or is everybody, there are fewer features than labels,
    or not pairs enough.
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
    low, high = _edges(rng, belonging, nodes, round(nodes * degree / 2), homophily)
    src, dst = np.divmod(np.sort(np.concatenate([low * nodes + high, high * nodes + low])), nodes)
    means, _ = np.linalg.qr(rng.standard_normal((features, labels)))
    x = rng.standard_normal((nodes, features)) + truth @ (signal * means.T)
    known = rng.random((nodes, labels)) >= unknown
    return NodeData(
        name="overlapping-blocks",
        src=torch.from_numpy(src),
        dst=torch.from_numpy(dst),
        features=torch.from_numpy(x.astype(np.float32)),
        labels=torch.from_numpy(np.where(known, truth, np.float32("nan"))),
        classes=labels,
        metric="rocauc",
        problem="binary",
        facts={
            "source": "overlapping communities",
            "edges": "undirected, both directions listed",
            "labels of a node": float(truth.sum(axis=1).mean()),
            "numpy": np.__version__,
        },
    )


def _edges(rng: Generator, belonging: Ids, nodes: int, edges: int, homophily: float) -> tuple[Ids, Ids]:
    """So many distinct pairs low < high, from draws with repetition in which each pair counts where it comes first."""
    drawn = np.empty(0, dtype=np.int64)
    for _ in range(100):
        _, first = np.unique(drawn, return_index=True)
        drawn = drawn[np.sort(first)]
        if len(drawn) >= edges:
            return np.divmod(drawn[:edges], nodes)
        count = 2 * (edges - len(drawn)) + 16
        pair = rng.integers(nodes, size=(2, count))
        community, place = rng.integers(len(belonging), size=count), rng.integers(belonging.shape[1], size=(2, count))
        pair = np.where(rng.random(count) < homophily, belonging[community, place], pair)
        low, high = pair.min(axis=0), pair.max(axis=0)
        drawn = np.concatenate([drawn, (low * nodes + high)[low < high]])
    raise BuildError(
        f"dataset overlapping-blocks — {edges} edges are wanted, {len(drawn)} distinct ones were found — expected a "
        "lower degree, a larger share, or a smaller homophily"
    )
