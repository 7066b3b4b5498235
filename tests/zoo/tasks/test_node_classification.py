"""Node classification: loss and metrics against numbers worked out by hand."""

import math
from functools import partial
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score
from torch import Tensor, nn

from registry import convs, samplers
from zoo.datasets.base import NodeData, Split
from zoo.errors import BuildError
from zoo.layers.block import Block
from zoo.layers.edge_features import LinearEdgeEmbedding
from zoo.layers.network import Network
from zoo.layers.residual import AddSkip, NoSkip
from zoo.sampling.batching import TaskSetting
from zoo.tasks.node_classification import NodeClassification


class Fixed(nn.Module):
    """A network that gives the logits it was made with."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, graph: Any, x: Tensor) -> Tensor:
        return self.logits


def task(
    labels: list[int],
    train: list[int],
    val: list[int],
    test: list[int],
    *,
    classes: int = 3,
    shipped: Any = "accuracy",
    **options: Any,
) -> NodeClassification:
    """A task on nodes with those labels, on data that ships a metric."""
    ends = torch.zeros(0, dtype=torch.int64)
    data = NodeData("toy", ends, ends, torch.zeros(len(labels), 5), torch.tensor(labels), classes, metric=shipped)
    split = Split("toy", torch.tensor(train), torch.tensor(val), torch.tensor(test))
    return NodeClassification(data, split, TaskSetting(), **options)


LOGITS = torch.tensor([[2.0, 0, 0], [0, 1, 0], [0, 0, 3], [1, 0, 0], [0, 5, 0], [0, 0, 1]])


def test_loss_is_the_mean_of_minus_log_softmax():
    """Over the training nodes only: −log softmax of the label's logit, by hand."""
    nodes = task([0, 2, 2, 1, 1, 0], [0, 1], [2, 3], [4, 5])
    first = -2 + math.log(math.exp(2) + 2)
    second = -0 + math.log(math.exp(1) + 2)
    (batch,) = nodes.batches(0)
    loss = nodes.loss(Fixed(LOGITS), batch)
    assert loss.item() == pytest.approx((first + second) / 2, rel=1e-6)
    loss.backward()
    assert nodes.steps_per_epoch == 1


def test_loss_is_in_float32_under_half_precision():
    """Logits in bfloat16 are summed in float32, and gradients come back."""
    nodes, network = task([0, 2, 2, 1, 1, 0], [0, 1], [2], [3]), Fixed(LOGITS.bfloat16())
    loss = nodes.loss(network, next(nodes.batches(0)))
    loss.backward()
    assert loss.dtype == torch.float32
    assert network.logits.grad is not None


def test_accuracy_is_the_share_of_right_nodes():
    """Each part counts its own nodes: 1 of 2, 1 of 3, 1 of 1."""
    nodes = task([0, 2, 2, 1, 0, 2], [0, 1], [2, 3, 4], [5])
    score = nodes.scores(Fixed(LOGITS))
    assert [score(part) for part in ("train", "val", "test")] == [1 / 2, 1 / 3, 1]


def test_only_the_splits_nodes_count():
    """Other labels and logits outside a part change nothing in its loss and score, not even NaN."""
    labels = [0, 2, 2, 1, 0, 2]
    others, logits = [0, 2, 0, 1, 1, 0], LOGITS.clone()
    logits[2:] = float("nan")
    one, other = (task(given, [0, 1], [2, 3], [4, 5]) for given in (labels, others))
    losses = [each.loss(Fixed(given), next(each.batches(0))) for each, given in ((one, LOGITS), (other, logits))]
    assert torch.equal(*losses)
    assert one.scores(Fixed(LOGITS))("train") == other.scores(Fixed(logits))("train") == 0.5
    assert one.scores(Fixed(LOGITS))("val") != other.scores(Fixed(LOGITS))("val")


def test_scores_predict_once():
    """One forward pass serves all three parts."""
    network, calls = Fixed(LOGITS), []
    network.register_forward_hook(lambda *_: calls.append(1))
    score = task([0, 2, 2, 1, 0, 2], [0, 1], [2, 3], [4, 5]).scores(network)
    assert [score(part) for part in ("train", "val", "test")] and len(calls) == 1


def area(margins: list[float], labels: list[int]) -> float:
    """ROC-AUC by its meaning: the share of pairs in the right order, ties counting half."""
    pairs = list(
        product(
            [m for m, label in zip(margins, labels, strict=True) if label],
            [m for m, label in zip(margins, labels, strict=True) if not label],
        )
    )
    return sum(1.0 if high > low else 0.5 if high == low else 0.0 for high, low in pairs) / len(pairs)


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.integers(0, 1)), min_size=2, max_size=30).filter(
        lambda rows: len({label for *_, label in rows}) == 2
    )
)
def test_rocauc_is_the_share_of_ordered_pairs(rows):
    """Against a count over all pairs, ties included; the margin between the two logits orders the nodes."""
    labels = [label for *_, label in rows]
    nodes = task(labels, [0], list(range(len(rows))), [0], classes=2, metric="rocauc")
    logits = torch.tensor([row[:2] for row in rows], dtype=torch.float32)
    margins = [float(b - a) for a, b, _ in rows]
    assert nodes.scores(Fixed(logits))("val") == pytest.approx(area(margins, labels), abs=1e-12)


