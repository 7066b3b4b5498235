"""The figures and tables of docs/theory.md: linear GCNs against their bounds, graph size, and toy graphs.

    python docs/figures/theory.py              all three, a few minutes on one core
    python docs/figures/theory.py bounds toys  some of them

Writes PNGs beside this file and prints the tables. Networks are looked at as they are initialised; nothing is trained.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import nn
from torch.nn import functional as F

import zoo
from zoo.graphs import Graph
from zoo.graphs.subspace import limit_subspace
from zoo.layers.gcn import GCNConv
from zoo.layers.residual import NoSkip
from zoo.models.stack import Stack
from zoo.probes.bounds import bounds
from zoo.probes.reading import Reading
from zoo.probes.similarity import Similarity
from zoo.probes.snapshot import snapshot
from zoo.probes.weights import WeightSpectrum

HERE = Path(__file__).parent
BLOCKS = 64
PROBES = [Similarity(subspace="plain"), Similarity(subspace="limit"), WeightSpectrum()]
BLACK, GREY, LIGHT = "black", "0.5", "0.85"

WIDTH = 64
# residual, normaliser, and v in E WᵀW = v·I
NETWORKS: dict[str, tuple[str, Any, float]] = {
    "GCN, Glorot weights": ("none", "none", 1.0),
    "GCN, orthogonal weights": ("none", {"name": "orthogonal", "c": 1.0}, 1.0),
    "residual GCN, Glorot weights": ("add", "none", 1.0),
    "residual GCN, ‖W‖_F = 0.5": ("add", {"name": "frobenius", "c": 0.5}, 0.5**2 / WIDTH),
}


def linear_network(residual: str, normalizer: Any, seed: int) -> tuple[Reading, Graph, torch.Tensor]:
    """Read 64 linear blocks on a block model of Cora's size, in float64; also the graph and G_L."""
    built = zoo.build(
        "smoke/gcn",
        {
            "dataset": {"name": "block-model", "nodes": 2708, "degree": 4.0, "seed": seed},
            "model": {
                "name": "stack",
                "conv": "gcn",
                "residual": residual,
                "depth": BLOCKS,
                "width": WIDTH,
                "activation": "identity",
            },
            "normalizer": normalizer,
            "execution": {"device": "cpu", "threads": 1},
        },
        seed=seed,
    )
    network, x, train = built.network.double(), built.data.features.double(), built.split.train
    last: list[torch.Tensor] = []

    def loss() -> torch.Tensor:
        return F.cross_entropy(network(built.graph, x)[train], built.data.labels[train])

    def keep(_block: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        output.register_hook(lambda gradient: last.append(gradient.detach()))

    with_gradient = list(network.blocks)[-1].register_forward_hook(keep)
    read = snapshot(network, PROBES, loss)
    with_gradient.remove()
    return read, built.graph, last[0]


def expected(graph: Graph, last: torch.Tensor, variance: float, *, residual: bool) -> np.ndarray:
    """√E μ_S(G_l)² over independent weights of mean 0 with E WᵀW = v·I, given G_L, by the spectrum of Â."""
    operator = graph.propagate(torch.eye(graph.nodes, dtype=torch.float64)).numpy()
    values, vectors = np.linalg.eigh((operator + operator.T) / 2)
    off = graph.subspace("limit", "both", backward=True).split(last)[0].numpy()
    energy = np.square(vectors.T @ off).sum(axis=1)
    back = np.arange(BLOCKS - 1, -1, -1)[:, None]
    return np.sqrt(((residual + variance * values**2) ** back) @ energy)


def draw_bounds() -> None:
    """Measured μ_S(G_l) within its bounds, and both ratios, for four linear networks."""
    figure = Figure(figsize=(13, 6), layout="constrained")
    axes = figure.subplots(2, 4, sharex=True)
    print("| network | seed | λ | μ_S(G_1)/μ_S(G_64) | lower | upper | expected | plain 64 → 1 | limit 64 → 1 |")
    print("|---|---|---|---|---|---|---|---|---|")
    place = np.arange(1, BLOCKS + 1)
    for column, (title, (residual, normalizer, variance)) in enumerate(NETWORKS.items()):
        for seed in range(3):
            read, graph, last = linear_network(residual, normalizer, seed)
            eigenvalue = graph.second_eigenvalue()
            mu, spectral = read["gradients.mu.limit"], read["weights.spectral"]
            lower, upper = bounds(mu[-1], list(spectral[1:]), eigenvalue, residual=residual == "add")
            assert (lower * (1 - 1e-9) <= mu).all() and (mu <= upper * (1 + 1e-9)).all()
            mean = expected(graph, last, variance, residual=residual == "add")
            plain, limit = read["gradients.ratio.plain"], read["gradients.ratio.limit"]
            print(
                f"| {title} | {seed} | {eigenvalue:.4f} | {mu[0] / mu[-1]:.3g} | {lower[0] / mu[-1]:.3g} "
                f"| {upper[0] / mu[-1]:.3g} | {mean[0] / mean[-1]:.3g} "
                f"| {plain[-1]:.3f} → {plain[0]:.3f} | {limit[-1]:.3f} → {limit[0]:.3g} |"
            )
            if seed:
                continue
            top, bottom = axes[0, column], axes[1, column]
            top.set_title(title.replace("_F", "$_F$"), fontsize=10)
            top.plot(place, upper, color=BLACK, linestyle="--", label="upper bound")
            top.plot(place, mu, color=BLACK, linewidth=2, label="measured $μ_S(G_l)$")
            top.plot(place[::4], mean[::4], "o", color=GREY, markersize=3.5, label="root mean square over weights")
            if lower[-2] > 0:
                top.plot(place, lower, color=BLACK, linestyle=":", label="lower bound")
                top.fill_between(place, lower, upper, color=LIGHT)
            bottom.plot(place, plain, color=GREY, linewidth=2, linestyle="--", label="plain ratio μ/‖G‖")
            bottom.plot(place, limit, color=BLACK, linewidth=2, label="limit ratio $μ_S$/‖G‖")
            bottom.set_ylim(5e-3, 1.3)
            for axis in (top, bottom):
                finish(axis, legend=None)
            top.set_xlabel("")
    axes[0, 0].set_ylabel("off the limit subspace")
    axes[1, 0].set_ylabel("share of the norm")
    shown = [axis.get_legend_handles_labels() for axis in (axes[0, 3], axes[1, 3])]
    handles, labels = ([item for pair in shown for item in pair[kind]] for kind in (0, 1))
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=10)
    figure.savefig(HERE / "theory-bounds.png", dpi=150)


