"""Labels of nodes or graphs: what is minimised, for each kind of them."""

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.datasets.base import Problem


def label_loss(outputs: Tensor, labels: Tensor, problem: Problem) -> Tensor:
    """The mean loss, in float32: cross-entropy of classes, binary cross-entropy of binary labels, squares of values.

    outputs: [n, classes or labels each]; labels: as of `NodeData`. Unknown labels (NaN) count for nothing. Without any
    known label the loss is 0.
    """
    outputs = outputs.float()
    if problem == "classes":
        return F.cross_entropy(outputs, labels) if len(labels) else outputs.sum() * 0
    known = ~torch.isnan(labels)
    # Masked and not picked out: how many there are is for a GPU to know, and a host that asks would wait for it. The
    # outputs are masked before, or the gradient of one that is not finite, times 0, would be NaN.
    kind = F.binary_cross_entropy_with_logits if problem == "binary" else F.mse_loss
    each = kind(torch.where(known, outputs, 0.0), torch.where(known, labels, 0.0).float(), reduction="none")
    return torch.where(known, each, 0.0).sum() / known.sum().clamp(min=1)
