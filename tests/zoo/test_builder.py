"""From recipes to objects: options reach their places, data sets swap, mistakes are named."""

import json
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import zoo
from registry import convs, datasets, normalizers
from zoo.builder import Built, _check_same, factory
from zoo.datasets.base import Masks, NodeData
from zoo.datasets.store import Store
from zoo.engine.buffers import Buffers
from zoo.errors import BuildError, DataMissing, TrainingError
from zoo.layers.conv import Conv
from zoo.layers.gat import GATConv, GATv2Conv
from zoo.normalizers.attach import WeightNormalization
from zoo.normalizers.frobenius import Frobenius
from zoo.normalizers.per_graph import PairNorm
from zoo.normalizers.standard import LayerNorm
from zoo.recipe.recipe import Component
from zoo.system.process import prepare_process
from zoo.system.seeds import random_state
from zoo.system.team import Team

SMALL = {"execution.device": "cpu", "dataset.nodes": 60}

REAL = {
    "cora": 7,
    "citeseer": 6,
    "chameleon": 5,
    "squirrel": 5,
    "actor": 5,
    "cornell": 5,
    "texas": 5,
    "chameleon-filtered": 5,
    "squirrel-filtered": 5,
    "minesweeper": 2,
    "tolokers": 2,
    "amazon-photo": 8,
    "amazon-computers": 10,
}
ABSENT = ["pubmed", "wisconsin", "roman-empire", "amazon-ratings", "questions", "coauthor-cs"]


@pytest.fixture
def table() -> Iterator[None]:
    """Names registered in a test are gone after it."""
    before = {table: set(table.registered()) for table in (convs, datasets, normalizers)}
    yield
    for registered, names in before.items():
        for name in set(registered.registered()) - names:
            registered.unregister(name)


def loss_of(built: Built) -> torch.Tensor:
    """The loss of one training step."""
    return built.task.loss(built.network.train(), next(iter(built.task.batches(0))))


def step(built: Built) -> float:
    """Take one training step, and return its loss."""
    loss = loss_of(built)
    loss.backward()
    built.optimizer.step()
    built.network.project()
    return loss.item()


def matrices(built: Built) -> dict[str, torch.Tensor]:
    """The stored block matrices."""
    return {name: matrix.detach().clone() for name, matrix in built.network.block_matrices().items()}


def test_options_of_inner_components_reach_them():
    """model.conv's options arrive at every convolution, residual's at every residual, last_conv's at the last block."""
    conv = {"name": "gatv2", "heads": 4, "negative_slope": 0.3, "share_weights": True}
    built = zoo.build(
        "smoke/gatv2", {**SMALL, "model.conv": conv, "model.residual": {"name": "initial", "alpha": 0.25}}
    )
    blocks: Any = built.network.blocks
    for block in blocks:
        assert isinstance(block.conv, GATv2Conv)
        assert (block.conv.heads, block.conv.negative_slope, block.conv.target_weight) == (4, 0.3, None)
        assert block.residual.alpha == 0.25
    last = {"name": "gat", "heads": 1, "attention_dropout": 0.6}
    built = zoo.build(
        "smoke/gat",
        {**SMALL, "model.ends": "conv", "model.last_conv": last, "model.activation": "elu", "model.dropout": 0.2},
    )
    blocks = built.network.blocks
    first, final = blocks[0], blocks[-1]
    assert isinstance(final.conv, GATConv)
    assert (first.conv.heads, final.conv.heads) == (4, 1)
    assert (first.conv.attention_dropout, final.conv.attention_dropout) == (0.1, 0.6)
    assert isinstance(first.activation, nn.ELU)
    assert first.dropout.p == 0.2


def test_a_factory_waits_for_what_the_builder_supplies():
    """A component within a component is itself a factory, whichever table it comes from."""
    inner = Component(name="gin", options={"activation": Component(name="tanh"), "layers": 3})
    made = factory(inner, "convs")(5, 7)
    assert [type(part).__name__ for part in made.mlp] == ["Linear", "Tanh", "Linear", "Tanh", "Linear"]
    assert made.mlp[0].weight.shape == (5, 7)


