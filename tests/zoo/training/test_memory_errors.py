"""Memory that runs out: one error with what was asked for, what is needed and what to do; what was saved stays."""

import gc
import re
import subprocess
import sys
import weakref

import numpy as np
import pytest
import torch

import zoo
from zoo.errors import DataBroken, TrainingError
from zoo.recipe.load import load
from zoo.runs.run import Run
from zoo.training.memory_errors import enough_memory
from zoo.training.trainer import Trainer

RECIPE = "smoke/res-gcn"
CUDA = (
    "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 79.25 GiB of which 1.20 GiB is free."
)
CPU = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "


def lacks() -> dict[str, Exception]:
    """Each library's way of saying it."""
    return {
        "torch": RuntimeError(f"{CPU}4000000000 bytes. Error code 12 (Cannot allocate memory)"),
        "cuda": torch.cuda.OutOfMemoryError(CUDA),
        "cublas": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        "numpy": np._core._exceptions._ArrayMemoryError((1 << 30,), np.dtype(np.float64)),  # pyright: ignore
        "numba": MemoryError("Allocation failed (probably too large)."),
        "python": MemoryError(),
        "system": OSError(12, "Cannot allocate memory"),
    }


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("torch", "4.0 GB more were asked for"),
        ("cuda", "2.7 GB more were asked for"),
        ("cublas", "more was asked for than there is"),
        ("numpy", "8.6 GB more were asked for"),
        ("numba", "more was asked for than there is"),
        ("python", "more was asked for than there is"),
        ("system", "more was asked for than there is"),
    ],
)
def test_every_library_is_understood(kind, asked):
    """Python, NumPy, numba, PyTorch and CUDA each have words of their own for it; the zoo has one error."""
    recipe = load(RECIPE, {"model.depth": 512, "model.width": 64})
    with pytest.raises(TrainingError) as caught, enough_memory(f"building {RECIPE}", recipe):
        raise lacks()[kind]
    said = str(caught.value)
    assert said.startswith(f"building {RECIPE} — memory ran out: {asked}; ")
    assert "model.depth=512 and model.width=64" in said
    assert "training.memory=checkpoint" in said and "task.sampler=neighbor" in said
    assert caught.value.__cause__ is not None


def test_what_is_needed_is_counted():
    """Features by blocks × nodes × width × 4 bytes, parameters four times: beside each other, to compare."""
    built = zoo.build(RECIPE, {"model.depth": 9, "model.width": 8})
    parameters = sum(parameter.numel() for parameter in built.network.parameters())
    features = {"full": 9, "checkpoint": 6}
    for memory, blocks in features.items():
        recipe = load(built.recipe, {"training.memory": memory})
        with pytest.raises(TrainingError) as caught, enough_memory("training", recipe, built.network, built.task):
            raise MemoryError
        said = str(caught.value)
        nodes = built.task.nodes_per_step
        assert f"at least {blocks * nodes * 8 * 4 / 1e6:,.1f} MB for the features of {blocks} blocks" in said
        assert f"({nodes:,} nodes × width 8), of 9 in all" in said
        assert f"about {parameters * 16 / 1e6:,.1f} MB for {parameters:,} parameters" in said
        assert ("training.memory=checkpoint" in said) == (memory == "full")


def test_batches_are_made_smaller():
    """Where there are batches of graphs the advice is a smaller one, not a sampler."""
    recipe = load("smoke/graphs", {"task.batch_size": 24})
    said = r"a smaller task\.batch_size than 24"
    with pytest.raises(TrainingError, match=said) as caught, enough_memory("training", recipe):
        raise MemoryError
    assert "sampler" not in str(caught.value)


def test_other_errors_pass():
    """A bug keeps its name and trace, and an error that is explained already its words."""
    recipe = load(RECIPE)
    for error in (RuntimeError("shapes differ"), ZeroDivisionError(), DataBroken("said")):
        with pytest.raises(type(error)) as caught, enough_memory("training", recipe):
            raise error
        assert caught.value is error


