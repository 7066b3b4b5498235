"""Products with features that are zero nearly everywhere, against the dense ones."""

import gc

import pytest
import torch

import zoo
from zoo.engine import sparse_input
from zoo.engine.sparse_input import dropout, mark_sparse, product, skips_zeros, unchanging


def features(share: float = 0.01, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """600 x 500, with about this share of entries other than zero; one row and one column without any."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(600, 500, generator=generator, dtype=dtype)
    x[torch.rand(600, 500, generator=generator) >= share] = 0
    x[3], x[:, 7] = 0, 0
    return x


def test_the_reason_says_how_sparse_they_are():
    """Sparse features are remembered, with the share of entries in the reason; the values do not matter."""
    x = features()
    said = mark_sparse(x)
    assert said is not None and said.startswith(f"{int(x.count_nonzero()) / x.numel():.1%} of 600 x 500")
    assert skips_zeros(x)


@pytest.mark.parametrize(
    "x", [features(0.2), features()[:100], torch.zeros(600, 500), features().bfloat16(), features().long()]
)
def test_what_does_not_pay_stays_dense(x):
    """Dense, small and empty matrices and other types are not remembered, and are multiplied as ever."""
    assert mark_sparse(x) is None and not skips_zeros(x)
    weight = torch.randn(500, 4).to(x.dtype)
    assert torch.equal(product(x, weight), x @ weight)


def test_product_and_its_gradient_are_the_dense_ones():
    """In float64 to the order of sums, and differentiable twice."""
    x = features(dtype=torch.float64)
    mark_sparse(x)
    weight = torch.randn(500, 4, dtype=torch.float64, requires_grad=True)
    found, wanted = product(x, weight), x @ weight
    torch.testing.assert_close(found, wanted)
    dy = torch.randn_like(wanted).requires_grad_()
    (found,), (wanted,) = (torch.autograd.grad(y, weight, dy, create_graph=True) for y in (found, wanted))
    torch.testing.assert_close(found, wanted)
    found, wanted = (torch.autograd.grad(gradient.square().sum(), dy)[0] for gradient in (found, wanted))
    torch.testing.assert_close(found, wanted)


def test_several_weights_in_one_product():
    """Under `torch.vmap` over weights, as networks trained together have it."""
    x = features()
    mark_sparse(x)
    weights = torch.randn(3, 500, 4)
    found = torch.vmap(lambda weight: product(x, weight))(weights)
    torch.testing.assert_close(found, x @ weights, rtol=1e-4, atol=1e-5)


def test_features_that_changed_are_read_anew():
    """Written to after they were remembered, they are multiplied as they are now."""
    x, weight = features(), torch.randn(500, 4)
    mark_sparse(x)
    x[3] = 1
    assert not skips_zeros(x) and torch.equal(product(x, weight), x @ weight)


@pytest.mark.parametrize("change", ["an entry", "a zero", "all"])
@pytest.mark.parametrize("through", ["numpy", "data"])
def test_changes_that_leave_no_trace_are_seen(change, through):
    """NumPy and `x.data` write past PyTorch's count of versions: entries and zeros are compared at each product."""
    x, weight = features(), torch.randn(500, 4)
    mark_sparse(x)
    written = x.numpy() if through == "numpy" else x.data
    row, column = (int(end) for end in x.nonzero()[0])
    if change == "all":
        written[:] = 0
    else:
        written[(row, column) if change == "an entry" else (3, 7)] = 5
    assert not skips_zeros(x) and torch.equal(product(x, weight), x @ weight)
    assert torch.equal(dropout(x, 0.0), x)


def test_a_training_compares_them_once():
    """In a training features are its own: compared when it begins, and dense from then on if they changed."""
    x, other = features(), features()
    mark_sparse(x)
    mark_sparse(other)
    other.numpy()[3, 7] = 1
    with unchanging():
        assert skips_zeros(x) and not skips_zeros(other)
        x.numpy()[3, 7] = 1
        assert skips_zeros(x)  # what `unchanging` says that nobody does
    assert not skips_zeros(x)


def test_a_network_sees_features_that_numpy_changed():
    """Feature ablation in a notebook: the logits are those of a copy of the changed features."""
    built = zoo.build("cora-gcn", {"training.duration": "1 epochs", "probes": "none"})
    built.trainer(()).fit()
    network, (graph, x) = built.network.eval(), built.task.whole or pytest.fail()
    with torch.no_grad():
        before = network(graph, x)
        x.numpy()[:, :700] = 0
        after, expected = network(graph, x), network(graph, x.clone())
    assert not torch.equal(after, before)
    torch.testing.assert_close(after, expected)


def test_what_is_made_of_them_is_another_tensor():
    """Rows, copies, and features that want a gradient are dense."""
    x = features()
    mark_sparse(x)
    assert not any(skips_zeros(y) for y in (x[:300], x.clone(), x + 0, x.clone().requires_grad_()))
    with torch.autocast("cpu", torch.bfloat16):
        assert not skips_zeros(x)


def test_no_tensor_is_kept_alive():
    """What was remembered goes with the tensor."""
    gc.collect()
    before = len(sparse_input._known)
    x = features()
    mark_sparse(x)
    y = dropout(x, 0.5)
    assert len(sparse_input._known) == before + 2
    del x, y
    gc.collect()
    assert len(sparse_input._known) == before


def test_dropout_of_entries():
    """Entries are dropped with probability p, the others scaled by 1/(1 - p), and the result is sparse as well."""
    x = features(0.05)
    mark_sparse(x)
    torch.manual_seed(0)
    y = dropout(x, 0.4)
    kept = y != 0
    torch.testing.assert_close(y, torch.where(kept, x / 0.6, 0.0))
    entries = int(x.count_nonzero())
    assert int(kept.sum()) / entries == pytest.approx(0.6, abs=4 * (0.24 / entries) ** 0.5)
    weight = torch.randn(500, 4)
    assert skips_zeros(y)
    torch.testing.assert_close(product(y, weight), y @ weight, rtol=1e-4, atol=1e-5)
    assert not torch.equal(dropout(x, 0.4), y)  # drawn anew, and y is as it was
    torch.testing.assert_close(y, torch.where(kept, x / 0.6, 0.0))


def test_dropout_of_other_features_is_that_of_pytorch():
    """Dense features, and all or nothing, with the same random numbers."""
    dense, sparse = features(0.5), features()
    mark_sparse(sparse)
    for x, p in ((dense, 0.3), (sparse, 0.0), (sparse, 1.0)):
        torch.manual_seed(0)
        found = dropout(x, p)
        torch.manual_seed(0)
        assert torch.equal(found, torch.nn.functional.dropout(x, p))
