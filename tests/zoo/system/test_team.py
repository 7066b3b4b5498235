"""Two processes train as one does: their steps, what each sees of an epoch, and what they end with."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from registry import load_plugin
from zoo.builder import build
from zoo.errors import TrainingError
from zoo.recipe.load import load
from zoo.runs.run import Run
from zoo.system.process import prepare_process
from zoo.system.team import Team
from zoo.training.steps import training_loss

# Batches of seven training nodes on the whole graph: a sampler of which every number is known.
SEVENS = '''
import os
from registry import samplers
from zoo.errors import BuildError
from zoo.sampling.batching import Batching
from zoo.sampling.base import Sample, Sampler

@samplers.register("sevens")
class Sevens(Sampler):
    """Seven nodes at a time. Process BREAK fails in the fourth epoch."""

    def __init__(self, graph, targets, setting):
        self.graph, self.targets, self.rank = graph, targets, setting.rank
        self.batching = Batching(len(targets), 7, setting.seed, setting.rank, setting.processes)

    @property
    def steps(self):
        return self.batching.steps

    def epoch(self, epoch, start=0):
        if epoch == 3 and os.environ.get("BREAK") == str(self.rank):
            raise BuildError(f"sampler sevens — process {self.rank} fails — expected by the test")
        for share in self.batching.epoch(epoch, start):
            nodes = self.targets[share.examples]
            yield Sample(self.graph, None, nodes, nodes, share.weight)
'''

# What every process does: the gradient of a step in float64, a training, and what is left of it.
WORK = """
import sys, torch
from torch.nn import functional as F
import zoo
from registry import load_plugin
from zoo.builder import build
from zoo.recipe.load import load
from zoo.training.steps import TrainingLoss
from zoo.system.process import prepare_process
from zoo.system.team import Team
load_plugin("sevens.py")
sys.path.insert(0, ".")
from cases import CASES, in_float64, recorded

with Team.of_environment() as team:
    found = {"team": (team.rank, team.size, team.local_rank, team.local_size), "told": team.broadcast(team.rank),
             "gathered": team.gather(team.rank), "mean": float(team.mean(torch.tensor(float(team.rank))))}
    for name, (recipe, changes) in CASES.items():
        built = build(load(recipe, changes), 3, team)
        initial = {key: value.clone() for key, value in built.network.state_dict().items()}
        with prepare_process(built.process):
            drawn = float(torch.rand(()))
        with recorded(built.task) as seen:
            outcome = built.trainer().fit()
        state = built.network.state_dict()
        found[name] = dict(initial=initial, drawn=drawn, seen=seen, state=state, val=outcome.val, test=outcome.test,
                           steps=outcome.steps, status=outcome.status, c=[c for _, c in built.network.bounds()])
        if name in ("full", "sampled", "graphs"):
            built = build(load(recipe, changes), 3, team)
            with in_float64(built) as batch:
                loss = team.parallel(TrainingLoss(built.network, built.task))
                loss(batch).backward()
            found[name]["gradients"] = {key: p.grad for key, p in built.network.named_parameters()}
    run = zoo.train("smoke/res-gcn", {"task.sampler": "sevens", "model.dropout": 0.5}, runs="runs", seed=1)
    found["run"] = str(run.path)
    torch.save(found, f"{team.rank}.pt")
