"""Networks that are one network, and their trainings side by side, against each by itself, in float64."""

import copy
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import zoo
from zoo.builder import Built
from zoo.errors import TrainingError
from zoo.layers.gat import AttentionConv
from zoo.together import loop_of
from zoo.training.members import Bests, Members
from zoo.training.outcome import Outcome
from zoo.training.steps import training_loss
from zoo.training.validation import ConstantOutput

RECIPES = {
    **{name: (f"smoke/{name}", ()) for name in ("gcn", "gat", "gatv2", "sage", "gin", "mlp", "appnp", "dagnn", "sgc")},
    **{name: (f"smoke/{name}", ()) for name in ("res-gat", "res-sage", "jumping", "gcnii", "g2", "egnn", "shared")},
    "several labels": ("smoke/multi-label", ()),
    "power iteration": ("smoke/res-gcn", ("normalizer=spectral", "normalizer.method=power")),
}
NORMALIZERS = ("frobenius", "spectral", "weight-norm", "orthogonal", "layer", "batch", "group", "instance", "pair")
RECIPES |= {
    name: ("smoke/res-gcn", (f"normalizer={name}",)) for name in (*NORMALIZERS, "node", "graph", "message", "contra")
}


def built_of(name: str, members: int = 3) -> list[Built]:
    """Members of a recipe in float64 that draw no random numbers, each with its seed."""
    recipe, overrides = RECIPES[name]
    found = [zoo.build(recipe, ["probes=none", *overrides], seed=seed) for seed in range(members)]
    for each in found:
        each.network.double()
        task: Any = each.task
        task.features = task.features.double()
        for module in each.network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
            if isinstance(module, AttentionConv):
                module.attention_dropout = 0.0
    return found


def first_batch(built: Built) -> Any:
    return next(iter(built.task.batches(0)))


def whole(built: Built) -> Any:
    assert built.task.whole is not None
    return built.task.whole


def gradients_of(members: Members) -> list[Tensor]:
    return [parameter.grad for parameter in members.network.parameters() if parameter.grad is not None]


def all_close(found: Any, expected: Any) -> None:
    scale = max((float(each.detach().abs().max()) for each in expected if each.numel()), default=1.0)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11 * max(scale, 1.0))


@pytest.mark.parametrize("name", RECIPES)
def test_a_pass_is_that_of_each(name):
    """Losses, gradients and buffers after a training pass, and outputs in evaluation, are each network's own."""
    members = built_of(name)
    together = Members([each.network for each in members])
    together.network.train()
    outputs, penalties = together(*whole(members[0])), together.penalties
    losses = [
        each.task.loss(ConstantOutput(output), first_batch(each)) for each, output in zip(members, outputs, strict=True)
    ]
    total = torch.stack(losses).sum() if penalties is None else (torch.stack(losses) + penalties).sum()
    total.backward()
    norms = together.gradient_norms()
    for place, each in enumerate(members):
        each.network.train()
        loss = training_loss(each.network, each.task, first_batch(each))
        loss.backward()
        own = losses[place] if penalties is None else losses[place] + penalties[place]
        assert own.item() == pytest.approx(loss.item(), rel=1e-6)  # the loss is a float32
        gradients = [parameter.grad for parameter in each.network.parameters() if parameter.grad is not None]
        all_close([gradient[place] for gradient in gradients_of(together)], gradients)
        size = nn.utils.clip_grad_norm_(each.network.parameters(), 1e9)
        assert norms[place].item() == pytest.approx(size.item(), rel=1e-9)
        all_close([buffer[place] for buffer in together.network.buffers()], list(each.network.buffers()))
    together.network.eval()
    outputs = together(*whole(members[0]))
    for each, output in zip(members, outputs, strict=True):
        all_close([output], [each.network.eval()(*whole(each))])


@pytest.mark.parametrize("recipe", ["smoke/rev-gnn", "smoke/jknet", "smoke/dgl-conv"])
def test_what_cannot_be_done_for_several_is_said_before_the_first_step(recipe):
    """Operators of a model's own, recurrent cells and modules of `dgl.nn` know nothing of members."""
    members = [zoo.build(recipe, ["probes=none"], seed=seed) for seed in range(2)]
    with pytest.raises(TrainingError, match="several networks at once"):
        Members([each.network for each in members]).check(*whole(members[0]))


def test_a_trial_leaves_no_mark():
    """Running statistics and the random state are as before."""
    built = zoo.build("smoke/res-gcn", ["probes=none", "normalizer=batch", "model.dropout=0.5"])
    members = Members([built.network, built.network])
    before, state = copy.deepcopy(members.network.state_dict()), torch.get_rng_state()
    members.check(*whole(built))
    assert torch.equal(torch.get_rng_state(), state)
    for name, tensor in members.network.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_dropout_draws_for_each_member():
    """Equal networks drop different features."""
    network = zoo.build("smoke/res-gcn", ["probes=none", "model.dropout=0.5"])
    together = Members([network.network, copy.deepcopy(network.network)])
    together.network.train()
    one, other = together(*whole(network))
    assert not torch.equal(one, other)
    together.network.eval()
    one, other = together(*whole(network))
    torch.testing.assert_close(one, other)


