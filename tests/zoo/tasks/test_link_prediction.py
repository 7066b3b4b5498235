"""Link prediction: loss and scores against numbers worked out apart, and no way for held-out links into training."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

import zoo
from registry import decoders
from zoo.datasets.base import LinkData, LinkSplit, NodeData, Official, Split
from zoo.datasets.link_splits import links
from zoo.datasets.synthetic import block_model
from zoo.errors import BuildError
from zoo.graphs.graph import Graph
from zoo.layers.decoders import Dot
from zoo.layers.gcn import GCNConv
from zoo.layers.residual import NoSkip
from zoo.metrics.ranking import MRR, Hits
from zoo.models.stack import Stack
from zoo.sampling.batching import TaskSetting
from zoo.tasks.base import Part
from zoo.tasks.link_prediction import LinkPrediction

NODES = 120
DATA: NodeData = block_model(None, nodes=NODES, features=8, degree=6.0)  # pyright: ignore[reportArgumentType]
SPLIT = links(DATA, 0, val=0.1, test=0.2, negatives=3)
PARTS: tuple[Part, ...] = ("train", "val", "test")


class Fixed(nn.Module):
    """A network whose rows are given, with a dot product; it keeps the graphs that it is called with."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows, self.decoder = nn.Parameter(rows), Dot(rows.shape[1])
        self.graphs: list[Graph] = []

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        self.graphs.append(graph)
        return self.rows


def rows(seed: int = 0) -> Tensor:
    """A row for each node."""
    return torch.randn(NODES, 4, generator=torch.Generator().manual_seed(seed))


def task(split: Any = SPLIT, data: Any = DATA, setting: TaskSetting | None = None, **options: Any) -> LinkPrediction:
    """The task, by default on a block model."""
    return LinkPrediction(data, split, setting or TaskSetting(), **options)


def tuples(pairs: Tensor) -> set[tuple[int, int]]:
    """Pairs as Python has them."""
    return {(a, b) for a, b in pairs.flatten(1).T.tolist()}


