"""Private names of other packages: what they tell is right, and without them everything runs the plain way."""

import itertools
from typing import Any, cast

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from zoo.dgl_backend import dgl
from zoo.system import private

real: Any = torch._C._storage_Use_Count
GROWING = itertools.count()


def test_this_pytorch_passes_every_trial():
    """With the versions that are tested nothing falls back: else training is slower, and nobody notices."""
    assert private.TELLS_SHARERS and private._TELLS_ONE_VMAP and private._TELLS_HOOKS
    assert private._SETS_TRAINING and private._HAS_FOREACH
    assert private.is_transformed is not private._transformed
    assert private.dgl_sum(dgl) is not dgl.ops.copy_u_sum and private.numba_cache() is not private.NoCache


@pytest.mark.parametrize("share", private._WAYS_TO_SHARE)
def test_who_shares_memory_is_seen(share):
    """A tensor is unshared until somebody holds its memory, and again when they let go."""
    x = torch.empty(4)
    assert private.is_unshared(x)
    held = share(x.data)
    assert not private.is_unshared(x)
    del held
    assert private.is_unshared(x)


@pytest.mark.parametrize(
    "count",
    [
        lambda storage: 2,  # one that knows of no sharers
        lambda storage: min(real(storage), 2),  # one that misses one of them
        lambda storage: next(GROWING),  # one that does not come back
        lambda: 2,  # one that takes other arguments
    ],
)
def test_a_count_that_surprises_is_not_used(monkeypatch, count):
    """A PyTorch that counts otherwise, or not at all, fails the trial."""
    monkeypatch.setattr(torch._C, "_storage_Use_Count", count)
    assert private._unshared() is None
    monkeypatch.delattr(torch._C, "_storage_Use_Count")
    assert private._unshared() is None


def seen(run) -> tuple[bool, bool]:
    """What `is_transformed` and `is_one_vmap` return inside of `run`, which is handed a function of one tensor."""
    found: list[tuple[bool, bool]] = []

    def look(x):
        found.append((private.is_transformed(), private.is_one_vmap()))
        return x.sum()

    run(look)
    return found[0]


def test_none_one_vmap_and_others_are_told_apart():
    """Only a single vmap leaves plain PyTorch below it: not two of them, and not one inside of a gradient."""
    x = torch.randn(2, 3)
    assert seen(lambda look: look(x)) == (False, False)
    assert seen(lambda look: torch.vmap(look)(x)) == (True, True)
    assert seen(lambda look: torch.vmap(torch.vmap(look))(x)) == (True, False)
    assert seen(lambda look: torch.func.grad(look)(x)) == (True, False)
    assert seen(lambda look: torch.func.grad(lambda x: torch.vmap(look)(x).sum())(x)) == (True, False)


def test_without_pytorchs_transforms_every_call_is_taken_for_transformed(monkeypatch):
    """Operators are then made of PyTorch's own; a function that is wrong fails its trial as one that is gone does."""
    monkeypatch.setattr(torch._C, "_are_functorch_transforms_active", lambda: False)
    assert private._transform_test() is private._transformed
    monkeypatch.delattr(torch._C, "_are_functorch_transforms_active")
    assert private._transform_test()() is True
    monkeypatch.setattr(private, "_TELLS_ONE_VMAP", False)
    assert seen(lambda look: torch.vmap(look)(torch.randn(2, 3))) == (True, False)


def test_hooks_are_seen():
    """Forward and backward hooks of a module, a `forward` of its own, and hooks on all modules, while they last."""
    module = nn.Linear(1, 1)
    assert not private.has_hooks(module) and not private.has_global_hooks()
    handle = module.register_full_backward_hook(lambda *_: None)
    assert private.has_hooks(module) and not private.has_forward_hooks(module)
    handle.remove()
    with module.register_forward_pre_hook(lambda *_: None):
        assert private.has_hooks(module) and private.has_forward_hooks(module)
    with nn.modules.module.register_module_forward_hook(lambda *_: None):
        assert private.has_global_hooks() and private.has_global_forward_hooks()
    module.forward = nn.Identity().forward
    assert private.has_hooks(module) and private.has_forward_hooks(module)
    assert not private.has_global_hooks()


def test_without_pytorchs_lists_of_hooks_everything_is_taken_for_hooked(monkeypatch):
    """Fast paths are then left alone; lists that miss a kind of hook fail their trial."""
    monkeypatch.setattr(private, "has_hooks", lambda module: False)
    assert not private._tells_hooks()
    monkeypatch.undo()
    assert private._tells_hooks()
    monkeypatch.setattr(private, "_TELLS_HOOKS", False)
    assert private.has_hooks(nn.Identity()) and private.has_forward_hooks(nn.Identity())
    assert private.has_global_hooks() and private.has_global_forward_hooks()


