"""How much the rows of a node matrix differ: the quantity that smoothing destroys and expansion blows up."""

from collections.abc import Sequence

import torch
from torch import Tensor

from zoo.graph_like import SubspaceName
from zoo.probes.base import MatrixProbe, Of
from zoo.probes.matrix import NodeMatrix


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