def draw_sizes() -> None:
    """Expansion, smoothing and λ of block models from 100 to 100,000 nodes."""
    sizes = [100, 316, 1000, 3162, 10_000, 31_623, 100_000]
    found: dict[str, list[list[float]]] = {name: [] for name in ("rate", "relu", "identity", "λ")}
    models = {"rate": ("res-gcn", "relu"), "relu": ("gcn", "relu"), "identity": ("gcn", "identity")}
    for nodes in sizes:
        rows: dict[str, list[float]] = {name: [] for name in found}
        for seed in range(3):
            graph: Graph | None = None
            for name, (model, activation) in models.items():
                overrides = {
                    "dataset": {"name": "block-model", "nodes": nodes, "degree": 4.0, "seed": seed},
                    "model": {"name": model, "depth": BLOCKS, "width": 32, "activation": activation},
                    "normalizer": "none",
                    "execution": {"device": "cpu", "threads": 1},
                }
                built = zoo.build("smoke/gcn", overrides, seed=seed)
                initial, graph = built.initial, built.graph
                rate = name == "rate"
                rows[name].append(
                    initial.number("expansion_rate.limit") if rate else float(initial["gradients.ratio.limit"][0])
                )
                del built
            assert graph is not None
            rows["λ"].append(graph.second_eigenvalue())
        for name, row in rows.items():
            found[name].append(row)
        print(f"| {nodes:,} | " + " | ".join(spread(rows[name]) for name in found) + " |", flush=True)
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    rate, ratio, eigenvalue = figure.subplots(1, 3)
    points(rate, sizes, found["rate"], "o", "-", "residual GCN, relu, no normaliser")
    rate.set_ylabel("expansion rate of $μ_S(G)$ per block")
    rate.axhline(np.log(2) / 2, color=GREY, linestyle=":", label="½ ln 2")
    rate.set_ylim(0, 0.5)
    points(ratio, sizes, found["relu"], "s", "--", "GCN, relu")
    points(ratio, sizes, found["identity"], "o", "-", "GCN, identity")
    ratio.set_ylabel("limit ratio at the first of 64 blocks")
    ratio.set_ylim(0.004, 1)
    ratio.set_yscale("log")
    points(eigenvalue, sizes, found["λ"], "o", "-", "λ, largest |eigenvalue| off S")
    eigenvalue.set_ylabel("λ")
    eigenvalue.set_ylim(0.85, 1)
    for axis in (rate, ratio, eigenvalue):
        axis.set_xscale("log")
        finish(axis, legend=9, x="nodes n", logarithmic=False)
    figure.savefig(HERE / "theory-sizes.png", dpi=150)


