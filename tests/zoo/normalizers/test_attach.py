"""Normalisers on the matrices of a network."""

import copy
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from zoo.errors import BuildError
from zoo.normalizers import WeightNormalizer
from zoo.normalizers.attach import WeightNormalization
from zoo.normalizers.base import NoNormalizer
from zoo.normalizers.frobenius import Frobenius, FrobeniusSoft
from zoo.normalizers.orthogonal import Orthogonal
from zoo.normalizers.spectral import Spectral
from zoo.normalizers.weight_norm import WeightNorm


class Network(nn.Module):
    """Blocks of mixed shapes, multi-head ones among them, that multiply by their normalised weights."""

    def __init__(self, *factories) -> None:
        super().__init__()
        shapes = [(4, 4), (4, 6), (4, 4), (6, 4), (3, 4, 4), (4, 4), (3, 4, 4)]
        self.blocks = nn.ParameterList(nn.Parameter(torch.randn(shape)) for shape in shapes)
        self.normalization = WeightNormalization(self.matrices(), factories)

    def matrices(self) -> dict[str, nn.Parameter]:
        """Return the matrices under their dotted names."""
        return {f"blocks.{index}": parameter for index, parameter in enumerate(self.blocks)}

    def weights(self) -> dict[str, torch.Tensor]:
        """Return what a forward pass would multiply by."""
        return {**self.matrices(), **self.normalization(self.matrices())}


HALF = partial(Frobenius, c=0.5)


def test_every_matrix_is_normalised_under_its_name() -> None:
    """Each name gets what the normaliser makes of that matrix alone, with gradients to its own parameter."""
    network = Network(HALF)
    normalised = network.normalization(network.matrices())
    assert sorted(normalised) == sorted(network.matrices())
    for name, parameter in network.matrices().items():
        torch.testing.assert_close(normalised[name], HALF()(parameter))
    normalised["blocks.2"].sum().backward(retain_graph=True)
    alone = torch.autograd.grad(HALF()(network.blocks[2]).sum(), network.blocks[2])[0]
    torch.testing.assert_close(network.blocks[2].grad, alone)
    assert network.blocks[0].grad is None or not network.blocks[0].grad.any()


def test_one_call_for_all_matrices_of_a_shape() -> None:
    """The normaliser is called once per shape, not once per matrix."""
    calls = []

    class Counting(WeightNormalizer):
        def normalize(self, weight):
            calls.append(tuple(weight.shape))
            return weight

    network = Network(Counting)
    calls.clear()
    network.normalization(network.matrices())
    assert sorted(calls) == [(1, 4, 6), (1, 6, 4), (2, 3, 4, 4), (3, 4, 4)]


def test_heads_option_sees_the_heads_axis() -> None:
    """Multi-head weights arrive as [blocks, heads, d_in, d_out], so "mean" averages over the heads of one block."""
    network = Network(partial(Frobenius, c=0.5, heads="mean"))
    norms = torch.linalg.matrix_norm(network.weights()["blocks.4"])
    assert norms.mean().item() == pytest.approx(0.5)
    assert norms.std() > 1e-3


@pytest.mark.parametrize("factory", [HALF, partial(Spectral, c=0.5), partial(Spectral, c=0.5, method="power")])
def test_projection_holds_from_the_start_and_after_steps(factory) -> None:
    """With mode project ‖W‖_2 ≤ c at construction and after every optimiser step; forward gives nothing."""
    network = Network(partial(factory, mode="project"))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.005)
    for _ in range(20):
        for parameter in network.blocks:
            assert torch.linalg.matrix_norm(parameter, ord=2).max() <= 0.5 * 1.01
        assert network.normalization(network.matrices()) == {}
        torch.stack([-parameter.square().sum() for parameter in network.blocks]).sum().backward()
        optimizer.step()
        network.normalization.project(network.matrices())


def test_projection_leaves_reparametrised_weights_alone() -> None:
    """`project` writes nothing for normalisers in mode reparametrize."""
    network = Network(HALF)
    before = [parameter.clone() for parameter in network.blocks]
    network.normalization.project(network.matrices())
    assert all(torch.equal(old, new) for old, new in zip(before, network.blocks, strict=True))


def test_whether_there_is_anything_to_project() -> None:
    """Only normalisers in mode project need the matrices after a step."""
    project = partial(Frobenius, mode="project")
    found = [Network(*factories).normalization.projects for factories in ((), (HALF,), (project,), (project, HALF))]
    assert found == [False, False, True, True]


def test_order_and_warm_up() -> None:
    """Normalisers act in the order of the list, and each is warmed up with what the one before gives."""
    network = Network(partial(FrobeniusSoft, c=0.5), WeightNorm)
    for name, weight in network.weights().items():
        torch.testing.assert_close(weight, FrobeniusSoft(c=0.5)(network.matrices()[name]))
    swapped = Network(partial(Orthogonal, c=2.0, iterations=40), HALF)
    assert torch.linalg.matrix_norm(swapped.weights()["blocks.0"]).item() == pytest.approx(0.5)


