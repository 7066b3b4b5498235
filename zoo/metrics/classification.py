"""Metrics of classification."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor

from zoo.datasets.base import LabelKind
from zoo.metrics.base import NAN, LabelMetric


class Accuracy(LabelMetric):
    """The share of nodes or graphs whose largest logit is that of their class."""

    name = "accuracy"
    range = (0.0, 1.0)
    kinds: ClassVar[tuple[LabelKind, ...]] = ("classes",)

    def score(self, outputs: Tensor, labels: Tensor) -> float:
        """NaN where a logit is not finite: the index of the largest would be that of a NaN."""
        if not len(labels) or not torch.isfinite(outputs).all():
            return NAN
        return float((outputs.argmax(dim=1) == labels).double().mean())

    def chance(self, labels: Tensor) -> float:
        """The share of the most frequent class."""
        return float(torch.bincount(labels).max()) / len(labels) if len(labels) else 0.0


class F1(LabelMetric):
    """Macro F1: the mean of 2tp/(2tp + fp + fn) over the classes that occur among labels or predictions."""

    name = "f1"
    range = (0.0, 1.0)
    kinds: ClassVar[tuple[LabelKind, ...]] = ("classes",)

    def score(self, outputs: Tensor, labels: Tensor) -> float:
        """NaN where a logit is not finite."""
        if not len(labels) or not torch.isfinite(outputs).all():
            return NAN
        classes = outputs.shape[1]
        predicted = outputs.argmax(dim=1)
        right = torch.bincount(labels[predicted == labels], minlength=classes).double()
        either = torch.bincount(labels, minlength=classes) + torch.bincount(predicted, minlength=classes)
        return float((2 * right[either > 0] / either[either > 0]).mean())

    def chance(self, labels: Tensor) -> float:
        """1/K for the K classes that occur: guessing class k with probability q_k has F1_k = 2p_k q_k/(p_k + q_k), for
        p_k its share and many guesses, and the mean of these is largest at q = p.
        """
        return 1 / len(labels.unique()) if len(labels) else 0.0


class RankingMetric(LabelMetric):
    """A metric of how positives rank among all.

    Of two classes by the difference of their logits; of several binary labels the mean over those that have both a
    positive and a negative, unknown ones (NaN) left out.
    """

    range = (0.0, 1.0)
    kinds: ClassVar[tuple[LabelKind, ...]] = ("classes", "binary")

    @classmethod
    def defined_for(cls, kind: LabelKind, classes: int) -> bool:
        """True for binary labels and two classes."""
        return kind == "binary" or (kind == "classes" and classes == 2)

    @abstractmethod
    def of_one(self, scores: Tensor, truth: Tensor) -> float:
        """Return the metric of one label; scores and truth: float64 [known], on the CPU, truth of both kinds."""

    def score(self, outputs: Tensor, labels: Tensor) -> float:
        """NaN where an output is not finite, or no label has both a positive and a negative."""
        return _mean([self.of_one(scores, truth) for scores, truth in _ranked(outputs, labels)])

    def undefined(self, labels: Tensor) -> str | None:
        """Return a reason unless a label has both a positive and a negative."""
        columns = labels.double()[:, None] if labels.dim() == 1 else labels
        if bool(((columns == 0).any(dim=0) & (columns == 1).any(dim=0)).any()):
            return None
        found = [kind for value, kind in ((0, "negative"), (1, "positive")) if bool((columns == value).any())]
        if len(found) == 2:
            return "none has both a positive and a negative"
        return f"all that are known are {found[0]}" if found else "none is known"


class ROCAUC(RankingMetric):
    """Area under the receiver operating characteristic: the probability that a positive ranks above a negative."""

    name = "rocauc"

    def of_one(self, scores: Tensor, truth: Tensor) -> float:
        """The area, by scikit-learn."""
        from sklearn.metrics import roc_auc_score  # slow to import, needed by few

        return float(roc_auc_score(truth.numpy(), scores.numpy()))

    def chance(self, labels: Tensor) -> float:
        """½."""
        return 0.5


class AveragePrecision(RankingMetric):
    """Σ_k (R_k − R_{k−1}) P_k, precision P and recall R among the k highest ranked: the area under precision-recall."""

    name = "average-precision"

    def of_one(self, scores: Tensor, truth: Tensor) -> float:
        """The area, by scikit-learn."""
        from sklearn.metrics import average_precision_score

        return float(average_precision_score(truth.numpy(), scores.numpy()))

    def chance(self, labels: Tensor) -> float:
        """The share of positives, which a ranking at random has as precision at every place; the mean over labels."""
        outputs = labels.new_zeros(len(labels), 2 if labels.dim() == 1 else labels.shape[1])
        return _mean([float(truth.mean()) for _, truth in _ranked(outputs, labels)])


def _ranked(outputs: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield scores and truth, float64 [known], of each binary label that has both a positive and a negative.

    Of two classes the difference of their logits is the score. Nothing where an output is not finite.
    """
    if not torch.isfinite(outputs).all():
        return
    if labels.dim() == 1:
        outputs, labels = (outputs[:, 1].double() - outputs[:, 0].double())[:, None], labels[:, None]
    for scores, truth in zip(outputs.double().cpu().T, labels.double().cpu().T, strict=True):
        known = ~torch.isnan(truth)
        scores, truth = scores[known], truth[known]
        if (truth == 1).any() and (truth == 0).any():
            yield scores, truth


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else NAN
