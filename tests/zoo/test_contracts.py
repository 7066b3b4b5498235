"""What components return, for every table: refused by name where it is not what the table promises."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import zoo
from zoo.contracts import as_input, number, returned, scalar
from zoo.errors import ComponentError

# Each component that breaks its contract: table, base or decorator, body, and what is said of it.
HEAD = """
import numpy as np, torch
from torch import nn
from registry import *
from zoo.datasets.base import *
from zoo.initializers import Initializer
from zoo.layers.conv import Conv
from zoo.layers.embedding import Embedding
from zoo.layers.edge_features import EdgeEmbedding
from zoo.layers.decoders import Decoder
from zoo.layers.network import Network
from zoo.layers.pooling import Pooling
from zoo.layers.residual import Residual
from zoo.metrics.base import LabelMetric
from zoo.normalizers import BoundedNormalizer, FeatureNormalizer, WeightNormalizer
from zoo.probes.base import MatrixProbe, Probe
from zoo.probes.steering import Controller
from zoo.recipe.fields import Length
from zoo.regularizers import Regularizer
from zoo.tasks.node_classification import NodeClassification
from zoo.sampling.base import Sampler
from zoo.training.schedule import Schedule
"""
GRAPHS, LINKS = "smoke/graphs", "smoke/links"
NODES = "smoke/res-gcn"


def component(tmp_path: Path, code: str) -> str:
    """A plug-in file that registers one component, `mine`."""
    file = tmp_path / "mine.py"
    file.write_text(HEAD + code)
    return str(file)


def run(recipe: str, overrides: list[str], plugin: str, tmp_path: Path) -> Any:
    """Two epochs of a smoke recipe with the plug-in."""
    more = ["training.duration=2", "normalizer=none", *overrides]
    return zoo.train(recipe, more, plugins=[plugin], runs=tmp_path / "runs")


NORM = '''
@normalizers.register("mine")
class Mine(FeatureNormalizer):
    """Broken."""
    def forward(self, graph, x):
        return {}
'''


@pytest.mark.parametrize(
    "result, said",
    {
        "x.mean(0, keepdim=True)": r"returned shape \[1, 16\] — expected \[200, 16\], the shape of its input",
        "x.norm(dim=1, keepdim=True)": r"returned shape \[200, 1\] — expected \[200, 16\]",
        "x.mean(0)": r"returned shape \[16\] — expected \[200, 16\]",
        "x[:, :3]": r"returned shape \[200, 3\]",
        "x.double()": r"returned torch.float64 \[200, 16\] — expected torch.float32",
        "None": "returned None — expected a tensor",
        "x.numpy(force=True)": r"returned a numpy.ndarray — expected a tensor",
        "x.to_sparse()": "returned a sparse tensor",
    }.items(),
)
def test_a_feature_normaliser_keeps_the_shape(result: str, said: str, tmp_path: Path):
    """A result that would be broadcast, or end elsewhere, is refused with the normaliser's name, file and line."""
    plugin = component(tmp_path, NORM.format(result))
    with pytest.raises(ComponentError, match=rf"^normalizer mine \(.*mine\.py:\d+\) — {said}"):
        zoo.build(NODES, ["normalizer=mine"], plugins=[plugin])


@pytest.mark.parametrize("position", ["pre", "post"])
def test_a_feature_normaliser_is_checked_wherever_it_stands(position: str, tmp_path: Path):
    """Before the convolution and after the skip a single row for all nodes is refused, too."""
    plugin = component(tmp_path, NORM.format("x.mean(0, keepdim=True)"))
    with pytest.raises(ComponentError, match=r"returned shape \[1, 16\]"):
        zoo.build(NODES, ["normalizer=mine", f"model.norm_position={position}"], plugins=[plugin])