def test_rocauc_ignores_what_both_logits_share():
    """Adding a number to both logits of a node, or a large margin, changes no order."""
    nodes = task([0, 1, 0, 1], [0], [0, 1, 2, 3], [0], classes=2, metric="rocauc")
    logits = torch.tensor([[0.0, -1], [0, 3], [0, 2], [0, 1]])
    shifted = logits + torch.tensor([[50.0], [-7], [3], [0]])
    assert nodes.scores(Fixed(logits))("val") == nodes.scores(Fixed(shifted))("val") == 0.75
    assert nodes.scores(Fixed(logits * 1e38))("val") == 0.75


def test_rocauc_wants_two_classes():
    """On three classes it is refused before anything is trained, whoever asks for it."""
    asked: list[dict[str, Any]] = [{"metric": "rocauc"}, {"shipped": "rocauc"}]
    for options in asked:
        with pytest.raises(
            BuildError, match=r"task.metric — rocauc on toy, which has 3 classes — expected a metric for such"
        ):
            task([0, 1, 2], [0], [1], [2], **options)


def test_rocauc_of_one_label_is_nan():
    """Where a part holds one label only there are no pairs: NaN, neither a crash nor a warning; the record says so."""
    nodes = task([1, 0, 0, 1, 1], [0, 1], [2, 3], [4], classes=2, metric="rocauc")
    assert math.isnan(nodes.scores(Fixed(torch.randn(5, 2)))("test"))
    assert nodes.choices == [
        ("metric", "none of test", "rocauc of the 1 test labels of toy cannot be told: all that are known are positive")
    ]


@pytest.mark.parametrize("metric", ["rocauc", "average-precision"])
def test_a_validation_that_has_no_score_is_refused(metric):
    """A ranking of val nodes of one class would leave the run without a result; it is refused before training."""
    with pytest.raises(BuildError, match="of the 3 val labels of toy cannot be told: all that are known are positive"):
        task([1, 1, 0, 1], [2], [0, 1, 3], [2], classes=2, metric=metric)


