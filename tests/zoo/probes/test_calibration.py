"""`c: auto`: the largest c inside the band, in either mode, in a bounded number of trials."""

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

import zoo
from zoo.builder import Built
from zoo.layers.network import Network
from zoo.layers.residual import JumpingKnowledge
from zoo.normalizers.attach import WeightNormalization
from zoo.normalizers.base import BoundedNormalizer
from zoo.normalizers.frobenius import Frobenius, FrobeniusSoft
from zoo.normalizers.orthogonal import Orthogonal
from zoo.normalizers.spectral import Spectral
from zoo.normalizers.weight_norm import WeightNorm
from zoo.probes.calibration import Calibrated, calibrate
from zoo.probes.similarity import Similarity
from zoo.probes.snapshot import snapshot

LOW, HIGH = 0.5, 1.5
MOST_TRIALS = 8 + 12  # c = 1, 4⁻¹ … 4⁻⁷, then twelve halvings
SMALL = {
    "execution.device": "cpu",
    "dataset.nodes": 120,
    "dataset.features": 16,
    "model.width": 16,
    "normalizer": "none",
}
AUTO = partial(Frobenius, c="auto")


def untrained(recipe: str = "smoke/res-gcn", depth: int = 8, dropout: float | None = None) -> Built:
    """A network on a small block model, without a normaliser; its dropout is the recipe's own if not given."""
    own = {} if dropout is None else {"model.dropout": dropout}
    return zoo.build(recipe, {**SMALL, "model.depth": depth, **own})


def bounded(built: Built) -> list[BoundedNormalizer]:
    """Its normalisers with a bound."""
    assert built.network.normalization is not None
    return built.network.normalization.bounded()


def search(built: Built, *factories: Any, passes: int = 1, loss: Any = None) -> Calibrated:
    """Attach weight normalisers and calibrate those whose c is auto."""
    network = built.network
    network.normalize_with(WeightNormalization(network.block_matrices(), factories))
    auto = [normalizer for normalizer in bounded(built) if normalizer.auto]
    return calibrate(network, auto, loss or loss_of(built), low=LOW, high=HIGH, passes=passes)


def loss_of(built: Built) -> Any:
    """The task's loss of the network in training."""
    return lambda: built.task.loss(built.network.train(), next(built.task.batches(0)))


def ratio(built: Built) -> float:
    """The ratio of the network as it is."""
    return snapshot(built.network, [Similarity()], loss_of(built)).ratio


def ratio_with(recipe: str, depth: int, c: float, **options: Any) -> float:
    """The ratio of a network built anew with a fixed c: no search involved."""
    normalizer = {"name": "frobenius", "c": c, **options}
    return zoo.build(recipe, {**SMALL, "model.depth": depth, "normalizer": normalizer}).initial.ratio


@pytest.mark.parametrize(
    ("recipe", "depth"), [("smoke/res-gcn", d) for d in (8, 64, 256)] + [("smoke/res-gat", d) for d in (8, 64)]
)
def test_the_largest_c_inside_the_band_is_found(recipe, depth):
    """A network with that c fixed has its ratio in the band; with 2 % more it is above."""
    built = untrained(recipe, depth)
    found = search(built, AUTO)
    assert found.inside
    assert LOW <= ratio_with(recipe, depth, found.c) <= HIGH
    assert ratio_with(recipe, depth, 1.02 * found.c) > HIGH
    assert found.ratio == pytest.approx(ratio_with(recipe, depth, found.c), rel=1e-4)
    assert all(bool((n.c == torch.tensor(found.c)).all()) for n in bounded(built))
    assert "inside the band" in str(found)


def test_c_shrinks_with_depth():
    """Eight times as many blocks get a several times smaller c."""
    eight, many = (search(untrained(depth=depth), AUTO).c for depth in (8, 64))
    assert 4 < eight / many < 16


@pytest.mark.parametrize("depth", [32, 256])
def test_networks_without_skips_reach_the_narrow_band(depth):
    """Without skips the ratio goes with c^depth: 2 % of c are a factor 160 at 256 blocks, and the band is still met."""
    found = search(untrained("smoke/gcn", depth, dropout=0.0), AUTO)
    assert found.inside
    assert len(found.trials) <= MOST_TRIALS


def test_where_no_c_reaches_the_band_it_ends_and_says_so():
    """A soft bound cannot enlarge the weights of a network that vanishes: outside, after the six trials upwards."""
    found = search(untrained("smoke/gcn", 32), partial(FrobeniusSoft, c="auto"))
    assert not found.inside
    assert found.ratio < LOW
    assert [c for c, _ in found.trials] == [1, 4, 16, 64, 256, 1024]
    assert "outside the band" in str(found)


