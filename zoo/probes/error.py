"""The error at the network's output."""

import torch
from torch import Tensor

from zoo.probes.base import ErrorProbe


class OutputError(ErrorProbe):
    """The error E = ∂L/∂Z at the network's output Z, [nodes, classes], and how much of it is the same for all nodes.

    Once the last layer is trained the mean error is gone, and where back-propagation leaves nothing but the mean, so is
    every gradient before it: the whole network stands still although the loss is high (Keriven, arXiv 2505.16736).

    Names: `errors.norm`, ‖E‖_F; `errors.mean`, ‖(1/n) Σ_i E_i‖_2; `errors.mean_share`, the share ‖1γ_E‖_F/‖E‖_F of the
    mean in the whole, in [0, 1].
    """

    def measure(self, error: Tensor) -> dict[str, Tensor]:
        """The three numbers."""
        whole = torch.linalg.vector_norm(error)
        mean = torch.linalg.vector_norm(error.mean(dim=0))
        return {"errors.norm": whole, "errors.mean": mean, "errors.mean_share": mean * len(error) ** 0.5 / whole}
