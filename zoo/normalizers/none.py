"""No weight normalisation: the baseline."""

from torch import Tensor

from zoo.normalizers.base import WeightNormalizer


class NoNormalizer(WeightNormalizer):
    """The weights as they are: W. Nothing is bounded.

    It costs nothing: `WeightNormalization` leaves it out.
    """

    same_in_training = True

    def __init__(self) -> None:
        super().__init__()

    def normalize(self, weight: Tensor) -> Tensor:
        """Return `weight` itself, not a copy."""
        return weight