def test_clipping_is_of_each_member():
    """Gradients above the bound are scaled as PyTorch scales those of a network alone, the others stay."""
    members = Members([nn.Sequential(nn.Linear(3, 2)) for _ in range(3)])  # pyright: ignore[reportArgumentType]
    scales = torch.tensor([0.01, 1.0, 100.0])
    for parameter in members.network.parameters():
        parameter.grad = torch.randn_like(parameter) * scales.view(-1, *[1] * (parameter.dim() - 1))
    expected = [[gradient[place].clone() for gradient in gradients_of(members)] for place in range(3)]
    members.clip(members.gradient_norms(), 0.5)
    for place, gradients in enumerate(expected):
        alone = [nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
        for parameter, gradient in zip(alone, gradients, strict=True):
            parameter.grad = gradient
        nn.utils.clip_grad_norm_(alone, 0.5)
        for parameter, stack in zip(alone, gradients_of(members), strict=True):
            torch.testing.assert_close(stack[place], parameter.grad)


@pytest.mark.parametrize(
    "make", [partial(torch.optim.Adam, lr=0.1, fused=True), partial(torch.optim.SGD, lr=0.1, momentum=0.9)]
)
def test_those_who_stay_step_as_if_nobody_had_left(make):
    """Parameters, gradients, buffers and moments of who left are gone; the others' go on."""
    torch.manual_seed(0)
    networks: Any = [nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)) for _ in range(3)]
    staying, leaving = Members(networks), Members(networks)
    optimizers = [make(members.network.parameters()) for members in (staying, leaving)]
    for step in range(3):
        for members, optimizer in zip((staying, leaving), optimizers, strict=True):
            places = [0, 1, 2] if members is staying or step == 0 else [2, 0]
            generator = torch.Generator().manual_seed(step)
            for parameter in members.network.parameters():
                drawn = torch.randn(3, *parameter.shape[1:], generator=generator)
                parameter.grad = drawn if members.size == 3 else drawn[places]
            if members is leaving and step == 1:
                members.keep([2, 0], optimizer)
            optimizer.step()
    assert leaving.size == 2
    for stack, left in zip(staying.network.state_dict().values(), leaving.network.state_dict().values(), strict=True):
        torch.testing.assert_close(left, stack[[2, 0]])


def test_a_member_is_written_into_a_network_of_its_own():
    """Parameters and buffers, bitwise; shared ones once."""
    members = built_of("shared")
    together = Members([each.network for each in members])
    target = zoo.build("smoke/shared", ["probes=none"], seed=9).network.double()
    together.write(1, target)
    for name, tensor in target.state_dict().items():
        assert torch.equal(tensor, members[1].network.state_dict()[name])


def test_the_best_of_each_is_kept_under_its_first_place():
    """What is taken later is seen in what was handed out; the others' stays."""
    networks: Any = [nn.Sequential(nn.Linear(2, 2)) for _ in range(3)]
    members = Members(networks)
    best = Bests(members)
    handed = [best.of(first) for first in range(3)]
    with torch.no_grad():
        for parameter in members.network.parameters():
            parameter.fill_(7.0)
    best.take([0, 1], [2, 0])
    for first, weights in enumerate(handed):
        for name, tensor in weights.items():
            assert torch.equal(tensor, torch.full_like(tensor, 7.0) if first != 1 else networks[1].state_dict()[name])