def turned(pairs: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """The pairs in the other direction."""
    return {(b, a) for a, b in pairs}


def edges_of(graph: Graph) -> set[tuple[int, int]]:
    """The edges that a graph computes along."""
    return tuples(torch.stack([graph.structure.src, graph.structure.dst]).long())


def test_loss_is_the_binary_cross_entropy_of_both_kinds():
    """PyTorch's, in float64, over links and over drawn pairs, each by its mean; gradients come back."""
    of, network = task(negatives=2), Fixed(rows())
    (batch,) = of.batches(0)
    assert tuples(batch.positive) == tuples(SPLIT.train) and batch.negative.shape[1] == 2 * SPLIT.train.shape[1]
    dense = (rows().double() @ rows().double().T).sigmoid()
    positive, negative = (dense[pairs[0], pairs[1]] for pairs in (batch.positive, batch.negative))
    loss = of.loss(network, batch)
    assert loss.item() == pytest.approx(-(positive.log().mean() + (1 - negative).log().mean()).item(), rel=1e-5)
    loss.backward()
    assert network.rows.grad is not None and network.rows.grad.isfinite().all()


def test_loss_is_in_float32_under_half_precision():
    """Logits in bfloat16 are summed in float32; huge ones, far on the wrong side, give a finite loss."""
    of, network = task(), Fixed((rows() * 1e3).bfloat16())
    loss = of.loss(network, next(of.batches(0)))
    assert loss.dtype == torch.float32 and loss.isfinite()


@pytest.mark.parametrize("decoder", ["dot", "bilinear", "hadamard-mlp"])
def test_logits_are_decoded_in_float32_under_autocast(decoder):
    """In bfloat16 most scores would tie, and ranks change: they, and the loss, are those without autocast."""
    of = task(decoder=decoders.get(decoder))
    network: Any = Fixed(rows())
    network.decoder = of.make_decoder(rows().shape[1])
    batch = next(of.batches(0))
    plain = of.predict(network, "val").arrays["score"], of.loss(network, batch)
    with torch.autocast("cpu", torch.bfloat16):
        half = of.predict(network, "val").arrays["score"], of.loss(network, batch)
    assert torch.equal(half[0], plain[0]) and torch.equal(half[1], plain[1])
    assert len(half[0].unique()) > len(half[0].bfloat16().unique())


def test_every_training_link_once_an_epoch():
    """Batches of 50 hold each link once, in another order each epoch, each with as many pairs of its own epoch."""
    of = task(batch_size=50)
    one, two = list(of.batches(0)), list(of.batches(1))
    assert len(one) == of.steps_per_epoch == math.ceil(SPLIT.train.shape[1] / 50)
    for epoch in (one, two):
        together = torch.cat([batch.positive for batch in epoch], dim=1)
        assert together.shape[1] == SPLIT.train.shape[1] and tuples(together) == tuples(SPLIT.train)
        assert all(batch.positive.shape == batch.negative.shape for batch in epoch)
    drawn = [batch.negative for epoch in (one, two) for batch in epoch]
    assert len({tuple(pairs.flatten().tolist()) for pairs in drawn}) == len(drawn)
    assert not torch.equal(one[0].positive, two[0].positive)


def test_an_epoch_can_be_entered_anywhere():
    """Batches from the third on are the same, whether those before were made or not."""
    for one, other in zip(list(task(batch_size=50).batches(4))[2:], task(batch_size=50).batches(4, 2), strict=True):
        assert torch.equal(one.positive, other.positive) and torch.equal(one.negative, other.negative)


@pytest.mark.parametrize("size", [None, 50])
@pytest.mark.parametrize("processes", [2, 3, 60])
def test_processes_share_each_batch(size, processes):
    """Their losses have the mean one process has, even where some get no link; no link is in two shares."""
    network = Fixed(rows())
    alone = task(batch_size=size, negatives=2)
    shares = [
        task(batch_size=size, negatives=2, setting=TaskSetting(rank=r, processes=processes)) for r in range(processes)
    ]
    for batch, *parts in zip(alone.batches(0), *(share.batches(0) for share in shares), strict=True):
        losses = [share.loss(network, part) for share, part in zip(shares, parts, strict=True)]
        assert torch.stack(losses).mean().item() == pytest.approx(alone.loss(network, batch).item(), rel=1e-5)
        together = torch.cat([part.positive for part in parts], dim=1)
        assert together.shape == batch.positive.shape and tuples(together) == tuples(batch.positive)


def test_scores_are_those_of_all_pairs():
    """Each part against scikit-learn on a dense matrix of logits, from one forward pass over the message graph."""
    of, network = task(), Fixed(rows())
    score = of.scores(network)
    dense = rows().double() @ rows().double().T
    pairs_of_part: dict[Part, tuple[Tensor, Tensor]] = {
        "val": (SPLIT.val, SPLIT.val_negative),
        "test": (SPLIT.test, SPLIT.test_negative),
    }
    for part, (positive, negative) in pairs_of_part.items():
        logits = torch.cat([dense[pairs[0], pairs[1]] for pairs in (positive, negative)])
        truth = [1] * positive.shape[1] + [0] * negative.shape[1]
        assert score(part) == pytest.approx(roc_auc_score(truth, logits), abs=1e-6)
    assert len(network.graphs) == 1
    assert of.metric == "auc" and of.chance("val") == 0.5


def test_scores_do_not_depend_on_chunks(monkeypatch):
    """Decoding seven pairs at a time gives the same as all at once, for others of each link too."""
    own = replace(
        SPLIT, val_negative=SPLIT.val_negative.view(2, -1, 3), test_negative=SPLIT.test_negative.view(2, -1, 3)
    )
    for split in (SPLIT, own):
        of = task(split, metric=MRR)
        whole = [of.scores(Fixed(rows()))(part) for part in PARTS]
        monkeypatch.setattr("zoo.tasks.link_prediction._CHUNK", 7)
        assert [of.scores(Fixed(rows()))(part) for part in PARTS] == whole
        monkeypatch.undo()


def test_each_link_can_have_its_own_others():
    """Others [2, links, n] are ranked link by link, and those of train are pairs of its sources."""
    own = replace(SPLIT, val_negative=SPLIT.val_negative.view(2, -1, 3))
    of = task(own, metric=MRR)
    dense = rows() @ rows().T
    ranks = [
        1 + int((dense[own.val_negative[0, place], own.val_negative[1, place]] > dense[a, b]).sum())
        for place, (a, b) in enumerate(own.val.T.tolist())
    ]
    assert of.scores(Fixed(rows()))("val") == pytest.approx(sum(1 / rank for rank in ranks) / len(ranks))
    train = of.parts["train"]
    assert torch.equal(train.negative[1], own.val_negative[1])
    assert torch.equal(train.negative[0], train.positive[0, :, None].expand(-1, 3))
    assert of.chance("val") == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)