def test_normalisers_of_both_sites_in_one_list():
    """Weight normalisers go to the matrices in their order, feature normalisers to the blocks in theirs."""
    chosen = ["layer", {"name": "frobenius", "c": 2.0}, {"name": "pair", "scale": 0.5}, {"name": "frobenius", "c": 0.5}]
    built = zoo.build("smoke/res-gcn", {**SMALL, "normalizer": chosen})
    blocks: Any = built.network.blocks
    for block in blocks:
        assert [type(norm) for norm in block.norms] == [LayerNorm, PairNorm]
        assert [norm.width for norm in block.norms] == [16, 16]
    normalization = built.network.normalization
    assert isinstance(normalization, WeightNormalization)
    assert [type(n) for n in normalization.bounded()] == [Frobenius, Frobenius]
    assert [float(n.c.flatten()[0]) for n in normalization.bounded()] == [2.0, 0.5]
    effective = normalization(built.network.block_matrices())
    assert [w.detach().norm().item() for w in effective.values()] == pytest.approx([0.5] * 4)


@pytest.mark.parametrize("normalizer", ["none", "layer", ["none", "layer"]])
def test_without_a_weight_normaliser_nothing_is_attached(normalizer):
    """`none` and feature normalisers leave the matrices to themselves."""
    assert zoo.build("smoke/res-gcn", {**SMALL, "normalizer": normalizer}).network.normalization is None


def test_optimiser_groups_cover_every_parameter_once():
    """Each prefix has its options, the rest the optimiser's own."""
    groups = {"blocks": {"weight_decay": 0.1}, "blocks.1": {"lr": 0.5}, "head": {"lr": 0.25, "weight_decay": 0}}
    built = zoo.build("smoke/res-gcn", {**SMALL, "optimizer": {"name": "adamw", "lr": 0.01, "groups": groups}})
    chosen = {id(p): (g["lr"], g["weight_decay"]) for g in built.optimizer.param_groups for p in g["params"]}
    parameters = dict(built.network.named_parameters())
    assert len(chosen) == len(parameters) == sum(len(g["params"]) for g in built.optimizer.param_groups)
    found = {name: chosen[id(parameter)] for name, parameter in parameters.items()}
    assert found["encoder.linear.weight"] == (0.01, 0.01)
    assert found["blocks.0.conv.weight"] == (0.01, 0.1)
    assert found["blocks.1.conv.weight"] == (0.5, 0.01)
    assert found["head.linear.bias"] == (0.25, 0)


def test_parameters_of_a_normaliser_are_trained():
    """The gains of weight normalisation are parameters of the network, and the optimiser has them."""
    built = zoo.build("smoke/res-gcn", {**SMALL, "normalizer": "weight-norm"})
    gains = [p for name, p in built.network.named_parameters() if name.endswith(".g")]
    trained = {id(p) for group in built.optimizer.param_groups for p in group["params"]}
    assert len(gains) == 1 and id(gains[0]) in trained
    before = gains[0].detach().clone()
    step(built)
    assert not torch.equal(gains[0], before)


@pytest.mark.parametrize("recipe", ["cora-gcn", "cora-res-gcn-64"])
@pytest.mark.parametrize("name", REAL)
def test_data_sets_swap_by_name(zoo_data, monkeypatch, recipe, name):
    """Cora's recipes run on every other data set that is there, by its name alone, and the record can be written."""
    monkeypatch.setenv("ZOO_DATA", str(zoo_data))
    built = zoo.build(recipe, {"dataset.name": name, "model.depth": 2, "model.width": 8}, device="cpu")
    assert loss_of(built).isfinite()
    assert built.task.out_width == REAL[name]
    assert built.network(built.graph, built.data.features).shape == (built.data.nodes, REAL[name])
    assert built.task.metric == ("rocauc" if name in ("minesweeper", "tolokers") else "accuracy")
    assert 0 <= built.task.scores(built.network.eval())("val") <= 1
    assert json.dumps([built.data.facts, built.split.facts])


@pytest.mark.parametrize("name", ABSENT)
def test_data_that_is_missing_is_one_error(monkeypatch, tmp_path, name):
    """Without files and network, one error lists all missing files and where to put them."""
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    with pytest.raises(DataMissing) as caught:
        zoo.build("cora-res-gcn-64", {"dataset.name": name})
    text = str(caught.value)
    assert text.startswith(f"data set {name} — ")
    assert "files are missing" in text
    assert f"{Store().cache}" in text
    assert "ZOO_DATA" in text


def test_a_normaliser_without_a_site_is_refused(table):
    """A class that says neither weights nor features cannot be placed; the error says what to derive from."""

    @normalizers.register("placeless")
    class Placeless(nn.Module):
        """Neither here nor there."""

    with pytest.raises(BuildError, match=r"normalizer.placeless — has no site — expected a class derived from"):
        zoo.build("smoke/res-gcn", {**SMALL, "normalizer": "placeless"})


