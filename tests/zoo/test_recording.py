"""The record of machine and programs."""

import torch

import zoo
from zoo.recording import environment_of


def test_the_record_names_what_decides_the_bits(monkeypatch):
    """Compilers, CUDA, the processor and its instructions, threads, and the variables that are set; None if absent."""
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    monkeypatch.delenv("OMP_DYNAMIC", raising=False)
    found = environment_of(zoo.build("smoke/mlp", device="cpu"))
    assert {"torch", "dgl", "numba", "triton"} <= set(found.versions)
    assert found.versions["numba"]
    assert found.device["type"] == "cpu"
    assert found.device["cuda"] == torch.version.cuda
    assert all(found.device[key] for key in ("cpu", "instructions"))
    assert found.variables["MKL_NUM_THREADS"] == "3"
    assert "OMP_DYNAMIC" not in found.variables
    assert found.code and found.zoo == zoo.__version__
    assert found.data["digest"].startswith("blake2b:")
    assert found.split["digest"].startswith("blake2b:")