def test_where_every_c_is_above_the_band_the_smallest_is_taken():
    """A network whose gradient expands whatever c is ends at the lower end, after eight trials."""
    built = untrained(depth=4)

    class Swells(nn.Module):
        def forward(self, graph: Any, x: torch.Tensor, first: torch.Tensor | None = None) -> torch.Tensor:
            return 10 * x

    built.network.blocks[2] = Swells()
    found = search(built, AUTO)
    assert not found.inside
    assert found.c == 4.0**-7
    assert len(found.trials) == 8


@pytest.mark.parametrize("recipe", ["smoke/jumping", "smoke/initial", "smoke/res-gin", "smoke/res-sage", "smoke/mlp"])
def test_other_networks_end_in_time(recipe):
    """Whatever the skips and the aggregation, the search ends within its bound, with a finite c that is set."""
    built = untrained(recipe, 64)
    assert isinstance(built.network.readout, JumpingKnowledge) == (recipe == "smoke/jumping")
    found = search(built, AUTO)
    assert len(found.trials) <= MOST_TRIALS
    assert 0 < found.c < math.inf
    assert found.inside == (LOW <= found.ratio <= HIGH)
    assert dict(found.trials)[found.c] == found.ratio


def test_a_single_block_keeps_c_at_1():
    """With one block the first is the last: nothing to go by, so c stays where it was, in one trial."""
    found = search(untrained(depth=1), AUTO)
    assert (found.c, found.ratio, found.inside, len(found.trials)) == (1, 1, True, 1)


class Strong(Frobenius):
    """Frobenius with 256 times its c."""

    def normalize(self, weight: torch.Tensor) -> torch.Tensor:
        return 256 * super().normalize(weight)


def test_trials_that_overflow_are_survived():
    """Infinities and NaN on the way count as too large; the search goes on downwards and finds the same bound."""
    built = untrained(depth=64)
    found = search(built, partial(Strong, c="auto"))
    assert [ratio for c, ratio in found.trials if c in (1, 0.25)] == [math.inf, math.inf]
    assert found.inside
    assert 256 * found.c == pytest.approx(search(untrained(depth=64), AUTO).c, rel=0.02)


def test_a_loss_that_is_nan_throughout_ends():
    """Where no trial is finite the smallest c is left, outside, after eight trials."""
    built = untrained(depth=4)
    loss = loss_of(built)
    found = search(built, AUTO, loss=lambda: loss() * float("nan"))
    assert (found.inside, found.c, len(found.trials)) == (False, 4.0**-7, 8)


@pytest.mark.parametrize("method", [None, "power"])
def test_parameters_gradients_and_random_state_stay(method):
    """In reparametrize mode nothing but c changes: not a bit of weights, gradients, other buffers, random numbers."""
    built = untrained(depth=8, dropout=0.5)
    built.task.loss(built.network, next(built.task.batches(0))).backward()
    gradients = [p.grad.clone() for p in built.network.parameters() if p.grad is not None]
    before = {name: value.clone() for name, value in built.network.state_dict().items()}
    random = torch.get_rng_state()
    search(built, partial(Spectral, c="auto", method=method) if method else AUTO, passes=2)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(built.network.state_dict()[name], value) for name, value in before.items())
    for old, new in zip(gradients, built.network.parameters(), strict=True):
        assert new.grad is not None
        assert torch.equal(old, new.grad)


@pytest.mark.parametrize(
    "normalizer", [Frobenius, FrobeniusSoft, Spectral, partial(Spectral, method="power"), Orthogonal]
)
def test_both_modes_find_the_same_c(normalizer):
    """Project mode is calibrated from the weights as drawn: c, ratio and trials are those of reparametrize mode."""
    found = {
        mode: search(untrained(depth=16), partial(normalizer, c="auto", mode=mode))
        for mode in ("reparametrize", "project")
    }
    assert found["project"].inside
    assert found["project"].c == pytest.approx(found["reparametrize"].c, rel=1e-3)
    assert len({round(ratio, 6) for _, ratio in found["project"].trials}) > 3, "the ratio depends on c"


@pytest.mark.parametrize("normalizer", [Frobenius, FrobeniusSoft])
def test_project_mode_leaves_the_weights_projected_once_with_that_c(normalizer):
    """Afterwards the stored matrices are the normalised initial ones, the rest of the network as it was."""
    built = untrained(depth=16)
    before = {name: value.clone() for name, value in built.network.state_dict().items()}
    found = search(built, partial(normalizer, c="auto", mode="project"))
    matrices = built.network.block_matrices()
    for name, value in before.items():
        want = normalizer(c=found.c).normalize(value) if name in matrices else value
        torch.testing.assert_close(built.network.state_dict()[name], want, rtol=1e-6, atol=0)
    assert ratio(built) == pytest.approx(found.ratio, rel=1e-4)


