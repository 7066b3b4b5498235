"""Smoothness of node matrices: Dirichlet energy, mean cosine distance, effective rank."""

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor

from zoo.graphs.graph import Graph
from zoo.probes.base import MatrixProbe, NodeMatrix, Of

# Edges are taken in turns that make no more than so many numbers at once.
_NUMBERS = 2**22


class Dirichlet(MatrixProbe):
    """Dirichlet energy ½ Σ_(i,j)∈E ‖y_i − y_j‖² over the directed edges: each undirected edge counts once.

    normalization: "degree", y_i = x_i/√d_i with d the degree as the graph has it (d+1 of the graph without its
    self-loops); "none", y = x; "relative", the first divided by ‖X‖_F², which lies in [0, 2] on undirected graphs.
    Published codes also take its root or divide by the number of nodes; nothing of that is done here.

    of: as for `similarity`. Name: `<of>.dirichlet.<normalization>`.
    """

    def __init__(
        self, *, of: Of = "representations", normalization: Literal["degree", "none", "relative"] = "degree"
    ) -> None:
        super().__init__(of=of)
        self.normalization: Literal["degree", "none", "relative"] = normalization

    def reduce(self, matrix: NodeMatrix) -> Sequence[Tensor]:
        """The energy, a scalar."""
        graph, x = matrix.graph, matrix.x
        if self.normalization == "none":
            return [_energy(graph, x)]
        degree = graph.in_degrees.clamp(min=1).to(x.dtype)
        energy = _energy(graph, x * degree.rsqrt()[:, None])
        return [energy / x.square().sum() if self.normalization == "relative" else energy]

    def finish(self, reduced: Sequence[Sequence[Tensor]]) -> dict[str, Tensor]:
        """The energies of all blocks."""
        return {f"dirichlet.{self.normalization}": torch.stack([energy for (energy,) in reduced])}


class MAD(MatrixProbe):
    """Mean cosine distance 1 − cos(x_i, x_j) over the edges that join two nodes (Chen et al., AAAI 2020, eq. 2–4).

    Each edge counts alike; the paper averages over each node's neighbours first. A zero row has cosine 0 with others.

    of: as for `similarity`. Name: `<of>.mad.edges`.
    """

    columns = ("mad.edges",)

    def __init__(self, *, of: Of = "representations") -> None:
        super().__init__(of=of)

    def reduce(self, matrix: NodeMatrix) -> Sequence[Tensor]:
        """The mean distance, a scalar; NaN on a graph whose edges are all self-loops."""
        graph = matrix.graph
        length = torch.linalg.vector_norm(matrix.x, dim=1, keepdim=True)
        unit = matrix.x / torch.where(length > 0, length, torch.ones_like(length))
        # 1 − cos = ½‖u_i − u_j‖² for unit vectors: no difference of nearly equal numbers.
        missing = 1 - (length > 0).to(unit.dtype).squeeze(1)
        ends = graph.structure.src, graph.structure.dst
        apart = (ends[0] != ends[1]).to(unit.dtype)
        half = 0.5 * sum(missing.index_select(0, end) @ apart for end in ends)
        return [(_energy(graph, unit) + half) / apart.sum()]


def _energy(graph: Graph, y: Tensor) -> Tensor:
    total = y.new_zeros(())
    for src, dst in _edges(graph, y.shape[1]):
        difference = y.index_select(0, src).sub_(y.index_select(0, dst))
        total += 0.5 * difference.square_().sum()
    return total


def _edges(graph: Graph, width: int) -> Iterator[tuple[Tensor, Tensor]]:
    structure = graph.structure
    step = max(1, _NUMBERS // max(1, width))
    for start in range(0, structure.edges, step):
        yield structure.src[start : start + step], structure.dst[start : start + step]


class Rank(MatrixProbe):
    """Effective rank exp(H(σ/Σσ)) (Roy & Vetterli, EUSIPCO 2007, eq. 4) and numerical rank ‖X‖_F²/‖X‖_2².

    σ: the singular values, from the Gram matrix [width, width] in float64: those below about 1e-7 of the largest are
    noise and count as 0.

    of: as for `similarity`. Names: `<of>.rank.effective`, `<of>.rank.numerical`.
    """

    def __init__(self, *, of: Of = "representations") -> None:
        super().__init__(of=of)

    def reduce(self, matrix: NodeMatrix) -> Sequence[Tensor]:
        """The Gram matrix."""
        return [matrix.gram]

    def finish(self, reduced: Sequence[Sequence[Tensor]]) -> dict[str, Tensor]:
        """Both ranks; NaN of a zero matrix, and of one that is not finite."""
        effective = torch.full((len(reduced),), float("nan"), dtype=torch.float64, device=reduced[0][0].device)
        numerical = effective.clone()
        by_width: dict[int, list[int]] = {}
        for place, (gram,) in enumerate(reduced):
            by_width.setdefault(len(gram), []).append(place)
        for places in by_width.values():
            grams = torch.stack([reduced[place][0] for place in places])
            bad = ~torch.isfinite(grams).all(dim=(1, 2))
            squares = torch.linalg.eigvalsh(torch.where(bad[:, None, None], 0.0, grams))
            noise = grams.shape[1] * torch.finfo(squares.dtype).eps * squares[:, -1:]
            squares = torch.where(squares > noise, squares, 0.0)
            share = squares.sqrt() / squares.sqrt().sum(1, keepdim=True)
            index = torch.tensor(places, device=effective.device)
            effective[index] = torch.special.entr(share).sum(1).exp()
            numerical[index] = squares.sum(1) / squares.amax(1)
        return {"rank.effective": effective, "rank.numerical": numerical}
