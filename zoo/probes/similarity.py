"""Size and similarity of the rows of gradients and representations, which expansion and smoothing change."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from zoo.graph_like import SubspaceName
from zoo.probes.base import MatrixProbe, NodeMatrix, Of, Probe


class Similarity(MatrixProbe):
    """μ, ‖·‖_F and their ratio at each block, of gradients or representations: always the three together.

    μ(X) = ‖X − P X‖_F with P the projection onto the subspace of what counts as smooth; ratio = μ(X)/‖X‖_F ∈ [0, 1].
    μ alone cannot tell smoothing (ratio → 0) from plain vanishing (‖X‖_F → 0).

    of: gradients G_l = ∂L/∂X_l, or representations X_l, X_l being what block l puts out.
    subspace: "plain", the mean row, as in arXiv 2410.04824; "degree", in proportion to √d; "limit", where the
    propagation in use ends up, for each connected component by itself (for gradients, that of Âᵀ). On a graph of
    several components, and with symmetric weights on any, features that are smoothed to the end are not equal: only
    "limit" goes to 0 then.

    Names: `<of>.mu.<subspace>`, `<of>.norm`, `<of>.ratio.<subspace>`.
    """

    def __init__(self, *, of: Of = "gradients", subspace: SubspaceName = "plain") -> None:
        super().__init__(of=of)
        self.subspace: SubspaceName = subspace

    def reduce(self, matrix: NodeMatrix) -> Sequence[Tensor]:
        """The norms off and within the subspace."""
        return matrix.norms(self.subspace)

    def finish(self, reduced: Sequence[Sequence[Tensor]]) -> dict[str, Tensor]:
        """The triple, with ‖X‖² = μ² + ‖P X‖²."""
        mu, within = (torch.stack(list(column)) for column in zip(*reduced, strict=True))
        norm = torch.hypot(mu, within)
        return {f"mu.{self.subspace}": mu, "norm": norm, f"ratio.{self.subspace}": mu / norm}


class ExpansionRate(Probe):
    """Slope of log μ(G_l) per block towards the input, by least squares over the blocks.

    Above 0 the gradient expands on its way back, e^rate times a block; below 0 it smooths out or vanishes. Blocks whose
    μ is 0 or not finite are left out; NaN where fewer than two remain.

    subspace: which μ(G) of `similarity`; it has to be measured, too. Name: `expansion_rate.<subspace>`.
    """

    reads = "readings"

    def __init__(self, *, subspace: SubspaceName = "plain") -> None:
        self.subspace: SubspaceName = subspace

    def measure(self, readings: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The slope, a scalar."""
        mu = readings.get(f"gradients.mu.{self.subspace}")
        return {} if mu is None else {f"expansion_rate.{self.subspace}": slope(mu)}


def slope(mu: Tensor) -> Tensor:
    """−d log μ_l/dl by least squares over the positive, finite entries of mu [blocks]; computed on its device."""
    used = (mu > 0) & torch.isfinite(mu)
    weight = used.double()
    level = torch.where(used, mu, torch.ones_like(mu)).double().log()
    place = torch.arange(len(mu), dtype=torch.float64, device=mu.device)
    count = weight.sum()
    place = (place - (weight * place).sum() / count) * weight
    return -(place * level).sum() / place.square().sum()


class Finite(MatrixProbe):
    """1 where every value of a block's gradient, or output, is finite, else 0; NaN, as ever, where nothing came.

    Norms do not tell these apart: a matrix with infinities has the norm NaN, too. Name: `<of>.finite`.
    """

    columns = ("finite",)

    def reduce(self, matrix: NodeMatrix) -> Sequence[Tensor]:
        """All in one number."""
        return [torch.isfinite(matrix.x).all().to(matrix.x.dtype)]


class OutputError(Probe):
    """The error E = ∂L/∂Z at the network's output Z, [nodes, classes], and how much of it is the same for all nodes.

    Once the last layer is trained the mean error is gone, and where back-propagation leaves nothing but the mean, so is
    every gradient before it: the whole network stands still although the loss is high (Keriven, arXiv 2505.16736).

    Names: `errors.norm`, ‖E‖_F; `errors.mean`, ‖(1/n) Σ_i E_i‖_2; `errors.mean_share`, the share ‖1γ_E‖_F/‖E‖_F of the
    mean in the whole, in [0, 1].
    """

    reads = "error"

    def measure(self, error: Tensor) -> dict[str, Tensor]:
        """The three numbers."""
        whole = torch.linalg.vector_norm(error)
        mean = torch.linalg.vector_norm(error.mean(dim=0))
        return {"errors.norm": whole, "errors.mean": mean, "errors.mean_share": mean * len(error) ** 0.5 / whole}