def test_a_projection_with_auto_waits_for_its_c():
    """Attached with c = auto, project mode leaves the weights alone until `project` is called."""
    network = untrained(depth=2).network
    before = {name: matrix.detach().clone() for name, matrix in network.block_matrices().items()}
    network.normalize_with(WeightNormalization(network.block_matrices(), [partial(AUTO, mode="project")]))
    assert all(torch.equal(matrix, before[name]) for name, matrix in network.block_matrices().items())
    network.project()
    assert all(matrix.detach().norm().item() == pytest.approx(1) for matrix in network.block_matrices().values())


def test_a_fixed_projection_before_it_acts_in_every_trial():
    """With a fixed projection first and a calibrated re-parametrisation after it, both end up in force."""
    built = untrained(depth=16)
    found = search(built, partial(Frobenius, c=3.0, mode="project"), AUTO)
    assert all(matrix.detach().norm().item() == pytest.approx(3) for matrix in built.network.block_matrices().values())
    assert found.c == pytest.approx(search(untrained(depth=16), AUTO).c, rel=1e-3)
    fixed, auto = bounded(built)
    assert float(fixed.c.max()) == 3
    assert float(auto.c.max()) == pytest.approx(found.c)


def test_only_what_is_auto_is_changed():
    """Of two normalisers the one with a number keeps it."""
    built = untrained(depth=4)
    search(built, partial(FrobeniusSoft, c=2.5), AUTO, WeightNorm)
    bounds = [n for n in bounded(built) if isinstance(n, BoundedNormalizer)]
    assert [n.auto for n in bounds] == [False, True]
    assert bool((bounds[0].c == 2.5).all())


def test_passes_draw_masks_of_their_own():
    """Each pass of a trial sees other dropout masks, the same ones in every trial."""
    built = untrained(depth=4, dropout=0.5)
    masks: list[tuple[float, ...]] = []

    def loss() -> torch.Tensor:
        value = built.task.loss(built.network.train(), next(built.task.batches(0)))
        masks.append(tuple(torch.rand(3).tolist()))
        return value

    found = search(built, AUTO, passes=3, loss=loss)
    assert len(masks) == 3 * len(found.trials)
    assert len(set(masks)) == 3
    assert masks[:3] == masks[3:6]


def test_the_ratio_of_several_passes_is_their_geometric_mean():
    """Checked by hand on a network whose passes differ by dropout."""
    built = untrained(depth=4, dropout=0.5)
    seeds: list[int] = []
    plain = loss_of(built)

    def loss() -> torch.Tensor:
        seeds.append(torch.initial_seed())
        return plain()

    found = search(built, AUTO, passes=2, loss=loss)
    logs = []
    for seed in seeds[:2]:
        with torch.random.fork_rng(devices=[]):
            if seed != torch.initial_seed():
                torch.manual_seed(seed)
            logs.append(math.log(ratio(built)))
    assert found.ratio == pytest.approx(math.exp(sum(logs) / 2), rel=1e-5)


def test_build_records_what_was_found():
    """A recipe with `c: auto` in project mode builds a network whose own ratio is the recorded one."""
    normalizer = {"name": "frobenius", "c": "auto", "mode": "project"}
    built = zoo.build("smoke/res-gcn", {**SMALL, "model.depth": 32, "normalizer": normalizer})
    (choice,) = [choice for choice in built.choices if choice.what == "c"]
    assert LOW <= built.initial.ratio <= HIGH
    assert built.initial.ratio > 1.3, "it is the largest c, not any small one"
    assert f"{built.initial.ratio:.3g}" in choice.why
    norms = [matrix.detach().norm().item() for matrix in built.network.block_matrices().values()]
    assert norms == pytest.approx([float(choice.chosen)] * 32, rel=1e-4)


def test_bands_are_the_recipes():
    """`calibration.low` and `high` decide where c ends."""
    ratios = []
    for high in (1.1, 3.0):
        normalizer = {"name": "frobenius", "c": "auto"}
        built = zoo.build(
            "smoke/res-gcn", {**SMALL, "model.depth": 16, "normalizer": normalizer, "calibration.high": high}
        )
        assert isinstance(built.network, Network)
        ratios.append(built.initial.ratio)
    assert 1 < ratios[0] <= 1.1 < 2 < ratios[1] <= 3


def test_a_ratio_that_does_not_depend_on_c_leaves_it_at_one():
    """With features of zeros every c gives the same ratio, which says nothing: c stays 1, not the largest tried."""
    built = untrained()
    graph, features = built.task.whole or (None, None)
    assert graph is not None and features is not None
    features.zero_()
    for name, parameter in built.network.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.zeros_(parameter)
    found = search(built, AUTO)
    assert found.c == 1 and max(c for c, _ in found.trials) > 1000