def test_another_library_that_calls_it_damage():
    """A file that could not be read for want of memory is not called damaged."""
    with pytest.raises(TrainingError, match="memory ran out"), enough_memory("building", load(RECIPE)):
        try:
            raise MemoryError
        except MemoryError as error:
            raise DataBroken("cannot be read") from error


def test_what_was_held_is_let_go_of():
    """Tensors of the calls that failed do not live as long as the error, which a notebook keeps."""
    held: list[weakref.ref] = []

    def fail() -> None:
        tensor = torch.zeros(1000)
        held.append(weakref.ref(tensor))
        raise MemoryError

    with pytest.raises(TrainingError) as caught, enough_memory("training", load(RECIPE)):
        fail()
    gc.collect()
    assert caught.value.__traceback__ is not None and held[0]() is None


@pytest.mark.parametrize("kind", ["torch", "cuda", "python"])
@pytest.mark.parametrize("at", [1, 5])
def test_a_training_goes_on_from_what_was_saved(tmp_path, monkeypatch, kind, at):
    """Memory that runs out in a step ends the run with one error; `resume` goes on, and ends as if nothing had been."""
    overrides = {"training.duration": 8, "training.save": 2}
    whole = zoo.train(RECIPE, overrides, runs=tmp_path / "whole")
    train_on = Trainer._train_on

    def fail(self, batch):
        if self.step == at:
            raise lacks()[kind]
        return train_on(self, batch)

    monkeypatch.setattr(Trainer, "_train_on", fail)
    with pytest.raises(TrainingError, match=r"training smoke/res-gcn — memory ran out: .*'zoo train … --resume'"):
        zoo.train(RECIPE, overrides, runs=tmp_path / "runs")
    monkeypatch.undo()
    resumed = zoo.train(RECIPE, overrides, runs=tmp_path / "runs", resume=True)
    assert weights(resumed) == weights(whole) and resumed.val == whole.val
    assert len(list(resumed.path.parent.glob("seed-0*"))) == (1 if at == 5 else 2)  # nothing was saved before step 2


def weights(run: Run) -> bytes:
    return (run.path / "model.safetensors").read_bytes()


def test_building_and_evaluating(tmp_path, monkeypatch):
    """They say so, too, and leave the run as it is."""
    run = zoo.train(RECIPE, runs=tmp_path)
    before = weights(run)

    def fail(*arguments, **options):
        raise lacks()["torch"]

    with monkeypatch.context() as patch:
        patch.setattr("zoo.tasks.node_classification.NodeClassification.predict", fail)
        with pytest.raises(
            TrainingError,
            match=rf"evaluating {run.path} — memory ran out: 4\.0 GB more.*features of 2 blocks.*--device cpu",
        ):
            zoo.evaluate(run)
    with monkeypatch.context() as patch:
        patch.setattr("zoo.builder.snapshot", fail)
        with pytest.raises(TrainingError, match=r"reading smoke/res-gcn — memory ran out: 4\.0 GB more"):
            zoo.train(RECIPE, runs=tmp_path, again=True)
    assert weights(run) == before


LIMITED = """
import resource, sys
import psutil
import zoo
from zoo.cli.main import main

overrides = ["dataset.nodes=3000", "model.width=64", "probes=none", "training.duration=3", "execution.threads=1"]
zoo.train("smoke/res-gcn", [*overrides, "training.duration=1"], runs=sys.argv[1])  # all is imported and compiled
limit = psutil.Process().memory_info().vms + 400 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.argv = ["zoo", "train", "smoke/res-gcn", *overrides, "model.depth=1000", "--runs", sys.argv[1], "-q"]
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are those of Linux")
def test_a_process_that_is_held_to_less(tmp_path):
    """A real limit (ulimit -v): exit code 2, one message with the figures, no trace."""
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 2, ended.stderr
    said = ended.stderr.strip().splitlines()[-1]
    assert re.search(r"error: (build|read|train)ing smoke/res-gcn — memory ran out: .* MB more were asked for", said)
    assert "the process is held to" in said and "(ulimit -v)" in said and "Traceback" not in ended.stderr