def test_predictions_name_every_pair():
    """Arrays hold the part's links, then the others, with the logit of each; the score is the part's."""
    of, network = task(), Fixed(rows())
    made = of.predict(network, "test")
    arrays = made.arrays
    assert set(arrays) == {"source", "target", "score", "label"}
    pairs, links_there = torch.stack([arrays["source"], arrays["target"]]), SPLIT.test.shape[1]
    assert torch.equal(pairs, torch.cat([SPLIT.test, SPLIT.test_negative], dim=1))
    assert arrays["label"].tolist() == [1] * links_there + [0] * SPLIT.test_negative.shape[1]
    assert torch.allclose(arrays["score"], (rows() @ rows().T)[pairs[0], pairs[1]], atol=1e-5)
    assert made.score == of.scores(network)("test")


def test_held_out_links_are_no_edges():
    """In training and in evaluation the network is given the message graph, without val and test links either way."""
    network, held = Fixed(rows()), tuples(SPLIT.val) | tuples(SPLIT.test)
    for of in (task(), task(batch_size=50), task(batch_size=50, mask_batch=True)):
        for batch in of.batches(0):
            of.loss(network, batch)
        of.scores(network)
        of.predict(network, "test")
    for graph in network.graphs:
        assert not edges_of(graph) & (held | turned(held))
    assert edges_of(task().graph) == tuples(SPLIT.message)


def test_drawn_pairs_know_training_links_only():
    """They are never training links; val and test links are drawn as any other pair: to spare them would tell."""
    drawn: set[tuple[int, int]] = set()
    of = task(negatives=20)
    for epoch in range(20):
        (batch,) = of.batches(epoch)
        drawn |= tuples(batch.negative)
    assert all(a != b for a, b in drawn)
    train = tuples(SPLIT.train)
    assert not drawn & (train | turned(train))
    held = tuples(SPLIT.val) | tuples(SPLIT.test)
    assert drawn & (held | turned(held))


