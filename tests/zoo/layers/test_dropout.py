"""Dropout, of dense and of sparse features."""

import torch
from torch import nn

from zoo.engine.sparse_input import mark_sparse, skips_zeros
from zoo.layers.dropout import Dropout


def test_of_dense_features_it_is_pytorchs():
    """Same random numbers, same result; nothing happens in evaluation."""
    x = torch.randn(6, 5)
    found, wanted = [], []
    for module, out in ((Dropout(0.5), found), (nn.Dropout(0.5), wanted)):
        torch.manual_seed(0)
        out += [module(x), module.eval()(x)]
    assert all(torch.equal(*pair) for pair in zip(found, wanted, strict=True))
    assert found[1] is x


def test_of_sparse_features_it_draws_for_the_entries():
    """The result is known as sparse, and the random numbers are as many as the entries."""
    x = torch.zeros(600, 500)
    x.view(-1)[::100] = 1
    mark_sparse(x)
    torch.manual_seed(0)
    y = Dropout(0.5)(x)
    torch.manual_seed(0)
    assert skips_zeros(y)
    assert torch.equal(y.view(-1)[::100], nn.functional.dropout(torch.ones(3000), 0.5))
    assert Dropout(0.5).eval()(x) is x and Dropout(0.0)(x) is x