class Stubborn(nn.Module):
    """A module that stays in evaluation."""

    def train(self, mode: bool = True) -> "Stubborn":
        """Ignore the mode."""
        return super().train(False)


@pytest.mark.parametrize("quick", [True, False])
def test_training_mode_is_set_as_by_train(monkeypatch, quick):
    """All modules inside are told, and those with a `train` of their own are asked, with the quick way and without."""
    monkeypatch.setattr(private, "_SETS_TRAINING", quick)
    network = nn.Sequential(nn.Dropout(), nn.Sequential(Stubborn(), nn.Linear(1, 1)))
    private.set_training(network, False)
    assert not any(module.training for module in network.modules())
    private.set_training(network, True)
    assert [module.training for module in network.modules()] == [True, True, True, False, True]


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_training_mode_of_what_is_no_plain_module():
    """Scripted modules are asked, and places without a module passed over."""
    traced = cast(nn.Module, torch.jit.trace(nn.Dropout().eval(), torch.ones(1)))
    network = nn.Sequential(traced, nn.Dropout())
    network.register_module("nothing", None)
    for mode in (True, False):
        private.set_training(network, mode)
        assert traced.training is mode and network[1].training is mode


@pytest.mark.parametrize("together", [True, False])
def test_lists_of_tensors(monkeypatch, together):
    """Norms, differences and copies of each tensor, in one call and one by one."""
    monkeypatch.setattr(private, "_HAS_FOREACH", together)
    tensors, others = [torch.randn(3, 2), torch.randn(4)], [torch.randn(3, 2), torch.randn(4)]
    torch.testing.assert_close(private.foreach_norm(tensors), [tensor.norm() for tensor in tensors])
    differences = [tensor - other for tensor, other in zip(tensors, others, strict=True)]
    assert all(map(torch.equal, private.foreach_sub(tensors, others), differences))
    private.foreach_copy_(tensors, others)
    assert all(map(torch.equal, tensors, others))


def test_a_node_may_be_asked_to_run_first():
    """The order of gradients changes, not their values; a tensor without a node is left alone."""
    order: list[str] = []
    x = torch.ones(1, requires_grad=True)
    early = x.clone()
    early.register_hook(lambda _: order.append("early"))
    late = x.clone()
    late.register_hook(lambda _: order.append("late"))
    private.run_backward_first(early)
    private.run_backward_first(torch.ones(1))
    (early + late).sum().backward()
    assert sorted(order) == ["early", "late"] and x.grad == 2


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.SGD])
def test_optimisers_that_skip_steps_are_tried(monkeypatch, kind):
    """A fused optimiser leaves parameters alone where a step is not finite; others are not trusted to."""
    parameters = [nn.Parameter(torch.ones(1))]
    assert private.skips_nonfinite_steps(kind(parameters, lr=0.1, fused=True))
    assert not private.skips_nonfinite_steps(kind(parameters, lr=0.1, fused=False))
    monkeypatch.setattr(kind, "step", lambda self: self.param_groups[0]["params"][0].data.zero_())
    private._obeys.cache_clear()
    assert not private.skips_nonfinite_steps(kind(parameters, lr=0.1, fused=True))
    private._obeys.cache_clear()


def test_workers_end_at_once_or_with_their_iterator():
    """Iterators of a loader without workers, and of other kinds, have nothing to be ended."""
    private.end_workers(iter(DataLoader(TensorDataset(torch.ones(2)))))
    private.end_workers(iter([1]))


@pytest.mark.parametrize("broken", [False, True])
def test_sums_by_dgl(monkeypatch, broken):
    """DGL's own entry gives what the public operator gives, which stands in for one that is gone or wrong."""
    if broken:
        monkeypatch.setattr("dgl._sparse_ops._gspmm", lambda *_: [torch.zeros(2, 2)])
    private.dgl_sum.cache_clear()
    graph, x = dgl.graph(([0, 1, 1], [1, 1, 0])), torch.eye(2)
    assert torch.equal(private.dgl_sum(dgl)(graph, x), torch.tensor([[0.0, 1.0], [1.0, 1.0]]))
    assert (private.dgl_sum(dgl) is dgl.ops.copy_u_sum) == broken
    private.dgl_sum.cache_clear()


def test_a_numba_without_its_cache_compiles_in_each_process(monkeypatch):
    """The stand-in has nothing and keeps nothing, and a loop runs with it."""
    import numba

    monkeypatch.setattr("numba.core.caching.FunctionCache", object)
    assert private.numba_cache() is private.NoCache

    def double(x):
        return 2 * x

    made = numba.njit(double)
    private.use_numba_cache(made, private.NoCache(double))
    assert made(2) == 4
