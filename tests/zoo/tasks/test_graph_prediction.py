"""Whole graphs: loss and scores against dense closed forms and scikit-learn, batches, and every model on them."""

import math
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

import zoo
from registry import models
from zoo.datasets.base import GraphData, LabelKind, Split
from zoo.graphs.graph import Graph
from zoo.probes.presets import standard
from zoo.probes.snapshot import snapshot
from zoo.sampling.batching import TaskSetting
from zoo.tasks.graph_prediction import GraphPrediction

SIZES = [3, 2, 4, 1, 5, 2, 3, 4]
LABELS: dict[LabelKind, Tensor] = {
    "classes": torch.tensor([0, 1, 2, 0, 1, 2, 0, 1]),
    "binary": torch.tensor([[0, 1], [1, math.nan], [1, 0], [math.nan, 1], [0, 0], [1, 1], [0, 1], [1, 0]]).float(),
    "values": torch.tensor([[1, 50], [3, math.nan], [8, 90], [2, 10], [5, 30], [6, 20], [7, 80], [4, 60]]).float(),
}
WIDTH = {"classes": 3, "binary": 2, "values": 2}
METRIC = {"classes": "accuracy", "binary": "rocauc", "values": "rmse"}


# These want features on the edges, which the random graphs do not have.
READ_EDGES = {"gine", "res-gine", "gcn-edge", "res-gcn-edge"}


class Means(nn.Module):
    """A network that takes each graph's mean of the features for its answer, and counts its passes."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))
        self.passes: list[int] = []

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        assert graph.sizes is not None and graph.nodes == len(x)
        self.passes.append(len(graph.sizes))
        return self.scale * graph.graph_mean(x)


def rings(sizes: list[int]) -> Tensor:
    """The edges of a ring in each graph, over nodes numbered through."""
    nodes = torch.arange(sum(sizes))
    ends = torch.tensor(sizes).cumsum(0)
    after = nodes + 1
    after[ends - 1] = ends - torch.tensor(sizes)
    return torch.stack([nodes, after])


def data(problem: LabelKind = "classes") -> GraphData:
    """Eight rings, each node with the number of its graph in its features."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(sum(SIZES), WIDTH[problem], generator=generator)
    src, dst = rings(SIZES)
    return GraphData(
        "toy",
        src,
        dst,
        torch.tensor(SIZES),
        features,
        LABELS[problem],
        WIDTH[problem],
        metric=METRIC[problem],
        problem=problem,
    )


SPLIT = Split("toy", torch.tensor([6, 0, 2, 5, 1]), torch.tensor([4, 3]), torch.tensor([7, 4, 3, 2]))


def task(problem: LabelKind = "classes", **options: Any) -> GraphPrediction:
    """The task on them, in batches of two."""
    return GraphPrediction(data(problem), SPLIT, TaskSetting(), **{"batch_size": 2, **options})


def answers(problem: LabelKind, ids: Tensor) -> Tensor:
    """What `Means` says of graphs, one graph at a time."""
    parts = data(problem).features.split(SIZES)
    return torch.stack([parts[int(k)].mean(dim=0) for k in ids])


@pytest.mark.parametrize("problem", ["classes", "binary", "values"])
def test_loss_is_the_mean_over_a_batch_of_graphs(problem):
    """Cross-entropy of classes, binary cross-entropy of what is known, squares of standardised numbers, by hand."""
    graphs = task(problem)
    for batch in graphs.batches(0):
        loss = graphs.loss(Means(), batch)
        parts = batch.features.double().split(batch.graph.sizes.tolist())
        outputs, truth = torch.stack([part.mean(dim=0) for part in parts]), batch.labels.double()
        if problem == "classes":
            wanted = (outputs.exp().sum(dim=1).log() - outputs[range(len(truth)), batch.labels]).mean()
        elif problem == "binary":
            p = 1 / (1 + (-outputs).exp())
            wanted = -(truth * p.log() + (1 - truth) * (1 - p).log())[~truth.isnan()].mean()
        else:
            train = LABELS[problem][SPLIT.train].double()
            standard = (truth - torch.tensor(np.nanmean(train, 0))) / torch.tensor(np.nanstd(train, 0))
            wanted = (outputs - standard).square()[~truth.isnan()].mean()
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(float(wanted), rel=1e-5)


