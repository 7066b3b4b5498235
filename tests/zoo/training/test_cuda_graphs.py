"""Steps that a GPU repeats by itself: the same trainings as without, and a reason where that cannot be."""

import json

import pytest
import torch

import zoo
from zoo.errors import TrainingError
from zoo.training.cuda_graphs import CudaGraphs

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
SMALL = {"training.duration": "40 epochs", "probes": "none", "model.depth": 6}


def sgd():
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)


def test_other_devices_take_their_steps_one_by_one():
    """On a CPU the parts of a step are what was given, and nothing is said of it."""
    graphs = CudaGraphs("auto", torch.device("cpu"), sgd(), lambda: None)
    assert graphs.parts(len, repr, settled=True) == [len, repr]
    assert graphs.evaluation(lambda: torch.zeros(1)) is None and graphs.summary is None


def test_always_is_an_error_where_it_cannot_be():
    """Who insists is told why it cannot be done, and what can."""
    with pytest.raises(TrainingError, match=r"the device is cpu.*execution\.cuda_graphs=auto"):
        CudaGraphs("always", torch.device("cpu"), sgd(), lambda: None)


def test_what_does_not_declare_it_is_stepped():
    """The reason goes into the record; who insists is refused. Nothing of a GPU is asked for."""
    graphs = CudaGraphs("auto", torch.device("cuda"), sgd(), lambda: "Late (regularizers.0) does not declare it")
    assert graphs.summary == "steps cannot be recorded: Late (regularizers.0) does not declare it"
    assert graphs.parts(len, repr, settled=True) == [len, repr]
    assert CudaGraphs("never", torch.device("cuda"), sgd(), lambda: "no").summary == "not asked for"
    with pytest.raises(TrainingError, match=r"always, but steps cannot be recorded: Late"):
        CudaGraphs("always", torch.device("cuda"), sgd(), lambda: "Late")


@CUDA
@pytest.mark.parametrize("changes", [{}, {"model.dropout": 0.0, "training.clip": 0.5}, {"normalizer": "spectral"}])
def test_replays_are_the_steps(tmp_path, changes):
    """Losses and validations of recorded steps are those of steps taken one by one; the record says what was done."""
    changes = {**SMALL, "model.dropout": 0.0, **changes}
    runs = [
        zoo.train("hello", {**changes, "execution.cuda_graphs": asked}, runs=tmp_path / asked, device="cuda")
        for asked in ("always", "never")
    ]
    recorded, stepped = (run.metrics for run in runs)
    assert "recorded after step" in runs[0].result["cuda_graphs"]
    assert runs[1].result["cuda_graphs"] == "not asked for"
    torch.testing.assert_close(torch.tensor(recorded["loss"]), torch.tensor(stepped["loss"]), rtol=1e-3, atol=1e-4)
    assert (recorded["val"] - stepped["val"]).abs().max() <= 0.05
    assert runs[0].test == pytest.approx(runs[1].test, abs=0.05)


@CUDA
def test_dropout_draws_anew_in_every_replay(tmp_path):
    """A recorded step with dropout is another one each time: losses differ though nothing is learned."""
    changes = {**SMALL, "model.dropout": 0.5, "optimizer.lr": 1e-12, "execution.cuda_graphs": "always"}
    losses = zoo.train("hello", changes, runs=tmp_path, device="cuda").metrics["loss"]
    assert losses[10:].nunique() > 20


@CUDA
def test_learning_rates_reach_the_replays(tmp_path):
    """A schedule that ends at 0 stops a recorded training, too."""
    changes = {**SMALL, "model.dropout": 0.0, "schedule": "cosine", "execution.cuda_graphs": "always"}
    losses = zoo.train("hello", changes, runs=tmp_path, device="cuda").metrics["loss"]
    assert losses.iloc[5] != losses.iloc[6] and losses.iloc[-1] == pytest.approx(losses.iloc[-2], rel=1e-3)


@CUDA
def test_probes_are_read_between_replays(tmp_path):
    """Steps that somebody listens to are taken one by one, the others are replayed, and both are one training."""
    changes = {**SMALL, "model.dropout": 0.0, "probes": {"name": "quick", "every": "10 epochs"}}
    runs = [
        zoo.train("hello", {**changes, "execution.cuda_graphs": asked}, runs=tmp_path / asked, device="cuda")
        for asked in ("always", "never")
    ]
    recorded, stepped = ([row["gradients.mu.plain"] for row in run.probes] for run in runs)
    torch.testing.assert_close(torch.tensor(recorded), torch.tensor(stepped), rtol=1e-2, atol=1e-5)


@CUDA
def test_what_cannot_be_recorded_is_stepped(tmp_path):
    """Thinned graphs are made anew by the host in each step: the run says so, and ends as it should."""
    changes = {**SMALL, "regularizer": "drop-edge"}
    run = zoo.train("hello", changes, runs=tmp_path, device="cuda")
    assert "cannot be recorded" in run.result["cuda_graphs"]
    assert json.loads((run.path / "result.json").read_text())["status"] == "finished"
    with pytest.raises(TrainingError, match="always, but"):
        zoo.train("hello", {**changes, "execution.cuda_graphs": "always"}, runs=tmp_path / "asked", device="cuda")


@CUDA
def test_members_are_replayed_together(tmp_path):
    """Seeds that train side by side are recorded as one, and each is the training that it is alone."""
    changes = {**SMALL, "model.dropout": 0.0}
    runs = list(zoo.train_together("hello", changes, seeds=[0, 1], runs=tmp_path / "both", device="cuda"))
    for run in runs:
        assert "recorded after step" in run.result["cuda_graphs"]
        options = {**changes, "execution.cuda_graphs": "never"}
        alone = zoo.train("hello", options, seed=run.seed, runs=tmp_path / "alone", device="cuda")
        found, expected = (torch.tensor(each.metrics["loss"]) for each in (run, alone))
        torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-3)