"""

CASES = '''
from contextlib import contextmanager
import torch
from torch.nn import functional as F
from zoo.tasks import graph_prediction, node_classification

ADAPTIVE = {"name": "frobenius", "c": {"name": "adaptive", "every": "3 steps"}, "mode": "project"}
CASES = {
    "full": ("smoke/res-gcn", {"dataset.nodes": 205}),
    "sampled": ("smoke/res-gcn", {"task.sampler": "sevens"}),
    "neighbor": ("smoke/res-gcn", {"task.sampler": {"name": "neighbor", "fanouts": 3, "batch_size": 50}}),
    "cluster": ("smoke/res-gcn", {"task.sampler": {"name": "cluster", "parts": 12}}),
    "shadow": ("smoke/res-gcn", {"task.sampler": {"name": "shadow", "batch_size": 50}}),
    "graphs": ("smoke/graphs", {"task.batch_size": 5, "normalizer": {"name": "frobenius", "c": 0.5}}),
    "links": ("smoke/links", {"optimizer": {"name": "sgd", "lr": 0.001}}),
    "dropout": ("smoke/res-gcn", {"task.sampler": "sevens", "model.dropout": 0.5}),
    "batch-norm": ("smoke/res-gcn", {"task.sampler": "sevens", "normalizer": "batch"}),
    "adaptive": ("smoke/res-gcn", {"task.sampler": "sevens", "normalizer": ADAPTIVE}),
    "diverging": ("smoke/res-gcn", {"optimizer": {"name": "sgd", "lr": 1e30}, "normalizer": "none"}),
    "patience": ("smoke/res-gcn", {"training": {"duration": "60 epochs", "patience": "3 epochs"}}),
}

def wide(outputs, labels, problem):
    return F.cross_entropy(outputs, labels) if len(labels) else outputs.sum() * 0

@contextmanager
def in_float64(built):
    """The first batch of a task, all of whose numbers are float64; its loss, too."""
    built.network.double().train()
    built.task.features = built.task.features.double()
    before = node_classification.label_loss, graph_prediction.label_loss
    node_classification.label_loss = graph_prediction.label_loss = wide
    try:
        yield next(iter(built.task.batches(0)))
    finally:
        node_classification.label_loss, graph_prediction.label_loss = before

@contextmanager
def recorded(task):
    """What the batches of an epoch hold: numbers of nodes, or the features of graphs."""
    seen, loss = [], task.loss
    def record(network, batch):
        if network.training:
            seen.append(getattr(batch, "targets", getattr(batch, "features", None)))
        return loss(network, batch)
    task.loss = record
    yield seen
'''


def work_in(folder: Path) -> Path:
    for name, text in (("sevens.py", SEVENS), ("cases.py", CASES), ("work.py", WORK)):
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return work_in(tmp_path_factory.mktemp("together"))


@pytest.fixture(scope="module")
def both(torchrun, folder) -> list[dict[str, Any]]:
    """What the two processes found."""
    process = torchrun("work.py", folder=folder)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "Warning" not in out + err
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    """`cases.py`, for what one process finds by itself."""
    cases: dict[str, Any] = {}
    exec(compile(CASES, "cases.py", "exec"), cases)
    return cases


@pytest.fixture
def sevens(folder, own_names):
    load_plugin(folder / "sevens.py")


def test_a_team_of_one_uses_nothing_of_torch_distributed(monkeypatch):
    """Without torchrun there is no process group, and each method gives back what it got."""
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    with Team.of_environment() as team:
        assert not torch.distributed.is_initialized()
        assert (team.rank, team.size, team.leads) == (0, 1, True)
        assert (team.broadcast(3), team.gather(3), team.local_rank_first(lambda: 3)) == (3, [3], 3)
        module = nn.Linear(1, 1)
        assert team.parallel(module) is module


@pytest.mark.parametrize(
    ("variables", "wrong"),
    [
        ({"WORLD_SIZE": "2"}, "RANK and MASTER_ADDR and MASTER_PORT not set"),
        ({"WORLD_SIZE": "two", "RANK": "0", "MASTER_ADDR": "here", "MASTER_PORT": "1"}, "'two'"),
    ],
)
def test_half_an_environment_is_refused(variables, wrong, monkeypatch):
    """A WORLD_SIZE that torchrun did not set is an error that says how to train alone."""
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match=rf"WORLD_SIZE.*{wrong}.*torchrun.*unset WORLD_SIZE"):
        Team.of_environment()


def test_what_is_told_and_gathered_is_alike_everywhere(both):
    """The leader's value reaches all, each one's value in the order of ranks, and the mean."""
    assert [found["team"] for found in both] == [(0, 2, 0, 2), (1, 2, 1, 2)]
    for found in both:
        assert (found["told"], found["gathered"], found["mean"]) == (0, [0, 1], 0.5)


@pytest.mark.parametrize("name", ["full", "sampled", "graphs"])
def test_the_gradient_is_that_of_one_process(both, alone, sevens, name):
    """Of the first step, in float64, the same on both and equal to one process's to 1e-10; shares are uneven."""
    recipe, changes = alone["CASES"][name]
    built = build(load(recipe, changes), 3)
    with alone["in_float64"](built) as batch:
        training_loss(built.network, built.task, batch).backward()
    expected = {key: parameter.grad for key, parameter in built.network.named_parameters()}
    largest = max(float(gradient.abs().max()) for gradient in expected.values() if gradient is not None)
    assert largest > 1e-3
    for key, gradient in expected.items():
        one, other = (found[name]["gradients"][key] for found in both)
        assert gradient is not None
        assert torch.equal(one, other)
        assert torch.allclose(one, gradient, rtol=0, atol=1e-10 * largest), key


ALL = ["full", "sampled", "neighbor", "cluster", "shadow", "graphs", "links"]
ALL += ["dropout", "batch-norm", "adaptive", "diverging", "patience"]


@pytest.mark.parametrize("name", ALL)
def test_both_end_with_the_same_network(both, name):
    """Parameters, buffers and bounds are bitwise equal on both, at the start and at the end; what is decided, too."""
    one, other = (found[name] for found in both)
    assert all(torch.equal(value, other["state"][key]) for key, value in one["state"].items())
    assert all(map(torch.equal, one["c"], other["c"]))
    if name != "adaptive":  # its c is calibrated on the share of each, and the leader's is taken
        assert all(torch.equal(value, other["initial"][key]) for key, value in one["initial"].items())
    for key in ("val", "test"):
        assert one[key] == other[key] or one[key] != one[key]
    assert (one["steps"], one["status"]) == (other["steps"], other["status"])


