import pytest
import torch

from compared.cases import PEERS, ZOO, contestants
from compared.measure import times
from compared.race import Limits


@pytest.mark.parametrize("conv", ["gcn", "gat", "sage"])
def test_all_are_one_function(conv, small):
    """The zoo's network and its peers' give the same logits from the weights that the peers copied."""
    found, left_out = contestants(small(conv), [ZOO, *PEERS], {}, 1)
    assert not left_out
    zoo, *peers = found
    network, task = zoo.built.network.eval(), zoo.built.task
    with torch.no_grad():
        logits = network(task.graph, task.features)
        for peer in peers:
            torch.testing.assert_close(peer.net(peer.graph, peer.problem.features), logits, rtol=1e-4, atol=1e-5)
    zoo.close()


@pytest.mark.parametrize("conv", ["gcn", "gat", "sage"])
def test_all_train_alike(conv, small):
    """The curves agree to rounding, and a race gives a ratio for each peer."""
    done = times(small(conv), [ZOO, *PEERS], {}, 1, Limits(repeats=3, budget=0.0), lambda _: None)
    assert set(done["ratio"]) == set(PEERS)
    assert all(apart < 1e-4 for apart in done["losses_apart"].values())
    assert done["nodes"] == 800


def test_a_peer_can_be_measured_alone(small):
    """Without the zoo among the names the peer still starts from its weights, and no training of the zoo's is left."""
    (alone,), _ = contestants(small(), ["dgl.nn"], {}, 1)
    (zoo, beside), _ = contestants(small(), [ZOO, "dgl.nn"], {}, 1)
    for each in (alone, beside):
        each.epoch()
    assert alone.losses == beside.losses
    zoo.close()
