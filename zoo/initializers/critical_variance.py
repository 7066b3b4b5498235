"""Weights at the transition to networks that do not oversmooth."""

import math
from typing import Literal

from scipy.optimize import brentq
from torch import Tensor

from zoo.errors import BuildError
from zoo.graph_like import GraphLike, Norm
from zoo.initializers.base import GraphInitializer
from zoo.recipe.fields import Positive

_SMALLEST = 1e-3


class CriticalVariance(GraphInitializer):
    """W ~ N(0, σ_w²/fan_in), with σ_w² where differences between nodes neither die out nor grow; biases are zero.

    In wide GCNs at initialisation the covariance K of the nodes follows K ← σ_w² Â C(K) Âᵀ, C being the activation's
    kernel. Linearised where all nodes are equal, a difference along an eigenvector of Â is multiplied by σ_w² χ λ² in
    each block, with λ the eigenvalue and χ the kernel's slope: below σ_w² = 1/(χλ²) for the largest |λ| < 1 the nodes
    become equal, above they do not. χ is 1/2 for relu, hence σ_w² = 2/λ²; for erf(√π x/2), which is much like tanh, it
    is 1/√(1+πk) at the fixed point k = σ_w² (2/π) arcsin(k/(2/π + k)).

    With relu nothing saturates: absolute differences last, and their share of K falls as λ² each block for any σ_w².

    Options: sigma_w2: σ_w², a number or "critical"; activation: which kernel the critical value is for. λ is taken off
    the limit subspace of the block's propagation, per component; it is 1 without propagation. For norm "sum", whose
    rows do not add up to 1, the value for erf is not meant.
    Raises: BuildError for "critical" on a directed graph, or where one propagation step makes all nodes equal.
    Source: Epping, René, Helias & Schaub, NeurIPS 2024 (arXiv 2406.02269), for erf and a doubly stochastic Â; λ per
    component, relu, and the closed form for erf are worked out here.
    """

    def __init__(
        self, *, sigma_w2: Positive | Literal["critical"] = "critical", activation: Literal["relu", "erf"] = "relu"
    ) -> None:
        super().__init__()
        self.sigma_w2: float | Literal["critical"] = sigma_w2
        self.activation: Literal["relu", "erf"] = activation

    def fill(self, weight: Tensor, graph: GraphLike, *, fan_in: int, propagation: Norm | None) -> None:
        """Draw from the normal distribution."""
        variance = self.sigma_w2
        if variance == "critical":
            variance = critical_variance(self.measured(graph, propagation), self.activation)
        weight.normal_(0.0, math.sqrt(variance / fan_in))

    def chosen(self) -> tuple[str, str] | None:
        """Return the critical values, with λ."""
        eigenvalues = self.found.values()
        values = ", ".join(f"σ_w² = {critical_variance(each, self.activation):.6g}" for each in eigenvalues)
        why = ", ".join(f"critical for {self.activation} at λ = {each:.6g}" for each in eigenvalues)
        return (values, why) if eigenvalues else None

    def measure(self, graph: GraphLike, propagation: Norm | None) -> float:
        """Return λ."""
        eigenvalue = largest_eigenvalue(graph, propagation)
        if eigenvalue < _SMALLEST:
            raise BuildError(
                "initializer.critical-variance — one propagation step makes all nodes of a component equal, and no "
                "variance undoes it — expected sigma_w2 as a number"
            )
        return eigenvalue


def critical_variance(eigenvalue: float, activation: Literal["relu", "erf"]) -> float:
    """Return σ_w² at which a difference along an eigenvector with that |eigenvalue|, in (0, 1], keeps its size."""
    square = eigenvalue**2
    if activation == "relu":
        return 2 / square
    if square == 1:
        return 1.0

    def excess(log_k: float) -> float:
        k = math.exp(log_k)
        return _erf_kernel(k) * math.sqrt(1 + math.pi * k) / k - square

    k = math.exp(float(brentq(excess, -30.0, 2 * math.log(4 / square))))  # pyright: ignore[reportArgumentType]
    return math.sqrt(1 + math.pi * k) / square


def _erf_kernel(k: float) -> float:
    """Return E[φ(h)²] for h ~ N(0, k) and φ(h) = erf(√π h/2)."""
    return 2 / math.pi * math.asin(k / (2 / math.pi + k))


def largest_eigenvalue(graph: GraphLike, propagation: Norm | None) -> float:
    """Return the largest |eigenvalue| of the propagation off its limit subspace; 1 without propagation.

    Raises: BuildError on a directed graph, whose propagation has no such basis of eigenvectors.
    """
    if propagation is None:
        return 1.0
    # Means, D⁻¹A, have the eigenvalues of D^(-1/2) A D^(-1/2), to which they are similar.
    symmetric = "sum" if propagation == "sum" else "both"
    try:
        return graph.second_eigenvalue(symmetric)
    except BuildError as error:
        raise BuildError(f"initializer.critical-variance — {error}, or sigma_w2 as a number") from error