def draw_toys() -> None:
    """Both ratios on graphs where they must differ, 64 linear blocks with orthogonal weights."""
    ring = [(i, (i + 1) % 16) for i in range(16)]
    star = [(0, i) for i in range(1, 9)]
    cliques = [(s + i, s + j) for s in (0, 8) for i in range(8) for j in range(i)]
    toys = {
        "ring of 16": (ring, 16),
        "star with 8 leaves": (star, 9),
        "two cliques of 8": (cliques, 16),
    }
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    axes = figure.subplots(1, 3, sharey=True)
    print("| graph | λ | groups | plain 64 → 1 | limit 64 → 63 → 1 |")
    print("|---|---|---|---|---|")
    for axis, (title, (pairs, nodes)) in zip(axes, toys.items(), strict=True):
        src, dst = torch.tensor([*pairs, *[(j, i) for i, j in pairs]]).T
        graph = Graph.from_edges(src, dst, nodes)
        torch.manual_seed(0)
        network = Stack(8, 8, (), conv=GCNConv, residual=NoSkip, depth=BLOCKS, width=8, activation=nn.Identity).double()
        for weight in network.block_matrices().values():
            nn.init.orthogonal_(weight)
        x, cotangent = torch.randn(2, nodes, 8, dtype=torch.float64)
        read = snapshot(network, PROBES, lambda_loss(network, graph, x, cotangent))
        plain, limit = read["gradients.ratio.plain"], read["gradients.ratio.limit"]
        eigenvalue, place = graph.second_eigenvalue(), np.arange(1, BLOCKS + 1)
        print(
            f"| {title} | {abs(eigenvalue):.4f} | {limit_subspace(graph.structure, 'both', backward=True).count} "
            f"| {plain[-1]:.3f} → {plain[0]:.3f} | {limit[-1]:.3f} → {limit[-2]:.2g} → {limit[0]:.2g} |"
        )
        axis.set_title(f"{title}, no self-loops: λ = {abs(eigenvalue):.3f}", fontsize=10)
        axis.plot(place, plain, color=GREY, linewidth=2, linestyle="--", label="plain ratio μ/‖G‖")
        axis.plot(place, limit, color=BLACK, linewidth=2, label="limit ratio $μ_S$/‖G‖")
        axis.set_ylim(1e-17, 10)
        finish(axis, legend=9)
    figure.savefig(HERE / "theory-toys.png", dpi=150)


def lambda_loss(
    network: nn.Module, graph: Graph, x: torch.Tensor, cotangent: torch.Tensor
) -> Callable[[], torch.Tensor]:
    """A loss whose gradient at the output is `cotangent`."""
    return lambda: (network(graph, x) * cotangent).sum()


def finish(axis: Axes, *, legend: float | None, x: str = "block l", logarithmic: bool = True) -> None:
    """What all panels share."""
    if logarithmic:
        axis.set_yscale("log")
    axis.set_xlabel(x)
    axis.grid(color=LIGHT, linewidth=0.5)
    if legend:
        axis.legend(fontsize=legend, framealpha=0.9)


def points(axis: Axes, sizes: list[int], rows: list[list[float]], marker: str, line: str, label: str) -> None:
    """Means, with bars from the smallest to the largest of the seeds."""
    mean = np.array([np.mean(row) for row in rows])
    bars = [mean - [min(row) for row in rows], np.array([max(row) for row in rows]) - mean]
    axis.errorbar(sizes, mean, np.maximum(bars, 0), marker=marker, linestyle=line, color=BLACK, capsize=3, label=label)


def spread(row: list[float]) -> str:
    """Mean and sample standard deviation."""
    return f"{np.mean(row):.3f} ± {np.std(row, ddof=1):.3f}"


FIGURES = {"bounds": draw_bounds, "sizes": draw_sizes, "toys": draw_toys}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:] or FIGURES:
        FIGURES[name]()