def test_weights_to_normalise_have_to_be_there(table):
    """A weight normaliser on blocks without matrices is an error; without it, or with none, they train."""

    @convs.register("passing")
    class Passing(Conv):
        """Means of neighbours, and no weight."""

        def forward(self, graph: Any, x: torch.Tensor) -> torch.Tensor:
            return graph.propagate(x, "right")

    bare = {**SMALL, "model.conv": "passing"}
    with pytest.raises(BuildError, match=r"normalizer — stack has no weight matrix inside its blocks"):
        zoo.build("smoke/initial", {**bare, "normalizer": "frobenius"})
    for normalizer in ("none", "layer"):
        step(zoo.build("smoke/initial", {**bare, "normalizer": normalizer}))


@pytest.mark.parametrize("recipe", ["smoke/res-gcn", "smoke/gcn"])
@pytest.mark.parametrize("depth", [1, 1024])
def test_the_ends_of_depth_build_and_run(recipe, depth):
    """One block and 1024 blocks of width 4 take a step: some weight moves, all stay finite."""
    normalizer = {"name": "frobenius", "c": 0.01} if recipe == "smoke/res-gcn" else "none"
    built = zoo.build(recipe, {**SMALL, "model.depth": depth, "model.width": 4, "normalizer": normalizer})
    before = [p.detach().clone() for p in built.network.parameters()]
    assert len(built.network.blocks) == depth
    step(built)
    assert any(not torch.equal(old, new) for old, new in zip(before, built.network.parameters(), strict=True))
    assert all(bool(p.isfinite().all()) for p in built.network.parameters())


# Which weights a seed gives: a normaliser draws no numbers, so only projection, which writes into them, shows.
SAME = [
    {"name": "frobenius", "c": 0.5},
    {"name": "spectral", "method": "power"},
    {"name": "orthogonal", "method": "qr"},
    "weight-norm",
    "layer",
    "batch",
    "pair",
    {"name": "frobenius", "c": "auto"},
    ["layer", {"name": "frobenius", "c": 0.5}],
]


@pytest.mark.parametrize("normalizer", SAME, ids=str)
@pytest.mark.parametrize("recipe", ["smoke/res-gcn", "smoke/res-gat"])
def test_a_seed_gives_the_same_weights_whatever_normalises_them(recipe, normalizer):
    """Encoder, blocks and head are bitwise those of the network without a normaliser, and so is the split."""
    plain = zoo.build(recipe, {**SMALL, "normalizer": "none"}, seed=3)
    other = zoo.build(recipe, {**SMALL, "normalizer": normalizer, "model.dropout": 0.3}, seed=3)
    for name, value in plain.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[name]), name
    assert torch.equal(plain.split.train, other.split.train)


def test_projection_writes_into_the_same_weights():
    """With mode project the drawn weights are the same, too: the stored ones are those, normalised."""
    plain = zoo.build("smoke/res-gcn", {**SMALL, "normalizer": "none"}, seed=3)
    mode = {"name": "frobenius", "c": 0.5, "mode": "project"}
    projected = matrices(zoo.build("smoke/res-gcn", {**SMALL, "normalizer": mode}, seed=3))
    for name, matrix in matrices(plain).items():
        torch.testing.assert_close(projected[name], 0.5 * matrix / matrix.norm())


def test_dropout_masks_do_not_depend_on_measuring_or_calibrating():
    """Training begins with the same random state with and without `c: auto`: the first masks are the same, too."""
    states = []
    for c in (1.0, "auto"):
        changes = {**SMALL, "normalizer": {"name": "frobenius", "c": c}, "model.dropout": 0.5}
        with prepare_process(zoo.build("smoke/res-gcn", changes, seed=3).process):
            states.append(torch.get_rng_state())
    assert torch.equal(*states)


def test_building_leaves_the_process_alone(monkeypatch):
    """Threads, the allocator's thresholds and every generator's state are as before; `prepare_process` sets them."""
    told = []
    monkeypatch.setattr("zoo.system.glibc._set_threshold", lambda library, size: told.append(size))
    threads, before = torch.get_num_threads(), random_state()
    changes = {"execution.threads": threads + 1, "training.memory": "checkpoint", "normalizer.c": "auto"}
    built = zoo.build("smoke/res-gcn", {**SMALL, **changes, "normalizer.name": "frobenius"})
    assert torch.get_num_threads() == threads and not told
    assert str(random_state()) == str(before)
    with prepare_process(built.process):
        assert torch.get_num_threads() == threads + 1 and str(random_state()) != str(before)
    assert torch.get_num_threads() == threads and str(random_state()) == str(before)
    assert len(told) in (0, 2)  # elsewhere than with glibc, nothing