def test_the_cases_are_what_they_are_for(both):
    """One diverges, one stops early, and in one the controller moves c."""
    assert both[1]["diverging"]["status"] == "non-finite"
    assert both[1]["patience"]["status"] == "stopped early"
    start = next(value for key, value in both[0]["adaptive"]["initial"].items() if key.endswith(".c"))
    assert not torch.equal(both[0]["adaptive"]["c"][0], start)


@pytest.mark.parametrize("name", ["full", "sampled", "neighbor", "cluster", "shadow"])
def test_every_training_node_is_visited_once_an_epoch(both, sevens, alone, name):
    """Over both processes, and in each of the epochs."""
    recipe, changes = alone["CASES"][name]
    task = build(load(recipe, changes), 3).task
    steps, nodes = task.steps_per_epoch, task.index["train"]  # pyright: ignore[reportAttributeAccessIssue]
    assert name not in ("full", "sampled") or len(nodes) % (7 if name == "sampled" else 2)
    for epoch in range(5):
        visited = torch.cat([t for found in both for t in found[name]["seen"][epoch * steps : (epoch + 1) * steps]])
        assert torch.equal(visited.sort().values, nodes.sort().values)


def test_every_training_graph_is_visited_once_an_epoch(both, alone):
    """Over both processes, told by the features of their nodes, in each of the epochs."""
    recipe, changes = alone["CASES"]["graphs"]
    task = build(load(recipe, changes), 3).task
    steps = task.steps_per_epoch
    assert len(task.index["train"]) % 5 == 1, "in the last batch the second process has nothing"  # pyright: ignore[reportAttributeAccessIssue]
    whole = torch.cat([batch.features for batch in task.batches(0)])
    rows = sorted(map(tuple, whole.tolist()))
    for epoch in range(5):
        seen = [x for found in both for x in found["graphs"]["seen"][epoch * steps : (epoch + 1) * steps]]
        assert sorted(map(tuple, torch.cat(seen).tolist())) == rows


@pytest.mark.parametrize("name", ["full", "sampled", "graphs", "links"])
def test_figures_are_those_of_one_process(both, sevens, alone, name):
    """Without dropout weights after training are those of one process but for rounding, and so are the figures."""
    recipe, changes = alone["CASES"][name]
    built = build(load(recipe, changes), 3)
    outcome = built.trainer().fit()
    assert both[0][name]["val"] == pytest.approx(outcome.val, abs=0.03)
    assert both[0][name]["test"] == pytest.approx(outcome.test, abs=0.03)
    for key, value in built.network.state_dict().items():
        assert torch.allclose(both[0][name]["state"][key], value, atol=2e-3), key


def test_dropout_masks_are_each_process_s_own(both, sevens, alone):
    """The leader draws what one process draws, the other something else."""
    recipe, changes = alone["CASES"]["dropout"]
    with prepare_process(build(load(recipe, changes), 3).process):
        assert both[0]["dropout"]["drawn"] == float(torch.rand(()))
    assert both[1]["dropout"]["drawn"] != both[0]["dropout"]["drawn"]


def test_a_script_trains_together_and_all_get_the_run(both, folder):
    """`zoo.train` under torchrun: one run folder, which says how many trained, returned by each process."""
    assert both[0]["run"] == both[1]["run"]
    run = Run(folder / both[0]["run"])
    assert [file.parent for file in (folder / "runs").glob("**/recipe.yaml")] == [run.path]
    assert run.status == "finished"
    assert run.environment["processes"] == 2
    assert [choice["chosen"] for choice in run.environment["choices"] if choice["what"] == "processes"] == ["2"]
    assert list(run.metrics["step"]) == [18, 36, 54, 72, 90]
    assert run.probes


ENDED = """
import os
from pathlib import Path

import zoo
from zoo.system.team import Team


def main():
    with Team.of_environment() as team:
        zoo.train("smoke/res-gcn", runs="runs")
        return team.rank


rank = main()
names = [file.read_text().strip() for file in Path("/proc/self/task").glob("*/comm")]
left = [name for name in names if "gloo" in name]
os.write(1, f"{rank} {left}\\n".encode())  # at once: the other process writes to the same pipe
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's list of a process's threads")
def test_gloos_threads_end_with_the_team(torchrun, tmp_path):
    """None is left: one that lets go of a tensor while the interpreter ends aborts the process, now and then."""
    (tmp_path / "ended.py").write_text(ENDED)
    process = torchrun("ended.py", folder=tmp_path)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert sorted(out.splitlines()) == ["0 []", "1 []"]
