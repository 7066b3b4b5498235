"""Metrics of classification."""

from typing import ClassVar

import torch
from torch import Tensor

from zoo.metrics.base import Kind, LabelMetric


class Accuracy(LabelMetric):
    """The share of nodes or graphs whose largest logit is that of their class."""

    name = "accuracy"
    kinds: ClassVar[tuple[Kind, ...]] = ("classes",)

    def score(self, outputs: Tensor, labels: Tensor) -> float:
        """NaN where a logit is not finite: the index of the largest would be that of a NaN."""
        if not len(labels) or not torch.isfinite(outputs).all():
            return float("nan")
        return float((outputs.argmax(dim=1) == labels).double().mean())

    def chance(self, labels: Tensor) -> float:
        """The share of the most frequent class."""
        return float(torch.bincount(labels).max()) / len(labels) if len(labels) else 0.0


class ROCAUC(LabelMetric):
    """Area under the receiver operating characteristic: the probability that a positive ranks above a negative.

    Of two classes by the difference of their logits; of several binary labels the mean over those that have both a
    positive and a negative, unknown ones (NaN) left out.
    """

    name = "rocauc"
    kinds: ClassVar[tuple[Kind, ...]] = ("classes", "binary")

    @classmethod
    def defined_for(cls, kind: Kind, classes: int) -> bool:
        """Of several classes only for two."""
        return kind == "binary" or (kind == "classes" and classes == 2)

    def score(self, outputs: Tensor, labels: Tensor) -> float:
        """NaN where an output is not finite, or no label has both a positive and a negative."""
        from sklearn.metrics import roc_auc_score  # slow to import, needed by few

        if not torch.isfinite(outputs).all():
            return float("nan")
        if labels.dim() == 1:
            outputs, labels = (outputs[:, 1].double() - outputs[:, 0].double())[:, None], labels[:, None]
        areas = []
        for scores, truth in zip(outputs.double().cpu().T, labels.double().cpu().T, strict=True):
            known = ~torch.isnan(truth)
            scores, truth = scores[known], truth[known]
            if (truth == 1).any() and (truth == 0).any():
                areas.append(float(roc_auc_score(truth.numpy(), scores.numpy())))
        return sum(areas) / len(areas) if areas else float("nan")

    def chance(self, labels: Tensor) -> float:
        """½."""
        return 0.5
