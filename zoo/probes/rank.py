"""How many directions a node matrix really has."""

from collections.abc import Sequence

import torch
from torch import Tensor

from zoo.probes.base import MatrixProbe, Of
from zoo.probes.matrix import NodeMatrix


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