def trained(split: LinkSplit, **options: Any) -> list[float]:
    """The losses of a few steps of a network, and its scores in between, which must not matter."""
    of = task(split, width=16, **options)
    torch.manual_seed(0)
    network = Stack(8, 16, [], conv=GCNConv, residual=NoSkip, activation=nn.ReLU, width=16, dropout=0.3)
    of.complete(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    losses = []
    for epoch in range(4):
        for batch in of.batches(epoch):
            network.train()
            optimizer.zero_grad()
            loss = of.loss(network, batch)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        network.eval()
        of.scores(network)("val")
    return losses


@pytest.mark.parametrize("options", [{}, {"batch_size": 60}, {"batch_size": 60, "mask_batch": True}])
def test_training_knows_nothing_of_held_out_links(options):
    """Losses stay bitwise the same when val and test links and negatives are permuted, exchanged or taken away."""
    backward = SPLIT.val.shape[1] - 1 - torch.arange(SPLIT.val.shape[1])
    changed = [
        replace(SPLIT, val=SPLIT.val[:, backward], test=SPLIT.test.roll(3, 1)),
        replace(SPLIT, val=SPLIT.test, test=SPLIT.val, val_negative=SPLIT.test_negative),
        replace(SPLIT, val=SPLIT.val[:, :1], test=SPLIT.test[:, :1], val_negative=SPLIT.val_negative[:, :2]),
    ]
    losses = trained(SPLIT, **options)
    assert len(set(losses)) == len(losses)
    for split in changed:
        assert trained(split, **options) == losses


def test_masking_takes_the_steps_own_links_out():
    """A step's graph lacks its own links, in both directions, and no other edge; evaluation has them all."""
    of = task(batch_size=50, mask_batch=True)
    for batch in of.batches(0):
        own = tuples(batch.positive)
        assert edges_of(batch.graph) == tuples(SPLIT.message) - own - turned(own)
    assert edges_of(of.graph) == tuples(SPLIT.message)
    assert all(batch.graph is plain.graph for plain in [task(batch_size=50)] for batch in plain.batches(0))


def test_masking_needs_batches():
    """With all links in one step no edge would be left."""
    with pytest.raises(
        BuildError, match=r"task.mask_batch — a step that learns from all links .* expected a batch_size"
    ):
        task(mask_batch=True)


def test_train_is_scored_on_a_fixed_sample():
    """As many training links as val has, among the others of val; the same for the same seed, others for another."""
    one, same, other = task(), task(), task(setting=TaskSetting(seed=1))
    scored = one.parts["train"]
    assert scored.positive.shape == SPLIT.val.shape and tuples(scored.positive) <= tuples(SPLIT.train)
    assert torch.equal(scored.negative, SPLIT.val_negative)
    assert torch.equal(scored.positive, same.parts["train"].positive)
    assert not torch.equal(scored.positive, other.parts["train"].positive)


def test_the_network_keeps_its_decoder():
    """`complete` gives it one of the rows' width, whose parameters are the network's."""
    of = task(width=12)
    network = Stack(8, of.out_width, [], conv=GCNConv, residual=NoSkip, activation=nn.ReLU, width=16)
    of.complete(network)
    assert of.out_width == 12 and network.decoder is not None and network.decoder.width == 12
    assert {"decoder.layers.0.weight", "decoder.layers.1.bias"} <= set(network.state_dict())
    of.loss(network, next(of.batches(0))).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def shipped(**changes: Any) -> LinkData:
    """The block model as a data set that ships its links."""
    src, dst = SPLIT.message
    return replace(LinkData("toy", src, dst, DATA.features, SPLIT, metric="hits@20"), **changes)


def test_the_metric_is_the_data_sets():
    """That of the authors' own code where there is one; else its name's; AUC for links split off a graph."""
    official = Official("hits@20", True, "Their Evaluator", lambda positive, negative: 0.25)
    found = task(data=shipped(official=official))
    assert (found.metric, found.metric_reason) == ("hits@20", "Their Evaluator")
    assert found.scores(Fixed(rows()))("val") == 0.25
    assert found.chance("val") == Hits(k=20).chance(0, SPLIT.val_negative.shape[1])
    assert task(data=shipped()).metric == "hits@20"
    assert task(data=shipped(official=official), metric=MRR).metric == "mrr"
    assert task().metric == "auc" and task(metric=MRR).metric_reason == "asked for"
    with pytest.raises(
        BuildError, match=r"task.metric — accuracy on links of toy — expected a metric of links — one of"
    ):
        task(data=shipped(metric="accuracy"))


def test_other_splits_and_edge_features_are_refused():
    """A split of nodes, and edges with features of which only some are left."""
    nodes = torch.arange(3)
    with pytest.raises(
        BuildError, match=r"task links — split public is of nodes — expected one of links — split=links"
    ):
        task(Split("public", nodes, nodes, nodes))
    with pytest.raises(BuildError, match=r"expected plain edges — prepare.edge_features=drop"):
        task(data=replace(DATA, edge_features=torch.ones(len(DATA.src), 2)))
    whole = shipped(edge_features=torch.ones(SPLIT.message.shape[1], 2))
    assert task(data=whole).graph.edge_features is whole.edge_features


def test_moving_takes_every_tensor_along():
    """`to` moves graph, features, the scored pairs and what masks edges, and gives the task itself."""
    of = task(batch_size=50, mask_batch=True)
    assert of.to(torch.device("meta")) is of and of.edge_pairs is not None
    pairs = [pairs for scored in of.parts.values() for pairs in (scored.positive, scored.negative)]
    assert {moved.device.type for moved in (of.graph, of.features, of.edge_pairs, *pairs)} == {"meta"}


def test_a_deep_residual_network_learns_links(tmp_path):
    """16 blocks, a normaliser and the standard probes work as on nodes: finite gradients, AUC off chance."""
    run = zoo.train(
        "smoke/links",
        {
            "dataset.signal": 4.0,
            "dataset.homophily": 0.95,
            "model.depth": 16,
            "normalizer": {"name": "frobenius", "c": 0.5},
            "training.duration": "40 epochs",
            "probes": {"name": "standard", "every": "10%"},
        },
        runs=tmp_path,
    )
    assert run.status == "finished"
    rows = run.probes
    names = [name for name in rows[0] if name.startswith("gradients.mu")]
    assert len(rows) > 5 and names
    for row in rows:
        for name in names:
            assert len(row[name]) == 16 and all(value > 0 and math.isfinite(value) for value in row[name])
    assert run.result["train"] > 0.7
