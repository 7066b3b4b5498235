"""Networks that are one network, against each by itself, in float64."""

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
from zoo.training.loss import training_loss
from zoo.training.members import Bests, ConstantOutput, Members

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
