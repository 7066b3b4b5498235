"""The record of machine and programs."""

import torch

import zoo
from zoo.datasets.base import Split
from zoo.recipe.recipe import Component
from zoo.recording import environment_of, split_id
from zoo.runs.record import SplitId


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


def test_a_split_that_says_nothing_is_known_by_its_recipe():
    """A plug-in's split without family and number: its name and rule, else what the recipe has for them."""
    none = torch.zeros(0, dtype=torch.int64)
    mine = Split("mine", none, none, none)
    fixed = Component(name="random", options={"train": 0.5, "seed": 3})
    assert split_id(mine, fixed) == SplitId("random train=0.5", 3, True, "seed")
    by_seed = split_id(mine, Component(name="random", options={"train": 0.5, "seed": None}))
    assert (by_seed.number, by_seed.fixed) == (None, False)
    ruled = Split("mine", none, none, none, facts={"rule": "by year"})
    assert split_id(ruled, fixed) == SplitId("mine, by year", 3, True, "seed")
    told = Split("mine", none, none, none, family="mine, by year", number=7)
    assert split_id(told, Component(name="default")) == SplitId("mine, by year", 7, False, None)