def test_projection_comes_first() -> None:
    """A project-mode normaliser before the others acts on the stored weights; after them it is an error."""
    project = partial(Frobenius, c=2.0, mode="project")
    network = Network(project, HALF)
    assert torch.linalg.matrix_norm(network.blocks[0]).item() == pytest.approx(2.0)
    assert torch.linalg.matrix_norm(network.weights()["blocks.0"]).item() == pytest.approx(0.5)
    with pytest.raises(BuildError, match="mode: project first"):
        Network(HALF, project)


def test_parameters_are_registered_once() -> None:
    """The network's matrices appear once in parameters and state_dict; only the normalisers' own state is added."""
    network = Network(HALF, WeightNorm)
    names = [name for name, _ in network.named_parameters(remove_duplicate=False)]
    assert [name for name in names if name.startswith("blocks")] == list(network.matrices())
    own = [name for name in network.state_dict() if not name.startswith("blocks")]
    assert own and all(name.endswith((".c", ".g")) for name in own)


def test_nothing_to_do() -> None:
    """Without normalisers, or with none only, there are no groups, no state and no work."""
    for network in (Network(), Network(NoNormalizer, NoNormalizer)):
        assert network.normalization(network.matrices()) == {}
        assert not network.normalization.state_dict()
        network.normalization.project(network.matrices())
    assert len(WeightNormalization({}, [HALF]).bounded()) == 0


def test_deepcopy_and_double() -> None:
    """A copied and converted network normalises its own parameters, and the original keeps its own."""
    network = Network(HALF)
    twin = copy.deepcopy(network).double()
    twin.blocks[0].data.mul_(-1)
    expected = network.weights()["blocks.0"]
    weight = twin.weights()["blocks.0"]
    assert weight.dtype == torch.float64
    torch.testing.assert_close(weight, -expected.double(), rtol=1e-6, atol=1e-6)
    weight.sum().backward()
    assert twin.blocks[0].grad is not None and network.blocks[0].grad is None


@pytest.mark.parametrize("factory", [HALF, WeightNorm, partial(Spectral, method="power"), Orthogonal])
def test_state_dict_round_trip(factory) -> None:
    """A fresh network that loads another's state gives the same weights."""
    network, fresh = Network(factory).eval(), Network(factory).eval()
    for normalizer in network.normalization.bounded():
        normalizer.c.mul_(0.25)
    fresh.load_state_dict(network.state_dict())
    for name, weight in network.weights().items():
        assert torch.equal(fresh.weights()[name], weight)


def test_one_bound_per_matrix() -> None:
    """`bounded` gives one normaliser per shape, whose c has a row for each matrix in the order of its names."""
    network = Network(partial(Frobenius, c="auto"))
    assert all(normalizer.auto for normalizer in network.normalization.bounded())
    groups: Any = network.normalization.groups
    for group in groups:
        for row, name in enumerate(group.names):
            group.normalizers[0].c[row] = 0.1 * (int(name[-1]) + 1)
    for name, weight in network.weights().items():
        norms = torch.linalg.matrix_norm(weight)
        torch.testing.assert_close(norms, torch.full_like(norms, 0.1 * (int(name[-1]) + 1)))


def test_bound_holds_under_autocast() -> None:
    """Inside an autocast region the weights are still normalised in their own precision."""
    network = Network(partial(Orthogonal, iterations=40))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        weight = network.weights()["blocks.0"]
    assert weight.dtype == torch.float32
    torch.testing.assert_close(weight.mT @ weight, torch.eye(4), rtol=0, atol=1e-5)


def test_vectors_are_refused() -> None:
    """A bias among the matrices is an error, not a stack of vectors taken for a matrix."""
    with pytest.raises(ValueError, match="bias"):
        WeightNormalization({"bias": torch.zeros(3)}, [HALF])


class Doubled(Frobenius):
    """Twice what it inherits."""

    def normalize(self, weight):
        """Twice the sphere."""
        return 2 * super().normalize(weight)


class Renamed(Frobenius):
    """What it inherits, under a name of its own."""


def test_a_subclass_is_run_by_its_own_normalize() -> None:
    """Where a class overrides `normalize`, what its parent says of rescaling a few matrices at a time is not used."""
    for kind, norm in ((Doubled, 1.0), (Renamed, 0.5)):
        weights = Network(partial(kind, c=0.5)).weights().values()
        torch.testing.assert_close(
            torch.stack([torch.linalg.matrix_norm(w).max() for w in weights]), torch.full((7,), norm)
        )


def test_a_hook_on_a_normaliser_is_called() -> None:
    """With a hook on it a normaliser is called with all matrices of a shape, and the result is what the hook says."""

    def tripled(module: nn.Module, inputs: Any, output: Any) -> Any:
        return output * 3

    network = Network(HALF)
    for normalizer in network.normalization.bounded():
        normalizer.register_forward_hook(tripled)
    for weight in network.weights().values():
        torch.testing.assert_close(torch.linalg.matrix_norm(weight).max(), torch.tensor(1.5))


def test_function_transforms_pass_through() -> None:
    """The gradient by `torch.func` is the one by autograd."""
    network = Network(HALF)
    weights = {name: weight.detach() for name, weight in network.matrices().items()}

    def total(given: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return torch.stack([weight.pow(3).sum() for weight in network.normalization(given).values()]).sum()

    found = torch.func.grad(total)(weights)
    total(network.matrices()).backward()
    for name, weight in network.matrices().items():
        torch.testing.assert_close(found[name], weight.grad)
