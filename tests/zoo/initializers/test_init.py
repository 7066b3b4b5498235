"""What holds for every initialiser, and for one of a user's own."""

import pytest
import torch

import zoo
from registry import initializers
from zoo.errors import BuildError
from zoo.graphs import Graph
from zoo.initializers import Initializer

NAMES = [name for name in initializers.names() if name != "default"]


def matrices(built) -> list[torch.Tensor]:
    return [matrix.detach() for matrix in built.network.block_matrices().values()]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("recipe", ["smoke/res-gcn", "smoke/res-gat", "smoke/res-gin", "smoke/res-sage", "smoke/mlp"])
def test_a_seed_decides_and_only_the_blocks_are_drawn(name, recipe):
    """One seed, one network; another, another. Encoder and biases are those of the default."""
    changes = {"initializer": name, "normalizer": "none"}
    first, again, other = (zoo.build(recipe, changes, seed=seed) for seed in (0, 0, 1))
    assert all(map(torch.equal, matrices(first), matrices(again)))
    assert not any(map(torch.equal, matrices(first), matrices(other)))
    plain = zoo.build(recipe, {"normalizer": "none"}).network.state_dict()
    drawn = set(first.network.block_matrices())
    for key, value in first.network.state_dict().items():
        assert torch.equal(value, plain[key]) == (key not in drawn), key


@pytest.mark.parametrize("name", NAMES)
def test_it_comes_before_normalisation_and_calibration(name):
    """Frobenius-normalised, the drawn matrices have norm c; `c: auto` finds its c from them, and the run trains."""
    changes = {"initializer": name, "normalizer": {"name": "frobenius", "c": 0.5, "mode": "project"}}
    for matrix in matrices(zoo.build("smoke/res-gcn", changes)):
        assert float(matrix.norm()) == pytest.approx(0.5, rel=1e-5)
    built = zoo.build("smoke/res-gcn", {"initializer": name, "normalizer": {"name": "frobenius", "c": "auto"}})
    assert any(choice.what == "c" for choice in built.choices)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_chosen_from_the_graph_is_recorded(name):
    """The run's choices name the variance, with the reason."""
    (choice,) = [c for c in zoo.build("smoke/res-gcn", {"initializer": name}).choices if c.what == "initializer"]
    assert choice.chosen and choice.why


@pytest.mark.parametrize("name", NAMES)
def test_a_model_without_matrices_in_its_blocks_is_refused(name):
    """There would be nothing to draw."""
    with pytest.raises(BuildError, match="no weight matrix inside its blocks"):
        zoo.build("smoke/appnp", {"initializer": name})


def test_one_of_a_users_own():
    """A registered class fills each matrix once, and is told fan-in and propagation."""
    seen = []

    @initializers.register("ones")
    class Ones(Initializer):
        """Ones."""

        def fill(self, weight, graph, *, fan_in, propagation):
            seen.append((fan_in, propagation, graph.nodes))
            weight.fill_(1.0)

    built = zoo.build("smoke/res-gcn", {"initializer": "ones"})
    assert all((matrix == 1).all() for matrix in matrices(built))
    assert seen == [(16, "both", 200)] * 4


@pytest.mark.parametrize("name", NAMES)
def test_another_graph_is_looked_at_anew(name, graph):
    """One initialiser may draw for two graphs: what it found of the first says nothing of the second."""
    edges = torch.arange(8)
    ring = Graph.from_edges(torch.cat([edges, edges, (edges + 1) % 8]), torch.cat([edges, (edges + 1) % 8, edges]), 8)
    kind = initializers.get(name)
    again, fresh = kind(), kind()

    def drawn(initializer, graph):
        torch.manual_seed(0)
        weight = torch.empty(4, 4)
        initializer.fill(weight, graph, fan_in=4, propagation="both")
        return weight

    drawn(again, graph)
    assert torch.equal(drawn(again, ring), drawn(fresh, ring)) and again.chosen() == fresh.chosen()
