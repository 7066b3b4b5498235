"""What a plug-in needs, and that the catalog's normalisers are all there."""

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor

from registry import load_plugin, normalizers
from zoo.graphs import Graph
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

BUILT_IN = [entry.name for entry in normalizers.entries() if entry.source == "built-in"]


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


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_catalog(name) -> None:
    """Every built-in name is a weight or a feature normaliser whose options are keyword-only and annotated."""
    kind = normalizers.get(name)
    positional, options = [], []
    for parameter in inspect.signature(kind).parameters.values():
        (options if parameter.kind is parameter.KEYWORD_ONLY else positional).append(parameter)
    assert all(option.annotation is not option.empty and option.default is not option.empty for option in options)
    if issubclass(kind, FeatureNormalizer):
        assert [parameter.name for parameter in positional] == ["width"]
        assert kind.site == "features" and apply(kind(16), ring(5), torch.randn(5, 16)).shape == (5, 16)
    else:
        assert issubclass(kind, WeightNormalizer) and positional == []
        normalizer, weight = kind(), torch.randn(2, 4, 3)
        normalizer.warm_up(weight)
        assert kind.site == "weight" and normalizer(weight).shape == (2, 4, 3)


def ring(nodes: int) -> Graph:
    """A ring of so many nodes, edges both ways, with self-loops."""
    here = torch.arange(nodes)
    there = (here + 1) % nodes
    return Graph.from_edges(torch.cat([here, there, here]), torch.cat([there, here, here]), nodes)


def apply(norm: Any, graph: Graph, x: Tensor) -> Tensor:
    """What a block makes of a normaliser, its input being twice what the normaliser acts on."""
    return norm(graph, x, 2 * x) if norm.reads_input else norm(graph, x)


def of_features() -> list[str]:
    """The names of the feature normalisers in the catalog."""
    return [name for name in BUILT_IN if issubclass(normalizers.get(name), FeatureNormalizer)]


@pytest.mark.parametrize("name", of_features())
def test_zero_rows(name) -> None:
    """Rows of zeros, alone or all of them, give finite values, and gradients of the size of the others'."""
    norm = normalizers.get(name)(16)
    for zero in (slice(1, 3), slice(0, 8)):
        x = torch.randn(8, 16)
        x[zero] = 0
        x.requires_grad_()
        out = apply(norm, ring(8), x)
        (out * torch.randn(8, 16)).sum().backward()
        assert out.isfinite().all()
        assert all(
            grad is not None and grad.abs().max() < 1e4 for grad in (x.grad, *(p.grad for p in norm.parameters()))
        )


@pytest.mark.parametrize("name", of_features())
def test_eval_repeats_itself(name) -> None:
    """In eval the same features give the same result, which changes neither them nor a buffer."""
    norm, x = normalizers.get(name)(16), torch.randn(8, 16)
    apply(norm, ring(8), x)
    norm.eval()
    kept, buffers = x.clone(), [buffer.clone() for buffer in norm.buffers()]
    assert torch.equal(apply(norm, ring(8), x), apply(norm, ring(8), x))
    assert torch.equal(x, kept) and all(map(torch.equal, buffers, norm.buffers()))


@pytest.mark.parametrize("name", of_features())
def test_mixed_precision(name) -> None:
    """Under autocast the result is that of float32, to the precision of bfloat16."""
    torch.manual_seed(0)
    norm, x = normalizers.get(name)(16), torch.randn(64, 16)
    expected = apply(norm, ring(64), x)
    with torch.autocast("cpu", torch.bfloat16):
        actual = apply(norm, ring(64), x.bfloat16())
    assert actual.isfinite().all()
    torch.testing.assert_close(actual.float(), expected, rtol=0.03, atol=0.06)


@pytest.mark.parametrize("name", [name for name in of_features() if name not in ("batch", "instance")])
def test_one_node(name) -> None:
    """A graph of one node gives finite features; statistics over the nodes of PyTorch's own need two."""
    assert apply(normalizers.get(name)(16), ring(1), torch.randn(1, 16)).isfinite().all()