def test_every_training_graph_is_in_one_batch_of_an_epoch():
    """In an order of each epoch's own; a training may go on at any batch; processes share each batch."""
    graphs = task()

    def held(batches: Any) -> list[list[int]]:
        return [batch.graph.sizes.tolist() for batch in batches]

    first, second = held(graphs.batches(0)), held(graphs.batches(1))
    everything = sorted(SIZES[k] for k in SPLIT.train)
    assert [len(batch) for batch in first] == [2, 2, 1] and graphs.steps_per_epoch == 3
    assert sorted(chain(*first)) == sorted(chain(*second)) == everything
    assert first == held(graphs.batches(0)) and first != second
    assert held(graphs.batches(1, start=1)) == second[1:]
    shared = [GraphPrediction(data(), SPLIT, TaskSetting(rank=rank, processes=2), batch_size=2) for rank in (0, 1)]
    pairs = list(zip(*(each.batches(0) for each in shared), strict=True))
    assert [held(pair) for pair in pairs] == [[batch[0::2], batch[1::2]] for batch in first]
    losses = [[each.loss(Means(), part).item() for each, part in zip(shared, pair, strict=True)] for pair in pairs]
    whole = [graphs.loss(Means(), batch).item() for batch in graphs.batches(0)]
    assert [sum(pair) / 2 for pair in losses] == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("size", [1, 3, 256])
def test_scores_do_not_depend_on_the_batches(size):
    """Accuracy, ROC-AUC by scikit-learn, RMSE in the labels' units: of each graph alone, in the part's order."""
    for problem in ("classes", "binary", "values"):
        graphs, labels, outputs = task(problem, eval_batch_size=size), LABELS[problem], answers(problem, SPLIT.test)
        truth = labels[SPLIT.test]
        if problem == "classes":
            wanted = float((outputs.argmax(1) == truth).double().mean())
        elif problem == "binary":
            wanted = float(np.mean([roc_auc_score(y[~y.isnan()], s[~y.isnan()]) for s, y in zip(outputs.T, truth.T)]))  # noqa: B905
        else:
            train = labels[SPLIT.train].double()
            mean, deviation = np.nanmean(train, 0), np.nanstd(train, 0)
            off = outputs.numpy() * deviation + mean - truth.numpy()
            wanted = float(np.sqrt(np.nanmean(off**2, 0)).mean())
        assert graphs.scores(Means())("test") == pytest.approx(wanted, rel=1e-5)


def test_a_part_is_predicted_when_it_is_asked_for():
    """Asking for val costs a pass over val, two graphs, and nothing of the others."""
    graphs, network = task(), Means()
    score = graphs.scores(network)
    assert network.passes == []
    score("val")
    assert network.passes == [2]


@pytest.mark.parametrize("kept", [True, False])
def test_batches_to_be_scored_are_made_once_if_they_are_small(kept, monkeypatch):
    """The same graphs serve each validation, unless they are too large to be kept; the scores are the same."""
    if not kept:
        monkeypatch.setattr("zoo.tasks.graph_prediction._KEPT", 3)
    graphs, seen = task("values"), []

    class Listening(Means):
        def forward(self, graph, x):
            seen.append(graph)
            return super().forward(graph, x)

    score = graphs.scores(Listening())
    assert score("val") == score("val")
    assert (seen[0] is seen[1]) == kept


def test_standardising_takes_the_training_parts_moments():
    """Of what is known; the record says them. Without it the outputs are the numbers themselves."""
    graphs = task("values")
    train = LABELS["values"][SPLIT.train].double()
    torch.testing.assert_close(graphs.mean.double(), torch.tensor(np.nanmean(train, 0)))
    torch.testing.assert_close(graphs.deviation.double(), torch.tensor(np.nanstd(train, 0)))
    assert graphs.choices[0][:2] == ("labels", "mean 5, 60, deviation 2.60768, 27.3861")
    plain = task("values", standardize=False)
    off = answers("values", SPLIT.val) - LABELS["values"][SPLIT.val]
    assert plain.scores(Means())("val") == pytest.approx(float(off.square().mean(0).sqrt().mean()), rel=1e-6)
    assert plain.choices == [] and task("classes").choices == []


