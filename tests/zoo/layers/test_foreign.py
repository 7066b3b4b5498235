"""Convolutions of dgl.nn under the zoo's interface."""

import inspect
from typing import Any

import pytest
import torch

from registry.name_errors import UnknownName
from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.layers.foreign import dgl_conv

MODULES: dict[str, dict[str, Any]] = {
    "GraphConv": {"norm": "right"},
    "SAGEConv": {"aggregator_type": "pool"},
    "GATConv": {"num_heads": 2},
    "GATv2Conv": {"num_heads": 2},
    "DotGatConv": {"num_heads": 3},
    "TAGConv": {"k": 3},
    "SGConv": {"k": 2},
    "ChebConv": {"k": 3},
    "GINConv": {"aggregator_type": "mean"},
    "EdgeConv": {},
    "PNAConv": {"aggregators": ["mean", "max"], "scalers": ["identity"], "delta": 1.0},
    "TWIRLSConv": {"hidden_d": 4, "prop_step": 2},
}


@pytest.mark.parametrize("name", MODULES)
def test_modules_run_and_train(name: str, graph: Any):
    """Each module maps in_width to out_width on a graph with isolated nodes, and its weights get gradients."""
    conv = dgl_conv(name)(8, 6, **MODULES[name])
    y = conv(graph, torch.randn(graph.nodes, 8))
    y.square().sum().backward()
    assert y.shape == (graph.nodes, 6)
    assert any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in conv.parameters())


def test_equals_the_bare_module(graph: Any, features: Any):
    """The adapter adds nothing: the result is the module's own, heads side by side."""
    conv, x = dgl_conv("GATConv")(4, 6, num_heads=3).double(), features(4)
    assert torch.equal(conv(graph, x), conv.module(graph.dgl, x).flatten(1))
    assert isinstance(conv.module, dgl.nn.GATConv)


@pytest.mark.parametrize("name", ["AGNNConv", "APPNPConv"])
def test_modules_without_widths_keep_them(name: str, graph: Any):
    """Modules that keep the width are refused where it changes."""
    options = {"k": 2, "alpha": 0.1} if name == "APPNPConv" else {}
    assert dgl_conv(name)(5, 5, **options)(graph, torch.randn(graph.nodes, 5)).shape == (graph.nodes, 5)
    with pytest.raises(BuildError, match="keeps the width"):
        dgl_conv(name)(5, 6, **options)


def test_the_signature_is_the_schema():
    """Two widths, then the module's own options with its defaults, without those that the adapter supplies."""
    parameters = inspect.signature(dgl_conv("GATConv")).parameters
    kinds = {name: parameter.kind.name for name, parameter in parameters.items()}
    assert [name for name in kinds if kinds[name] == "POSITIONAL_OR_KEYWORD"] == ["in_width", "out_width"]
    assert parameters["num_heads"].default is inspect.Parameter.empty
    assert parameters["negative_slope"].default == 0.2 and parameters["negative_slope"].annotation is float
    assert {"in_feats", "out_feats", "activation", "allow_zero_in_degree"}.isdisjoint(parameters)


def test_an_unknown_name_is_corrected():
    """A misspelt name raises UnknownName with the nearest one."""
    with pytest.raises(UnknownName, match=r"did you mean 'dgl\.nn\.SAGEConv'"):
        dgl_conv("SAGECov")


@pytest.mark.parametrize(("name", "lacking"), [("NNConv", "efeat"), ("DenseGraphConv", "dense adj")])
def test_modules_that_need_more_are_refused(name: str, lacking: str):
    """A module that wants edge features or a dense matrix is refused, saying what is missing."""
    with pytest.raises(BuildError, match=lacking):
        dgl_conv(name)


def test_options_the_module_refuses():
    """A value that the module refuses is a user error with the module's own words; heads have to divide the width."""
    with pytest.raises(BuildError, match="Invalid norm value"):
        dgl_conv("GraphConv")(4, 3, norm="nonsense")
    with pytest.raises(BuildError, match="nearest: 2 or 3"):
        dgl_conv("GATConv")(4, 6, num_heads=4)


def test_autocast_is_kept_out(graph: Any):
    """Under bfloat16 autocast, where dgl.nn.GATConv itself fails, the result is the float32 one."""
    conv, x = dgl_conv("GATConv")(4, 6, num_heads=2), torch.randn(graph.nodes, 4)
    expected = conv(graph, x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(conv(graph, x), expected)
        assert conv(graph, x.bfloat16()).dtype == torch.float32


def test_a_device_without_dgl_kernels_is_refused(graph: Any, monkeypatch: pytest.MonkeyPatch):
    """On a CUDA graph with a DGL built for the CPU the error says which device to take."""
    monkeypatch.setattr("zoo.layers.foreign.has_cuda", lambda: False)
    monkeypatch.setattr(graph, "device", torch.device("cuda"))
    with pytest.raises(BuildError, match="no kernels for cuda"):
        dgl_conv("GraphConv")(4, 3).forward(graph, torch.randn(graph.nodes, 4))