def test_choices_are_recorded_with_reasons():
    """Device, kernel, threads, split, metric and embedding always, c where it was calibrated; each of them once."""
    plain = zoo.build("smoke/res-gcn", SMALL, device="cpu")
    assert (plain.choices[0].what, plain.choices[0].why) == ("device", "asked for")
    auto = zoo.build("smoke/res-gcn", {**SMALL, "normalizer": {"name": "frobenius", "c": "auto"}})
    always = [choice.what for choice in plain.choices]
    assert sorted(always) == ["device", "embedding", "kernel", "metric", "split", "threads"]
    assert [choice.what for choice in auto.choices] == [*always, "c"]
    assert all(choice.why for choice in auto.choices)


def test_what_is_kept_of_the_blocks_is_recorded():
    """In words that say how much it is."""
    bounded = {**SMALL, "normalizer": {"name": "frobenius", "c": 0.5}}
    built = zoo.build("smoke/res-gcn", {**bounded, "training.memory": "checkpoint"}, device="cpu")
    (choice,) = (choice for choice in built.choices if choice.what == "memory")
    assert choice.chosen == "checkpoint" and "inputs are kept" in choice.why


def test_a_run_whose_c_was_calibrated_is_opened_again(tmp_path):
    """Its c, found in the run, is among its weights."""
    changes = {"model.depth": 64, "normalizer": {"name": "frobenius", "c": "auto"}, "training.memory": "checkpoint"}
    run = zoo.train("smoke/res-gcn", {**changes, "training.duration": 2, "probes": "none"}, runs=tmp_path)
    assert run.status == "finished"
    network = zoo.load(run)
    assert all(float(c.max()) < 0.9 for _, c in network.bounds())
    assert not any(buffers._rings for buffers in Buffers._all)  # what training took is given back


@pytest.fixture
def drawn(table):
    """A data set that draws its features and masks from every source of chance, without a seed of its own."""

    @datasets.register("drawn")
    def drawn(store: Store) -> NodeData:
        places = torch.randperm(40)
        masks = torch.zeros(3, 40, dtype=torch.bool)
        masks[0, places[:20]] = masks[1, places[20:30]] = masks[2, places[30:]] = True
        noise = [[random.random(), float(np.random.rand())] for _ in range(40)]  # noqa: NPY002 - the global generator
        ring = torch.arange(40)
        split = Masks(masks[:1], masks[1:2], masks[2:])
        return NodeData("drawn", ring, ring.roll(1), torch.tensor(noise), ring % 2, 2, masks={"public": split})

    return {"dataset": "drawn", "split": "public", "execution.device": "cpu"}


def test_what_a_data_set_draws_follows_from_the_seed(drawn):
    """Data are loaded after everything is seeded: the same seed gives the same, whatever was drawn before."""
    first = zoo.build("smoke/mlp", drawn, seed=1)
    for draw in (torch.rand, np.random.rand, lambda _: random.random()):
        draw(7)
    again, other = (zoo.build("smoke/mlp", drawn, seed=seed) for seed in (1, 2))
    assert torch.equal(first.data.features, again.data.features)
    assert torch.equal(first.split.test, again.split.test)
    assert first.material == again.material
    assert not torch.equal(first.split.test, other.split.test)
    assert all(first.material[what] != other.material[what] for what in first.material)


def test_the_digest_is_of_the_data_as_they_were():
    """How data are prepared is the recipe's, and no other data."""
    built = [zoo.build("smoke/gcn", {**SMALL, "prepare.features": scaled}) for scaled in ("none", "standardize")]
    assert not torch.equal(built[0].data.features, built[1].data.features)
    assert built[0].data.digest == built[1].data.digest


def test_processes_with_other_data_do_not_train_together():
    """Digests that differ are refused in each process, naming what and where."""

    class Three(Team):
        def gather(self, value):
            return [value, value, "blake2b:other"]

    _check_same(Team(), {"data set drawn": "blake2b:one"})
    with pytest.raises(TrainingError, match="data set drawn — process 2 has another than process 0"):
        _check_same(Three(size=3), {"data set drawn": "blake2b:one"})