def test_labels_that_do_not_vary_are_centred_only():
    """A constant column, one of a single number, and one that is nowhere known: no division by 0, no NaN."""
    labels = torch.tensor([[5.0, math.nan, math.nan]] * 8)
    labels[6, 1] = 4.0
    given = replace(data("values"), features=torch.randn(24, 3), labels=labels, classes=3, metric="mae")
    graphs = GraphPrediction(given, SPLIT, TaskSetting())
    assert graphs.mean.tolist() == [5, 4, 0] and graphs.deviation.tolist() == [1, 1, 1]
    assert all(graphs.loss(Means(), batch).isfinite() for batch in graphs.batches(0))


def test_a_prediction_names_its_graphs():
    """Numbers, outputs in the labels' units, labels and the score of a part, in its order."""
    graphs = task("values")
    prediction = graphs.predict(Means(0.0), "test")
    assert prediction.arrays["graph"].tolist() == SPLIT.test.tolist()
    torch.testing.assert_close(prediction.arrays["output"], torch.tensor([[5.0, 60]] * 4))
    assert torch.equal(prediction.arrays["label"].nan_to_num(-1), LABELS["values"][SPLIT.test].nan_to_num(-1))
    assert prediction.score == graphs.scores(Means(0.0))("test")
    skill = graphs.skill(prediction.score, "test")
    assert skill is not None and skill <= 0


def test_chance_is_that_of_the_part():
    """The share of the most frequent class of the part, and the deviation of its numbers."""
    assert task().chance("test") == 0.5
    off = LABELS["values"][SPLIT.test] - LABELS["values"][SPLIT.test].mean(0)
    assert task("values").chance("test") == pytest.approx(float(off.square().mean(0).sqrt().mean()), rel=1e-6)
    assert task("values").perfect == 0 and not task("values").higher_is_better


def test_moving_keeps_the_whole_where_it_is():
    """Batches go to the device; what they are cut from does not."""
    graphs = task("values").to(torch.device("meta"))
    assert {each.device.type for each in (graphs.mean, graphs.deviation)} == {"meta"}
    assert graphs.graph.device.type == "meta" and graphs.features.device.type == "cpu"


@pytest.mark.parametrize("task_options", [{"name": "graphs"}, {"name": "graphs", "pool": "attention"}])
@pytest.mark.parametrize("name", sorted(set(models.names()) - READ_EDGES))
def test_every_model_learns_from_graphs(name, task_options):
    """Built by the builder, each model of the zoo takes steps whose gradients are finite and reach its ends."""
    options = {} if name in ("sgc", "appnp", "dagnn") else {"width": 8}
    given = {"task": task_options, "model": {"name": name, **options}, "dataset.graphs": 12}
    if name == "stack":
        given["model"] |= {"conv": "gcn", "residual": "add"}
    built = zoo.build("smoke/graphs", {**given, "normalizer": "none", "prepare.self_loops": "add"})
    batch = next(iter(built.task.batches(0)))
    for _ in range(2):
        loss = built.task.loss(built.network, batch)
        built.optimizer.zero_grad()
        loss.backward()
        gradients = [p.grad for p in built.network.parameters() if p.grad is not None]
        assert gradients and all(each.isfinite().all() for each in gradients)
        built.optimizer.step()
    assert built.network(batch.graph, batch.features).shape == (len(batch.labels), 3)
    assert 0 <= built.task.scores(built.network.eval())("test") <= 1


CONVS = ["gcn", "gat", "gatv2", "sage", "gin", "dgl.nn.SAGEConv", "dgl.nn.GATConv", "dgl.nn.ChebConv", "dgl.nn.TAGConv"]
NEEDED: dict[str, dict[str, Any]] = {
    "dgl.nn.SAGEConv": {"aggregator_type": "mean"},
    "dgl.nn.GATConv": {"num_heads": 2},
    "dgl.nn.ChebConv": {"k": 2},
}