BROKEN = {
    "weight normaliser": (
        NODES,
        "normalizer=mine",
        '''
@normalizers.register("mine")
class Mine(WeightNormalizer):
    """Broken."""
    def normalize(self, weight): return weight[0]
''',
        r"normalizer mine \(.*\) — returned shape \[16, 16\] — expected \[4, 16, 16\]",
    ),
    "projection": (
        NODES,
        "normalizer={name: mine, mode: project}",
        '''
@normalizers.register("mine")
class Mine(WeightNormalizer):
    """Broken."""
    def normalize(self, weight): return weight.mean((-2, -1), keepdim=True)
''',
        r"normalizer mine \(.*\) — returned shape \[4, 1, 1\]",
    ),
    "no normaliser": (
        NODES,
        "normalizer=mine",
        '''
@normalizers.register("mine")
class Mine(nn.Module):
    """Broken."""
    site = "weight"
    def normalize(self, weight): return weight
''',
        r"normalizer mine .* expected a WeightNormalizer or FeatureNormalizer",
    ),
    "initialiser": (
        NODES,
        "initializer=mine",
        '''
@initializers.register("mine")
class Mine(Initializer):
    """Broken."""
    def fill(self, weight, graph, *, fan_in, propagation): return torch.zeros_like(weight)
''',
        r"initializer mine .* wrote none into the matrix — expected values in place",
    ),
    "regulariser of features": (
        NODES,
        "regularizer=mine",
        '''
@regularizers.register("mine")
class Mine(Regularizer):
    """Broken."""
    def features(self, graph, x): return x[:1]
''',
        r"regularizer mine .* returned shape \[1, 16\]",
    ),
    "regulariser that mixes": (
        NODES,
        "regularizer=mine",
        '''
@regularizers.register("mine")
class Mine(Regularizer):
    """Broken."""
    def mix(self, graph, before, after): return after.mean(0)
''',
        r"regularizer mine .* returned shape",
    ),
    "regulariser that thins": (
        NODES,
        "regularizer=mine",
        '''
@regularizers.register("mine")
class Mine(Regularizer):
    """Broken."""
    def drop_edges(self, graph): return None
''',
        r"regularizer mine .* expected a Graph of the same nodes",
    ),
    "penalty": (
        NODES,
        "regularizer=mine",
        '''
@regularizers.register("mine")
class Mine(Regularizer):
    """Broken."""
    def penalty(self, network): return torch.ones(3)
''',
        r"regularizer mine .* its penalty is torch.float32 \[3\] — expected a scalar",
    ),
    "convolution": (
        NODES,
        "model={name: stack, conv: mine, residual: add}",
        '''
@convs.register("mine")
class Mine(Conv):
    """Broken."""
    def forward(self, graph, x): return x.mean(0, keepdim=True)
''',
        r"conv mine .* returned shape \[1, 64\] — expected \[200, 64\], \[nodes, out_width\]",
    ),
    "no convolution": (
        NODES,
        "model={name: stack, conv: mine, residual: add}",
        """
@convs.register("mine")
def mine(inputs, outputs): return None
""",
        r"conv mine .* returned None — expected a Module",
    ),
    "activation": (
        NODES,
        "model.activation=mine",
        '''
@activations.register("mine")
class Mine(nn.Module):
    """Broken."""
    def forward(self, x): return x.amax(1, keepdim=True)
''',
        r"activation mine .* returned shape",
    ),
    "residual": (
        NODES,
        "model={name: stack, conv: gcn, residual: mine}",
        '''
@residuals.register("mine")
class Mine(Residual):
    """Broken."""
    def forward(self, x, update, first): return update[:1]
''',
        r"residual mine .* returned shape \[1, 64\]",
    ),
    "model": (
        NODES,
        "model=mine",
        '''
@models.register("mine")
class Mine(Network):
    """Broken."""
    def __init__(self, inputs, outputs, norms):
        super().__init__(nn.Identity(), [nn.Identity()], nn.Linear(inputs, outputs))
    def forward(self, graph, x): return self.head(x)[:1]
''',
        r"model mine .* returned shape \[1, 3\] — expected \[200, 3\]",
    ),
    "no model": (
        NODES,
        "model=mine",
        """
@models.register("mine")
def mine(inputs, outputs, norms): return nn.Linear(inputs, outputs)
""",
        r"model mine .* expected a Network",
    ),
    "embedding": (
        NODES,
        "embedding=mine",
        '''
@embeddings.register("mine")
class Mine(Embedding):
    """Broken."""
    def __init__(self, inputs, width): super().__init__(inputs.width)
    def forward(self, x): return x.double()
''',
        r"embedding mine .* returned torch.float64",
    ),
    "pooling": (
        GRAPHS,
        "task.pool=mine",
        '''
@poolings.register("mine")
class Mine(Pooling):
    """Broken."""
    def forward(self, graph, x): return x.mean(0, keepdim=True)
''',
        r"pooling mine .* returned shape \[1, 16\]",
    ),
    "decoder": (
        LINKS,
        "task.decoder=mine",
        '''
@decoders.register("mine")
class Mine(Decoder):
    """Broken."""
    def forward(self, left, right): return left @ right.T
''',
        r"decoder mine .* \[pairs\]",
    ),
    "loss": (
        NODES,
        "task=mine",
        '''
@tasks.register("mine")
class Mine(NodeClassification):
    """Broken."""
    def loss(self, network, batch): return super().loss(network, batch)[None]
''',
        r"task mine .* its loss is torch.float32 \[1\]",
    ),
    "sampler": (
        NODES,
        "task.sampler=mine",
        '''
@samplers.register("mine")
class Mine(Sampler):
    """Broken."""
    steps = 1
    def __init__(self, graph, targets, setting): pass
    def epoch(self, epoch, start=0): yield None
''',
        r"sampler mine .* returned None — expected a Sample",
    ),
    "optimiser": (
        NODES,
        "optimizer=mine",
        """
@optimizers.register("mine")
def mine(network): return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
""",
        r"optimizer mine .* moves no parameter of the network",
    ),
    "schedule": (
        NODES,
        "schedule=mine",
        '''
@schedules.register("mine")
class Mine(Schedule):
    """Broken."""
    def __call__(self, step): return None if step else 1.0
''',
        r"schedule mine .* its factor at step 1 is None — expected a number",
    ),
    "schedule that is no number": (
        NODES,
        "schedule=mine",
        '''
@schedules.register("mine")
class Mine(Schedule):
    """Broken."""
    def __call__(self, step): return float("nan")
''',
        r"schedule mine .* its factor at step 0 is nan",
    ),
    "metric without a score": (
        NODES,
        "task.metric=mine",
        '''
@metrics.register("mine")
class Mine(LabelMetric):
    """Broken."""
    name = "mine"
    kinds = ("classes",)
    def score(self, outputs, labels): return None
    def chance(self, labels): return 0.5
''',
        r"metric mine .* its score is None — expected a number",
    ),
    "metric that is NaN": (
        NODES,
        "task.metric=mine",
        '''
@metrics.register("mine")
class Mine(LabelMetric):
    """Broken."""
    name = "mine"
    kinds = ("classes",)
    def score(self, outputs, labels): return np.nan
    def chance(self, labels): return 0.5
''',
        r"metric mine .* its score is NaN",
    ),
    "probe": (
        NODES,
        "probes=mine",
        '''
@probes.register("mine")
class Mine(Probe):
    """Broken."""
    def measure(self, network): return [1.0]
''',
        r"probe mine .* measured a list — expected tensors by name",
    ),
    "probe of matrices": (
        NODES,
        "probes=mine",
        '''
@probes.register("mine")
class Mine(MatrixProbe):
    """Broken."""
    columns = ("a", "b")
    def reduce(self, matrix): return [matrix.x.sum()]
''',
        r"probe mine .* kept 1 tensors — expected one for each of a, b",
    ),
    "controller": (
        NODES,
        "normalizer={name: frobenius, c: mine}",
        '''
@controllers.register("mine")
class Mine(Controller):
    """Broken."""
    def __init__(self): super().__init__(every=Length(1, "steps"))
    def move(self, reading, c): return c.mean()
''',
        r"controller mine .* an array \[\] — expected numbers \[4 blocks\]",
    ),
    "data set": (
        NODES,
        "dataset=mine",
        """
@datasets.register("mine")
def mine(store): pass
""",
        r"data set mine .* returned None — expected a NodeData or LinkData or GraphData — return NodeData",
    ),
    "split": (
        NODES,
        "split=mine",
        """
@splits.register("mine")
def mine(data, seed): return [0], [1], [2]
""",
        r"split mine .* returned a tuple — expected a Split or LinkSplit",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_contract_names_the_component(name: str, tmp_path: Path):
    """For every table: what a component returns that it must not is refused with its name and place."""
    recipe, override, code, said = BROKEN[name]
    with pytest.raises(ComponentError, match=said) as found:
        run(recipe, [override], component(tmp_path, code), tmp_path)
    assert "mine.py:" in str(found.value)


@pytest.mark.parametrize(
    "value", ["torch.tensor(0.25)", "np.float32(0.25)", "np.array([0.25])", "torch.tensor([0.25]).double()"]
)
def test_a_metric_may_return_any_number(value: str, tmp_path: Path):
    """Scores as tensors or NumPy's numbers are recorded as the same float."""
    code = (
        '@metrics.register("mine")\nclass Mine(LabelMetric):\n    name = "mine"\n    kinds = ("classes",)\n'
        f"    def score(self, outputs, labels): return {value}\n    def chance(self, labels): return {value}"
    )
    found = run(NODES, ["task.metric=mine"], component(tmp_path, code), tmp_path)
    assert (found.test, found.val, type(found.result["test"])) == (0.25, 0.25, float)


def test_components_that_keep_their_contract_train(tmp_path: Path):
    """A stranger's normaliser, activation and schedule of one number as a tensor train as they did, under bf16 too."""
    code = NORM.format("x - x.mean(0)") + (
        '\n@activations.register("soft")\nclass Soft(nn.Module):\n    def forward(self, x): return torch.tanh(x)\n'
        '\n@schedules.register("half")\nclass Half(Schedule):\n    def __call__(self, step): return torch.tensor(0.5)\n'
    )
    plugin = component(tmp_path, code)
    for precision in ("float32", "bf16"):
        more = ["normalizer=mine", "model.activation=soft", "schedule=half", f"training.precision={precision}"]
        assert math.isfinite(run(NODES, more, plugin, tmp_path).test)
    assert math.isfinite(run("smoke/rev-gnn", ["normalizer=mine"], plugin, tmp_path).test)


def test_networks_outside_of_recipes_are_checked_too():
    """The check is where the result is used: a norm that is registered nowhere is called by its class."""
    built = zoo.build("smoke/res-gcn", ["normalizer=pair"])
    built.network.blocks[0].norms[0].forward = lambda graph, x: x[:1]  # pyright: ignore
    assert built.task.whole is not None
    with pytest.raises(ComponentError, match=r"^normalizer pair — returned shape \[1, 16\]"):
        built.network(*built.task.whole)


def test_precision_is_autocasts_business_only_under_autocast():
    """float32 beside bfloat16 passes under autocast and is refused without; float64 is refused in both."""
    x, role = torch.zeros(2, 3, dtype=torch.bfloat16), "normalizer"
    with torch.autocast("cpu", torch.bfloat16):
        assert as_input(role, object(), x.float(), x).dtype == torch.float32
        with pytest.raises(ComponentError, match="float64"):
            as_input(role, object(), x.double(), x)
    with pytest.raises(ComponentError, match="expected torch"):
        as_input(role, object(), x.float(), x)


def test_shapes_may_have_an_open_size():
    """None stands for any number of columns, and for no other number of dimensions."""
    x = torch.zeros(2, 3)
    assert returned("conv", object(), x, (2, None), x, "") is x
    with pytest.raises(ComponentError, match=r"expected \[2, any\]"):
        returned("conv", object(), x[None], (2, None), x, "")


@pytest.mark.parametrize("value", [1, 1.0, np.float32(1), np.int64(1), torch.tensor(1), torch.ones(1, 1), np.ones(1)])
def test_numbers_of_any_make_are_read(value: Any):
    """A number is a float, whoever made it."""
    found = number("metric", object(), value, "its score")
    assert (found, type(found)) == (1.0, float)


@pytest.mark.parametrize("value", [None, "1", torch.ones(2), [1.0], {}, 1j])
def test_what_is_no_number_is_refused(value: Any):
    """Text, lists, several numbers and complex ones are none."""
    with pytest.raises(ComponentError, match="expected a number"):
        number("metric", object(), value, "its score")
    with pytest.raises(ComponentError, match="expected a scalar"):
        scalar("task", object(), value, "its loss")
