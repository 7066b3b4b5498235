"""Kaiming's initialisation with propagation taken into account."""

import math
from typing import Literal

import torch
from torch import Tensor

from zoo.graph_like import GraphLike, Norm
from zoo.initializers.base import GraphInitializer
from zoo.recipe.fields import Share


class GInit(GraphInitializer):
    """W ~ N(0, gain/(fan_in·q)), where q is what a propagation step leaves of the variance of activations.

    Kaiming's argument, that x_{l+1} should vary as x_l does, for y_i = Σ_j Â_ij x_j W: the variance of y is
    fan_in·Var(W)·E[(Σ_j Â_ij x_j)²], and x = relu(y) halves it, whence a gain of 2 (1 for the identity). Neighbours
    share W, so their mixed terms do not cancel: E[x_j x_k] = κ(r) E[x²] for pre-activations of correlation r, with
    κ(r) = r for the identity and the arc-cosine kernel (√(1−r²) + r(π − arccos r))/π for relu, 1/π at r = 0 and 1 at
    r = 1. Taken over the profile E[x_j²] ∝ p_j in which propagation comes to rest,

        q = Σ_i [(1−κ) Σ_j Â_ij² p_j + κ (Σ_j Â_ij √p_j)²] / Σ_j p_j.

    For 1/√(d_i d_j), p = d and q = κ + (1−κ)/d̄ with d̄ the mean degree, self-loops included; for means, p = 1 and
    q = κ + (1−κ)·mean(1/d); without propagation, q = 1, Kaiming's own. Propagation makes neighbours alike, so r goes to
    1 with depth: `correlation: 1` keeps the variance in the long run (there, for both, it is Kaiming's), smaller ones
    keep it in the first blocks and let it grow in later ones, by up to 1/q a block. Attention counts as a mean; a block
    that adds a second matrix (SAGE) or x itself (GIN) is not accounted for.

    Options: correlation: r, 0 to 1; activation: what the blocks have.
    Source: G-Init (Kelesis, Fotakis & Paliouras 2024, arXiv 2410.23830) is Kaiming's scheme generalised to GCNs; this
    formula is derived here from Kaiming's argument, as theirs was not at hand, and may differ from it. He et al., ICCV
    2015, eq. 10; Cho & Saul, NIPS 2009, for κ.
    """

    def __init__(self, *, correlation: Share = 1.0, activation: Literal["relu", "identity"] = "relu") -> None:
        self.gain = 2.0 if activation == "relu" else 1.0
        self.kernel = _arc_cosine(correlation) if activation == "relu" else correlation
        super().__init__()

    def fill(self, weight: Tensor, graph: GraphLike, *, fan_in: int, propagation: Norm | None) -> None:
        """Draw from the normal distribution."""
        weight.normal_(0.0, math.sqrt(self.gain / (fan_in * self.measured(graph, propagation))))

    def measure(self, graph: GraphLike, propagation: Norm | None) -> float:
        """Return q."""
        return kept_variance(graph, propagation, self.kernel)

    def chosen(self) -> tuple[str, str] | None:
        """Return the variances that were drawn with."""
        found = [f"{self.gain / kept:.4g}/fan_in" for kept in self.found.values()]
        why = ", ".join(f"propagation keeps {kept:.3g} of a variance" for kept in self.found.values())
        return (", ".join(found), why) if found else None


def kept_variance(graph: GraphLike, propagation: Norm | None, kernel: float) -> float:
    """Return q, what one propagation step leaves of the variance, at κ(r) = kernel; 1 without propagation or edges."""
    if propagation is None or not graph.edges:
        return 1.0
    inwards, outwards = (rows.lengths.double() for rows in (graph.structure.incoming, graph.structure.outgoing))
    # The squares of Â's entries are products of a factor for each row and one for each column, as the entries are.
    row = {"both": inwards, "right": inwards.square()}.get(propagation, torch.ones_like(inwards)).clamp(min=1)
    column = {"both": outwards, "left": outwards.square()}.get(propagation, torch.ones_like(outwards)).clamp(min=1)
    profile = {"both": outwards, "left": outwards.square()}.get(propagation, torch.ones_like(outwards))
    alone = graph.propagate(profile / column, "sum") / row
    together = (graph.propagate((profile / column).sqrt(), "sum") / row.sqrt()).square()
    return float(((1 - kernel) * alone + kernel * together).sum() / profile.sum())


def _arc_cosine(correlation: float) -> float:
    return (math.sqrt(1 - correlation**2) + correlation * (math.pi - math.acos(correlation))) / math.pi
