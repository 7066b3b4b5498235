"""What a plug-in needs, and that the catalog's normalisers are all there."""

import inspect

import pytest
import torch

from registry import catalog, load_plugin, normalizers
from zoo.normalizers import FeatureNormalizer, WeightNormalizer
from zoo.normalizers.attach import WeightNormalization

PLUGIN = """
from registry import normalizers
from zoo.normalizers import WeightNormalizer

@normalizers.register("test-largest-entry")
class LargestEntry(WeightNormalizer):
    def normalize(self, weight):
        return weight / weight.abs().amax(dim=(-2, -1), keepdim=True)
"""


def test_plugin(tmp_path) -> None:
    """A class with one method and one decorator acts on a network's matrices in either mode."""
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN)
    load_plugin(file)
    mine = normalizers.get("test-largest-entry")
    matrices = {"a": torch.nn.Parameter(torch.randn(3, 4)), "b": torch.nn.Parameter(torch.randn(3, 4))}
    normalised = WeightNormalization(matrices, [mine])(matrices)
    assert all(weight.abs().max() == 1 for weight in normalised.values())
    WeightNormalization(matrices, [lambda: mine(mode="project")])
    assert all(weight.abs().max() == 1 for weight in matrices.values())
    normalizers.unregister("test-largest-entry")


@pytest.mark.parametrize("name", sorted(catalog.NORMALIZERS))
def test_catalog(name) -> None:
    """Every built-in name is a weight or a feature normaliser whose options are keyword-only and annotated."""
    kind = normalizers.get(name)
    positional, options = [], []
    for parameter in inspect.signature(kind).parameters.values():
        (options if parameter.kind is parameter.KEYWORD_ONLY else positional).append(parameter)
    assert all(option.annotation is not option.empty and option.default is not option.empty for option in options)
    if issubclass(kind, FeatureNormalizer):
        assert [parameter.name for parameter in positional] == ["width"]
        assert kind.site == "features" and kind(16)(None, torch.randn(5, 16)).shape == (5, 16)
    else:
        assert issubclass(kind, WeightNormalizer) and positional == []
        normalizer, weight = kind(), torch.randn(2, 4, 3)
        normalizer.warm_up(weight)
        assert kind.site == "weight" and normalizer(weight).shape == (2, 4, 3)
