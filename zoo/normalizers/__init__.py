"""Normalisers of weights and of features.

A weight normaliser bounds (or shapes) the matrices of a block; a feature normaliser acts on the node features between
blocks. A new one is a subclass with one method:

    from registry import normalizers
    from zoo.normalizers import WeightNormalizer

    @normalizers.register("mine")
    class Mine(WeightNormalizer):
        \"\"\"W divided by its largest entry.\"\"\"

        def normalize(self, weight):
            return weight / weight.abs().amax(dim=(-2, -1), keepdim=True)
"""

from zoo.normalizers.base import BoundedNormalizer, FeatureNormalizer, WeightNormalizer

__all__ = ["BoundedNormalizer", "FeatureNormalizer", "WeightNormalizer"]
