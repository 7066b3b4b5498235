"""The loop: what is kept, when it stops, and that it is the plain loop everybody knows."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import zoo
from zoo.layers.network import Network
from zoo.probes.tap import ProbeSchedule
from zoo.recipe.recipe import Training
from zoo.tasks.base import Task
from zoo.training.steps import TrainingSetup
from zoo.training.trainer import Trainer


class Chain(Network):
    """Blocks of linear maps without a graph."""

    def __init__(self, depth: int = 3) -> None:
        super().__init__(nn.Identity(), [nn.Linear(2, 2) for _ in range(depth)], nn.Identity())
        self.projected = 0

    def forward(self, x):  # pyright: ignore[reportIncompatibleMethodOverride]
        for block in self.blocks:
            x = torch.relu(block(x))
        return x

    def project(self):
        self.projected += 1


class Regression(Task):
    """Fits random targets in `steps_per_epoch` batches; validation scores may be scripted."""

    metric = "score"
    metric_reason = "scripted"
    higher_is_better = True
    out_width = 2

    def __init__(self, batches: int = 1, scores: list[float] | None = None) -> None:
        generator = torch.Generator().manual_seed(0)
        self.data = [
            (torch.randn(8, 2, generator=generator), torch.rand(8, 2, generator=generator)) for _ in range(batches)
        ]
        self.scripted = iter(scores) if scores else None
        self.seen: dict[float, float] = {}

    @property
    def steps_per_epoch(self):
        return len(self.data)

    def to(self, device):
        return self

    def batches(self, epoch, start=0):
        yield from self.data[start:]

    def predict(self, network, part):
        raise NotImplementedError

    def loss(self, network, batch):
        x, y = batch
        return F.mse_loss(network(x), y)

    def chance(self, part):
        return 0.0

    def scores(self, network):
        weights = sum(weight.double().sum().item() for weight in network.parameters())
        if weights not in self.seen:  # the same weights have the same scores
            val = next(self.scripted) if self.scripted else -self.loss(network, self.data[0]).item()
            self.seen[weights] = val
        val = self.seen[weights]
        return lambda part: val if part == "val" else val * 10


class Listener:
    def __init__(self):
        self.rows = []

    def measured(self, row):
        self.rows.append(row)

    def probed(self, row):
        pass


def trainer_for(task: Task, network: Network | None = None, lr: float = 0.1, **training) -> tuple[Trainer, Listener]:
    torch.manual_seed(0)
    network = network or Chain()
    optimizer = torch.optim.SGD(network.parameters(), lr=lr)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
    listener = Listener()
    setup = TrainingSetup(
        network=network,
        task=task,
        optimizer=optimizer,
        scheduler=scheduler,
        training=Training.model_validate(training),
        device=torch.device("cpu"),
        plan=ProbeSchedule(network, [], 0),
    )
    return Trainer(setup, (listener,)), listener


def test_it_is_the_plain_loop():
    """Weights and losses are bitwise those of the textbook loop written out here."""
    trainer, listener = trainer_for(Regression(batches=2), duration="3 epochs", evaluate="1 step", clip=0.05)
    reference = copy.deepcopy(trainer.setup.network)
    trainer.fit()
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.1)
    task, losses, best, best_state = Regression(batches=2), [], -math.inf, {}
    for step, batch in enumerate([*task.batches(0)] * 3):
        for group in optimizer.param_groups:
            group["lr"] = 0.1 / (1 + step)
        optimizer.zero_grad()
        loss = task.loss(reference, batch)
        loss.backward()
        nn.utils.clip_grad_norm_(reference.parameters(), 0.05)
        optimizer.step()
        losses.append(loss.item())
        if task.scores(reference)("val") > best:
            best, best_state = task.scores(reference)("val"), copy.deepcopy(reference.state_dict())
    assert [row["loss"] for row in listener.rows] == losses
    for name, weight in trainer.setup.network.state_dict().items():
        assert torch.equal(weight, best_state[name])


def test_test_is_reported_at_the_best_validation():
    """The first of equal bests counts, and test belongs to it; NaN never wins."""
    trainer, _ = trainer_for(Regression(scores=[0.1, float("nan"), 0.5, 0.5, 0.3]), duration="5 epochs")
    outcome = trainer.fit()
    assert (outcome.val, outcome.test, outcome.best_epoch, outcome.status) == (0.5, 5.0, 3, "finished")


def test_train_and_test_are_scored_once_with_the_best_weights():
    """However often a validation was the best so far: a part may be a pass of its own, longer than an epoch."""
    task, asked = Regression(scores=[0.1, 0.2, 0.5, 0.3]), []
    scores = task.scores

    def listened(network):
        return lambda part: asked.append(part) or scores(network)(part)

    task.scores = listened
    trainer, _ = trainer_for(task, duration="4 epochs")
    assert trainer.fit().train == 5.0
    assert asked == [*["val"] * 4, "train", "test"]


def test_scores_are_computed_in_full_precision():
    """Of a training in bf16, too: in half precision outputs tie, and metrics of their order are others."""
    task, seen = Regression(), []
    task.scores = lambda network: lambda part: seen.append(torch.is_autocast_enabled("cpu")) or 0.5
    trainer_for(task, duration="2 epochs", precision="bf16")[0].fit()
    assert seen == [False] * 4


def test_the_best_weights_are_put_back():
    """After training the network carries the weights of the best epoch, not of the last."""
    trainer, listener = trainer_for(Regression(scores=[0.1, 0.9, 0.2, 0.3]), duration="4 epochs")
    seen: list[dict[str, torch.Tensor]] = []
    listener.measured = lambda row: seen.append(copy.deepcopy(trainer.setup.network.state_dict()))
    trainer.fit()
    assert all(torch.equal(value, seen[1][name]) for name, value in trainer.setup.network.state_dict().items())
    assert any(not torch.equal(value, seen[3][name]) for name, value in trainer.setup.network.state_dict().items())


def test_patience_stops_and_says_so():
    """Three epochs without improvement after epoch 2 end the training at epoch 5."""
    trainer, _ = trainer_for(Regression(scores=[0.1, 0.9, *[0.2] * 10]), duration="12 epochs", patience="25%")
    outcome = trainer.fit()
    assert (outcome.status, outcome.epochs, outcome.best_epoch) == ("stopped early", 5, 2)


@pytest.mark.parametrize(
    ("patience", "scores", "epochs", "best"),
    [
        (5, [0.1, *[0.05] * 9], 20, 10),  # a validation that could have been better, and was not
        (5, [0.1, 0.2, *[0.05] * 9], 30, 20),
        (15, [0.1, *[0.05] * 9], 25, 10),  # as long as it says, where one lies within it
        (200, [0.1, *[0.05] * 9], 100, 10),
    ],
)
def test_patience_waits_for_a_validation(patience, scores, epochs, best):
    """Validated every ten epochs; nothing is given up before the first validation, nor between two."""
    scripted = Regression(scores=scores)
    trainer, listener = trainer_for(
        scripted, duration="100 epochs", patience=f"{patience} epochs", evaluate="10 epochs"
    )
    outcome = trainer.fit()
    assert (outcome.epochs, outcome.best_epoch, outcome.val) == (epochs, best, max(scores))
    assert [row["step"] for row in listener.rows] == list(range(10, epochs + 1, 10))


@pytest.mark.parametrize(
    ("duration", "evaluate", "steps"),
    [("3 epochs", "1 epoch", [4, 8, 12]), ("10 steps", "4 steps", [4, 8, 10]), ("2 epochs", "50%", [4, 8])],
)
def test_durations_in_any_unit(duration, evaluate, steps):
    """With four batches an epoch, validation is due where the units say, and always at the end."""
    trainer, listener = trainer_for(Regression(batches=4), duration=duration, evaluate=evaluate)
    assert trainer.fit().steps == steps[-1]
    assert [row["step"] for row in listener.rows] == steps


class Breaks(nn.Module):
    """Passes its input on, until it has been called `after` times; then NaN, forwards or backwards."""

    def __init__(self, after: int, backwards: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.calls, self.after, self.backwards = 0, after, backwards

    def forward(self, x):
        x = self.linear(x)
        self.calls += self.training
        if self.calls > self.after:
            if self.backwards:
                x = x.clone()
                x.register_hook(lambda gradient: gradient * float("nan"))
            else:
                x = x * float("inf")
        return x


@pytest.mark.parametrize(
    ("backwards", "block", "what"), [(False, 2, "output"), (True, 2, "gradient")], ids=["forwards", "backwards"]
)
def test_a_non_finite_number_stops_the_run_and_names_the_block(backwards, block, what):
    """Training ends before the bad step is taken; the first bad block is named, weights stay finite."""
    network = Chain()
    network.blocks[1] = Breaks(after=2, backwards=backwards)
    trainer, listener = trainer_for(Regression(), network, duration="9 epochs")
    outcome = trainer.fit()
    assert outcome.status == "non-finite"
    assert outcome.non_finite is not None
    assert (outcome.non_finite.step, outcome.non_finite.what, outcome.non_finite.block) == (3, what, block)
    assert f"block {block} of 3" in str(outcome.non_finite)
    assert len(listener.rows) == 2
    assert all(weight.isfinite().all() for weight in network.parameters())


def test_projection_follows_every_step():
    """`project` is called once after each optimiser step."""
    trainer, _ = trainer_for(Regression(batches=3), duration="2 epochs")
    trainer.fit()
    assert isinstance(trainer.setup.network, Chain)
    assert trainer.setup.network.projected == 6


@pytest.mark.parametrize("every", [1, 3, 4])
def test_probes_are_read_at_just_the_scheduled_steps(tmp_path, every):
    """The first, each multiple and the last; the record has a line for each, in the order of the steps."""
    run = zoo.train(
        "smoke/res-gcn",
        {"training.duration": 10, "probes": {"name": "standard", "every": f"{every} steps"}},
        runs=tmp_path,
    )
    assert [row["step"] for row in run.probes] == sorted({1, 10, *range(every, 11, every)})
    assert all(len(row["gradients.ratio.limit"]) == 4 for row in run.probes)


def test_weights_do_not_depend_on_the_probes(tmp_path):
    """Best weights, metrics and results of 64 blocks with dropout are bitwise equal without and with all probes."""
    runs = [
        zoo.train(
            "smoke/res-gcn",
            {
                "model.depth": 64,
                "model.dropout": 0.5,
                "probes": "none" if probes == "none" else {"name": probes, "every": "1 step"},
            },
            runs=tmp_path / probes,
        )
        for probes in ("none", "quick", "deep")
    ]
    weights = {(run.path / "model.safetensors").read_bytes() for run in runs}
    losses = {tuple(run.metrics["loss"]) for run in runs}
    assert len(weights) == len(losses) == 1
    assert not runs[0].probes
    assert "jacobian.rms" in runs[2].probes[0]


def test_every_result_has_a_diagnosis(tmp_path):
    """Verdict, sentence and evidence, also of a run that ended early on numbers that are not finite."""
    good = zoo.train("smoke/res-gcn", runs=tmp_path).result["diagnosis"]
    bad = zoo.train("smoke/res-gcn", {"model.depth": 400, "normalizer": "none"}, runs=tmp_path).result["diagnosis"]
    assert {"verdict", "because", "try", "evidence"} <= set(good)
    assert bad["verdict"] == "non-finite"
    assert bad["block"] is not None