@pytest.mark.parametrize("residual", ["add", "initial", "jumping"])
@pytest.mark.parametrize("conv", CONVS)
def test_a_batch_gives_what_each_graph_alone_gives(conv, residual):
    """Sixteen blocks with a norm over each graph, the zoo's convolutions and DGL's: no graph hears of another."""
    model = {"name": "stack", "conv": {"name": conv, **NEEDED.get(conv, {})}, "residual": residual, "depth": 16}
    built = zoo.build("smoke/graphs", {"model": {**model, "width": 4}, "dataset.graphs": 9, "task.batch_size": 4})
    graphs: Any = built.task
    network, graphs = built.network.double().eval(), graphs.graphs
    features = torch.randn(graphs.sizes.sum(), 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def outputs(ids: list[int]) -> Tensor:
        graph, nodes = graphs.batch(torch.tensor(ids))
        return network(graph, features[nodes]).detach()

    torch.testing.assert_close(outputs([3, 0, 8]), torch.cat([outputs([k]) for k in (3, 0, 8)]), rtol=1e-8, atol=1e-8)


def test_probes_read_a_batch_as_the_union_it_is():
    """μ of gradients and representations, by torch.linalg over the nodes of all graphs, and the limits of the union."""
    given = {"model": {"name": "res-gcn", "depth": 16, "width": 8}, "prepare.self_loops": "add", "normalizer": "none"}
    built = zoo.build("smoke/graphs", given)
    network, batch = built.network.double(), next(iter(built.task.batches(0)))
    x, union = batch.features.double(), Graph(batch.graph.dgl)
    kept: list[Tensor] = []
    hooks = [block.register_forward_hook(lambda *hooked: kept.append(hooked[2])) for block in network.blocks]

    def loss(graph: Graph) -> Tensor:
        network.train()
        return nn.functional.cross_entropy(network(graph, x), batch.labels)

    gradients = torch.autograd.grad(loss(batch.graph), kept)
    for hook in hooks:
        hook.remove()
    reading = snapshot(network, standard(), lambda: loss(batch.graph)).plain()
    for side, rows in (("gradients", gradients), ("representations", [each.detach() for each in kept])):
        mu = [float(torch.linalg.matrix_norm(each - each.mean(dim=0))) for each in rows]
        assert reading[f"{side}.mu.plain"] == pytest.approx(mu, rel=1e-6)
    pooled = network.pooling
    network.pooling = None
    belongs = (batch.graph.graph_ids == torch.arange(len(batch.labels))[:, None]).double()

    def of_union() -> Tensor:  # the head is linear, so that sums over graphs may come after it but for its bias
        outputs = network(union, x) - network.head.linear.bias  # pyright: ignore
        return nn.functional.cross_entropy(belongs @ outputs + network.head.linear.bias, batch.labels)  # pyright: ignore

    apart = snapshot(network, standard(), of_union).plain()
    network.pooling = pooled
    assert apart.keys() == reading.keys()
    within = {name: value for name, value in apart.items() if name.startswith(("gradients.", "representations."))}
    assert any("limit" in name for name in within)
    for name, value in within.items():
        assert reading[name] == pytest.approx(value, rel=2e-6, abs=1e-12), name


@pytest.mark.parametrize(
    "overrides",
    [
        {"normalizer": [{"name": "frobenius", "c": "auto"}, {"name": "pair"}]},
        {"normalizer": {"name": "spectral", "c": "adaptive"}},
        {"normalizer": ["dgn"], "regularizer": ["drop-edge", "orthogonality"]},
        {"normalizer": ["contra", "layer"], "regularizer": {"name": "skip-node"}},
        {"training.precision": "bf16", "task.pool": "attention", "normalizer": "instance"},
        {"training.precision": "bf16", "task.pool": "max", "normalizer": "batch"},
        {"model.residual": {"name": "jumping", "merge": "lstm"}, "task.pool": "attention", "normalizer": "mean"},
        {"initializer": "g-init", "normalizer": "none"},
        {"probes": {"name": "deep", "every": "1 step"}, "normalizer": "none"},
    ],
    ids=lambda overrides: "-".join(map(str, overrides)),
)
def test_deep_networks_train_on_graphs(tmp_path, overrides):
    """Sixteen residual blocks with normalisers, regularisers, half precision, poolings and probes run to the end."""
    given = {"model.name": "stack", "model.conv": "gcn", "model.residual": "add", "model.depth": 16}
    options = {"dataset.graphs": 20, "training.duration": "2 epochs", "task.batch_size": 5, **given, **overrides}
    run = zoo.train("smoke/graphs", {**options, "prepare.self_loops": "add"}, runs=tmp_path)
    assert run.result["status"] == "finished"
    assert run.test is not None and 0 <= run.test <= 1 and all(math.isfinite(loss) for loss in run.metrics["loss"])