class Rows:
    """Remembers what a trainer tells its watchers."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def measured(self, row) -> None:
        self.rows.append({name: value for name, value in row.items() if name != "seconds"})

    def probed(self, row) -> None:
        raise AssertionError("no probes are read of several networks")


def seeds_of(overrides: list[str], seeds: range, spoilt: int | None = None, recipe: str = "smoke/res-gcn"):
    found = [zoo.build(recipe, ["probes=none", *overrides], seed=seed) for seed in seeds]
    for each in found:
        each.network.double()
        task: Any = each.task
        task.features = task.features.double()
        if each.seed == spoilt:
            _spoil(each, after=3)
    return found


def _spoil(built: Built, after: int) -> None:
    """From a step on, let the loss of a member be infinite."""
    task: Any = built.task
    told = task.loss
    steps = {"seen": 0}

    def loss(network, batch):
        steps["seen"] += network.training
        return told(network, batch) * (torch.inf if steps["seen"] > after else 1)

    task.loss = loss


def alone(members: list[Built]) -> tuple[list[Outcome], list[list[dict[str, Any]]]]:
    watchers = [Rows() for _ in members]
    outcomes = [each.trainer((watcher,)).fit() for each, watcher in zip(members, watchers, strict=True)]
    return outcomes, [watcher.rows for watcher in watchers]


def side_by_side(members: list[Built]) -> tuple[list[Outcome], list[list[dict[str, Any]]]]:
    watchers = [Rows() for _ in members]
    stacked = Members([each.network for each in members])
    trainer = loop_of(members, stacked, [(watcher,) for watcher in watchers])
    trainer.fit()
    return trainer.outcomes, [watcher.rows for watcher in watchers]


def assert_equal(overrides: list[str], seeds: range, **options: Any) -> list[Outcome]:
    """Outcomes, records and best weights of each member are those it has alone; returns the outcomes."""
    members = seeds_of(overrides, seeds, **options), seeds_of(overrides, seeds, **options)
    (expected, rows), (found, told) = alone(members[0]), side_by_side(members[1])
    for one, other in zip(found, expected, strict=True):
        for name in ("status", "val", "test", "train", "best_epoch", "epochs", "steps", "non_finite"):
            assert getattr(one, name) == getattr(other, name), name
        assert (one.final is None) == (other.final is None)
        if one.final and other.final:
            assert one.final.ratio == pytest.approx(other.final.ratio, rel=1e-6, nan_ok=True)
    for mine, alones in zip(told, rows, strict=True):
        assert len(mine) == len(alones)
        for row, other in zip(mine, alones, strict=True):
            assert row == pytest.approx(other, rel=1e-6)
    for one, other in zip(*members, strict=True):
        for name, tensor in one.network.state_dict().items():
            torch.testing.assert_close(other.network.state_dict()[name], tensor, rtol=1e-6, atol=1e-9)
    return found


LONG = ["training.duration=15 epochs"]
CASES = {
    "adam": ["normalizer=frobenius", "optimizer.weight_decay=0.01"],
    "clipped, by a schedule": ["training.clip=0.05", "schedule=cosine", "schedule.warmup=5 epochs"],
    "momentum": ["optimizer=sgd", "optimizer.momentum=0.9", "optimizer.lr=0.05", "normalizer=none"],
    "groups": ["optimizer=adamw", "optimizer.groups={blocks: {lr: 0.001}}"],
    "every third epoch": ["training.evaluate=3 epochs", "normalizer=spectral", "normalizer.method=power"],
    "calibrated": ["normalizer=frobenius", "normalizer.c=auto"],
}


@pytest.mark.parametrize("name", CASES)
def test_members_end_as_they_end_alone(name):
    """Every figure of every validation, the best weights and the evidence, in float64, after fifteen epochs."""
    found = assert_equal([*LONG, *CASES[name]], range(3))
    assert {outcome.status for outcome in found} == {"finished"}


def test_parts_of_different_sizes():
    """Members of a cross-validation, the folds of which differ by a node, learn from their own nodes."""
    assert_equal(["split=folds", "split.folds=7", "training.duration=5 epochs"], range(4))


def test_who_loses_patience_leaves_and_the_others_go_on():
    """Each member stops where it stops alone."""
    found = assert_equal([*LONG, "training.patience=4 epochs", "optimizer.lr=0.05"], range(5))
    assert len({outcome.steps for outcome in found}) > 1
    assert "stopped early" in {outcome.status for outcome in found}


@pytest.mark.parametrize("spoilt", [0, 2])
def test_what_is_not_finite_is_one_members_affair(spoilt):
    """It leaves without the step, with the place where it began; the others take theirs, and end as alone."""
    found = assert_equal([*LONG], range(3), spoilt=spoilt)
    assert [outcome.status for outcome in found].count("non-finite") == 1
    assert found[spoilt].steps < found[(spoilt + 1) % 3].steps == 15


def test_all_may_leave():
    """If nobody is left, the training ends."""
    found = assert_equal([*LONG], range(1), spoilt=0)
    assert found[0].status == "non-finite"


@pytest.mark.parametrize(("override", "agreed"), [("model.dropout=0", True), ("model.dropout=0.5", False)])
def test_validation_is_read_off_the_next_step_where_it_can_be(monkeypatch, override, agreed):
    """One pass an epoch in place of two, but for the last, where all modules declare that passes agree."""
    passes = []
    forward = Members.forward
    monkeypatch.setattr(Members, "forward", lambda self, *whole: passes.append(self) or forward(self, *whole))
    outcomes, _ = side_by_side(seeds_of([*LONG, override], range(2)))
    assert [outcome.steps for outcome in outcomes] == [15, 15]
    assert len(passes) == (15 + 1 if agreed else 2 * 15)


def test_half_precision_is_the_members_too():
    """The loss of the first step is that of the trainer in bf16."""
    members = [[zoo.build("smoke/bf16", ["probes=none"], seed=seed) for seed in range(2)] for _ in range(2)]
    rows = alone(members[0])[1], side_by_side(members[1])[1]
    for one, other in zip(*rows, strict=True):
        assert one[0]["loss"] == pytest.approx(other[0]["loss"], rel=0.01)