@pytest.mark.parametrize("metric", ["accuracy", "rocauc"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_logits_that_are_not_finite_give_nan(metric, bad):
    """A bad logit in a part makes its score NaN, which never wins; the other parts keep theirs."""
    logits = torch.tensor([[1.0, 0], [0, 1], [0, bad], [0, 1], [1, 0], [0, 1]])
    nodes = task([0, 1, 0, 1, 0, 1], [0, 1], [2, 3], [4, 5], classes=2, metric=metric)
    score = nodes.scores(Fixed(logits))
    assert math.isnan(score("val"))
    assert score("train") == score("test") == 1
    assert not nodes.better(score("val"), than=0.0)


@pytest.mark.parametrize("shipped", ["accuracy", "rocauc"])
def test_auto_takes_the_data_sets_metric(shipped):
    """Without a metric it is the data's; a metric that is named wins."""
    nodes = task([0, 1, 0, 1], [0], [1, 2], [3], classes=2, shipped=shipped)
    assert nodes.metric == shipped
    assert task([0, 1, 0, 1], [0], [1, 2], [3], classes=2, shipped=shipped, metric="accuracy").metric == "accuracy"
    assert (nodes.inputs.width, nodes.out_width, nodes.higher_is_better) == (5, 2, True)


def test_better_is_strictly_higher():
    """An equal score is no improvement."""
    nodes = task([0, 1, 0], [0], [1], [2])
    assert nodes.better(0.6, than=0.5) and not nodes.better(0.5, than=0.5) and not nodes.better(0.4, than=0.5)


def test_moving_takes_every_tensor_along():
    """`to` moves features, labels and the three parts, and gives the task itself."""
    nodes = task([0, 1, 0], [0], [1], [2])
    assert nodes.to(torch.device("meta")) is nodes
    assert {t.device.type for t in (nodes.features, nodes.labels, *nodes.index.values())} == {"meta"}


def multi(unknown: float = 0.3) -> tuple[NodeClassification, Tensor]:
    """A task with three binary labels of 90 nodes, some unknown; and its labels."""
    draw = torch.Generator().manual_seed(0)
    labels = (torch.rand(90, 3, generator=draw) < 0.4).float()
    labels[torch.rand(90, 3, generator=draw) < unknown] = torch.nan
    ends = torch.zeros(0, dtype=torch.int64)
    data = NodeData("toy", ends, ends, torch.zeros(90, 5), labels, 3, metric="rocauc", problem="binary")
    split = Split("toy", torch.arange(30), torch.arange(30, 60), torch.arange(60, 90))
    return NodeClassification(data, split, TaskSetting()), labels


def test_several_binary_labels_are_learned_and_scored_where_they_are_known():
    """Loss and mean ROC-AUC are scikit-learn's over a part's known labels; a label that never varies is left out."""
    nodes, labels = multi()
    labels[60:, 1] = torch.nan_to_num(labels[60:, 1]) * 0
    logits = torch.randn(90, 3, generator=torch.Generator().manual_seed(1))
    (batch,) = nodes.batches(0)
    known = ~labels[:30].isnan()
    loss = nodes.loss(Fixed(logits), batch).item()
    assert loss == pytest.approx(log_loss(labels[:30][known], logits[:30][known].double().sigmoid()), rel=1e-6)
    areas = []
    for column in (0, 2):
        here = ~labels[60:, column].isnan()
        areas.append(roc_auc_score(labels[60:, column][here], logits[60:, column][here]))
    prediction = nodes.predict(Fixed(logits), "test")
    assert nodes.scores(Fixed(logits))("test") == prediction.score == pytest.approx(sum(areas) / 2, abs=1e-12)
    assert torch.equal(prediction.arrays["node"], torch.arange(60, 90))
    assert torch.equal(prediction.arrays["label"].nan_to_num(2), labels[60:].nan_to_num(2))
    assert (nodes.metric, nodes.out_width) == ("rocauc", 3)


def test_skill_in_binary_labels_is_measured_from_one_half():
    """A ROC-AUC of 0.75 is half way from chance to perfection, one of 0.5 is nothing learned; NaN is 0."""
    nodes, _ = multi()
    assert [nodes.skill(score, "train") for score in (0.5, 0.75, 1.0, math.nan)] == [0, 0.5, 1, 0]


@pytest.mark.parametrize("conv", ["gine", "gcn-edge"])
@pytest.mark.parametrize("sampler", ["full", "neighbor", "cluster", "shadow"])
def test_edge_features_reach_every_sampler_and_exact_scores(conv, sampler):
    """With all neighbours a batch's loss on a ring with edge features is the plain one; layer-wise scores equal too."""
    nodes = 24
    ids = torch.arange(nodes)
    ends = torch.cat([ids, (ids + 1) % nodes]), torch.cat([(ids + 1) % nodes, ids])
    generator = torch.Generator().manual_seed(0)
    on_edges = torch.randn(2 * nodes, 3, generator=generator)
    features, labels = torch.randn(nodes, 4, generator=generator), ids % 3
    data = NodeData("ring", *ends, features, labels, 3, edge_features=on_edges)
    split = Split("ring", ids[:12], ids[12:18], ids[18:])
    options: dict[str, Any] = {
        "full": {},
        "neighbor": {"fanouts": -1, "batch_size": 12},
        "cluster": {"parts": 2, "batch_parts": 2, "by": "random"},
        "shadow": {"hops": 12, "fanout": 2, "batch_size": 12},
    }[sampler]
    make = partial(samplers.get(sampler), **options)
    task = NodeClassification(data, split, TaskSetting(), sampler=make, inference="layerwise", chunk=5)
    torch.manual_seed(0)
    more: dict[str, Any] = {"edge_embedding": partial(LinearEdgeEmbedding, columns=3)}
    more |= {"activation": nn.ReLU} if conv == "gine" else {}
    blocks = [Block(convs.get(conv)(4, 4, **more), residual=AddSkip(), activation=nn.ReLU()) for _ in range(3)]
    network = Network(nn.Identity(), blocks, nn.Linear(4, 3))
    task.complete(network)
    (batch,) = task.batches(0)
    outputs = network(task.graph, features)
    expected = nn.functional.cross_entropy(outputs[:12], labels[:12])
    torch.testing.assert_close(task.loss(network, batch), expected, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        right = (outputs[12:18].argmax(dim=1) == labels[12:18]).double().mean()
        assert task.scores(network.eval())("val") == float(right)


@pytest.mark.parametrize("conv", ["gcn", "sage", "gat", "mlp"])
def test_sparse_features_change_no_gradient(conv):
    """Features that are zero nearly everywhere are multiplied sparsely, as the record says, to the same loss."""
    x = torch.zeros(600, 500)
    x.view(-1)[::97] = torch.randn(3093)
    ends, labels, every = torch.randint(600, (2, 2000)), torch.randint(3, (600,)), torch.arange(600)
    split = Split("toy", every[:200], every[200:400], every[400:])
    losses = []
    for features in (x, x.clone()):
        nodes = NodeClassification(NodeData("toy", ends[0], ends[1], features, labels, 3), split, TaskSetting())
        if features is x:  # the other stays dense
            nodes.to(torch.device("cpu"))
            assert nodes.choices[0][:2] == ("input", "sparse products") and "1.0% of 600 x 500" in nodes.choices[0][2]
        torch.manual_seed(0)
        blocks = [Block(convs.get(conv)(500, 3), residual=NoSkip())]
        network = Network(nn.Identity(), blocks, nn.Identity())
        loss = nodes.loss(network, next(iter(nodes.batches(0))))
        losses.append([loss, *torch.autograd.grad(loss, list(network.parameters()))])
    for found, wanted in zip(*losses, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)
