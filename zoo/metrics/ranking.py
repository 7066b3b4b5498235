"""Metrics of links: ranks of those that exist among those that do not.

All are functions of two counts for each link: how many others score above it, and how many not below it. They differ
where others tie with the link.
"""

import torch
from torch import Tensor

from zoo.metrics.base import NAN, LinkMetric
from zoo.recipe.fields import Count


class Hits(LinkMetric):
    """Hits@k, the share of links that score higher than the k-th best of the others; a tie with that one is a miss.

    With fewer than k others every link is a hit. k: of the name, `hits@20`.
    Source: Hu et al., "Open Graph Benchmark", NeurIPS 2020, section 5, and the authors' Evaluator.
    """

    range = (0.0, 1.0)

    def __init__(self, *, k: Count = 20) -> None:
        self.k = k
        self.name = f"hits@{k}"

    def score(self, positive: Tensor, negative: Tensor) -> float:
        """NaN where a score is not finite, or there is no link or no other."""
        counts = _counts(positive, negative)
        return NAN if counts is None else float((counts[1] < self.k).double().mean())

    def chance(self, links: int, others: int) -> float:
        """Return k / (others + 1): each of the others + 1 places in the order is as likely as any other."""
        return min(1.0, self.k / (others + 1))


class MRR(LinkMetric):
    """Mean reciprocal rank, the mean of 1/r with r = 1 + (above + not below)/2, which is midway where others tie.

    Source: Hu et al., "Open Graph Benchmark", NeurIPS 2020, section 5, and the authors' Evaluator.
    """

    name = "mrr"
    range = (0.0, 1.0)

    def score(self, positive: Tensor, negative: Tensor) -> float:
        """NaN where a score is not finite, or there is no link or no other."""
        counts = _counts(positive, negative)
        return NAN if counts is None else float((1 / (1 + (counts[0] + counts[1]).double() / 2)).mean())

    def chance(self, links: int, others: int) -> float:
        """Σ_{r=1}^{n} 1/(r n), n = others + 1: the mean of 1/r over ranks that are equally likely."""
        return float((1 / torch.arange(1, others + 2, dtype=torch.float64)).mean())


class AUC(LinkMetric):
    """Area under the receiver operating characteristic: the share of pairs of link and other that are in order.

    A tie counts half. Where links have others of their own, it is the mean over links.
    """

    name = "auc"
    range = (0.0, 1.0)

    def score(self, positive: Tensor, negative: Tensor) -> float:
        """NaN where a score is not finite, or there is no link or no other."""
        counts = _counts(positive, negative)
        if counts is None:
            return NAN
        return 1 - float((counts[0] + counts[1]).double().mean()) / (2 * negative.shape[-1])

    def chance(self, links: int, others: int) -> float:
        """½."""
        return 0.5


def _counts(positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor] | None:
    """Count the others that score above each link, and those not below it, int64 [links]; None if there are none.

    None as well if a score is not finite: comparisons with NaN are false, which would look like a rank.
    """
    if not positive.numel() or not negative.numel():
        return None
    if not (torch.isfinite(positive).all() and torch.isfinite(negative).all()):
        return None
    if negative.dim() == 2:
        return (negative > positive[:, None]).sum(dim=1), (negative >= positive[:, None]).sum(dim=1)
    ordered = negative.sort().values
    below, not_above = (torch.searchsorted(ordered, positive.contiguous(), right=right) for right in (False, True))
    return len(ordered) - not_above, len(ordered) - below
