"""Private names of PyTorch, DGL and numba: each is tried before it is used, and has a plain way in its place."""

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import cache, partial
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

AnyCallable = Callable[..., Any]


def _tried(trial: Callable[[], bool]) -> bool:
    """Return True if the trial does; whatever it raises, the private name is gone or takes other arguments."""
    try:
        return trial()
    except Exception:
        return False


# Memory that tensors share.


def _holders(x: Tensor) -> tuple[int, int]:
    """The numbers of tensors, views and autograd graphs that share the memory of x, and of its storage's references."""
    storage = x.untyped_storage()
    return torch._C._storage_Use_Count(storage._cdata), sys.getrefcount(storage)


def _saved(x: Tensor) -> Tensor:
    x.requires_grad_()
    return (x * x).sum()


_WAYS_TO_SHARE: tuple[Callable[[Tensor], Any], ...] = (
    lambda x: x,
    lambda x: x[:2],
    lambda x: x.view(2, 2).t().detach(),
    _saved,
    lambda x: x.numpy(),
    lambda x: x.untyped_storage(),
)


def _unshared() -> tuple[int, int] | None:
    """The holders of a tensor that nobody shares; None if the count misses any way to share, or does not come back."""
    try:
        x = torch.empty(4)
        free = _holders(x)
        for share in _WAYS_TO_SHARE:
            held = share(x.data)
            taken = _holders(x)
            del held
            if taken == free or _holders(x) != free:
                return None
        return free
    except Exception:
        return None


_UNSHARED = _unshared()


TELLS_SHARERS = _UNSHARED is not None


def is_unshared(x: Tensor) -> bool:
    """Return True if no other tensor, view, autograd graph, array or storage has the memory of x; see TELLS_SHARERS."""
    return _holders(x) == _UNSHARED


# Function transforms (`torch.vmap`, `torch.func.grad` …).


def _transformed() -> bool:
    """Stand-in for `is_transformed`: operators are then made of PyTorch's own everywhere."""
    return True


def _one_vmap() -> bool:
    functorch: Any = torch._C._functorch  # pyright: ignore[reportAttributeAccessIssue]
    stack = functorch.get_interpreter_stack()
    return stack is not None and len(stack) == 1 and stack[0].key() == functorch.TransformType.Vmap


def _tells_transforms(ask: Callable[[], bool], expected: Sequence[bool]) -> bool:
    """Try `ask` in no transform, in one vmap, in two, in a gradient, and in a vmap within a gradient.

    By what `torch.vmap` and `torch.func.grad` do themselves: the first call of either imports all of torch._dynamo.
    """
    functorch: Any = torch._C._functorch  # pyright: ignore[reportAttributeAccessIssue]
    enter = {"vmap": partial(functorch._vmap_increment_nesting, 2, "error"), "grad": functorch._grad_increment_nesting}
    leave = {"vmap": functorch._vmap_decrement_nesting, "grad": functorch._grad_decrement_nesting}
    heard: list[bool] = []
    for transforms in ((), ("vmap",), ("vmap", "vmap"), ("grad",), ("grad", "vmap")):
        with ExitStack() as stack:
            for transform in transforms:
                enter[transform]()
                stack.callback(leave[transform])
            heard.append(ask())
    return heard == list(expected)


def _transform_test() -> Callable[[], bool]:
    """The function that tells transforms; one that always says yes where PyTorch's fails its trial."""
    active: Callable[[], bool] | None = getattr(torch._C, "_are_functorch_transforms_active", None)
    expected = (False, True, True, True, True)
    return active if active and _tried(lambda: _tells_transforms(active, expected)) else _transformed


# is_transformed() returns True under any function transform.
is_transformed = _transform_test()
_TELLS_ONE_VMAP = _tried(lambda: _tells_transforms(_one_vmap, (False, True, False, False, False)))


def is_one_vmap() -> bool:
    """Return True if one `torch.vmap` is all that is active: below its operators PyTorch is plain. False if unknown."""
    return _TELLS_ONE_VMAP and _one_vmap()


# Modules.


def has_hooks(module: nn.Module) -> bool:
    """Return True if a module has forward or backward hooks, or an instance's own `forward`."""
    return has_forward_hooks(module) or bool(module._backward_hooks or module._backward_pre_hooks)


def hook_of(module: nn.Module) -> str | None:
    """Return in words what is called beside a module's forward, or in its place; None where `has_hooks` is False."""
    if not has_hooks(module):
        return None
    for kind in ("forward", "forward_pre", "backward", "backward_pre"):
        if getattr(module, f"_{kind}_hooks", None):
            return f"a {kind.replace('_', ' ')} hook"
    return "a forward of its own"


def has_forward_hooks(module: nn.Module) -> bool:
    """`has_hooks`, backward hooks aside."""
    return not _TELLS_HOOKS or bool(module._forward_hooks or module._forward_pre_hooks or "forward" in module.__dict__)


def has_global_hooks() -> bool:
    """Return True if there are hooks on all modules, forward or backward."""
    of_all = nn.modules.module
    return has_global_forward_hooks() or bool(of_all._global_backward_hooks or of_all._global_backward_pre_hooks)


def has_global_forward_hooks() -> bool:
    """`has_global_hooks`, backward hooks aside."""
    of_all = nn.modules.module
    return not _TELLS_HOOKS or bool(of_all._global_forward_hooks or of_all._global_forward_pre_hooks)


def _tells_hooks() -> bool:
    """Try each way to add a hook: on one module, and on all."""

    def hook(*_: Any) -> None: ...

    module, of_all = nn.Identity(), nn.modules.module
    one = (
        module.register_forward_hook,
        module.register_forward_pre_hook,
        module.register_full_backward_hook,
        module.register_full_backward_pre_hook,
    )
    every = (
        of_all.register_module_forward_hook,
        of_all.register_module_forward_pre_hook,
        of_all.register_module_full_backward_hook,
        of_all.register_module_full_backward_pre_hook,
    )
    for ask, ways in ((lambda: has_hooks(module), one), (has_global_hooks, every)):
        for register in ways:
            before, handle = ask(), register(hook)
            after = ask()
            handle.remove()
            if before or not after:
                return False
    return not has_forward_hooks(module) and not has_global_forward_hooks()


_TELLS_HOOKS = True
_TELLS_HOOKS = _tried(lambda: has_global_hooks() or _tells_hooks())


def set_training(module: nn.Module, mode: bool) -> None:
    """Do what `module.train(mode)` does, for hundreds of modules in a tenth of the time.

    Modules with a `train` of their own are called, and tell those inside.
    """
    if not _SETS_TRAINING:
        module.train(mode)
        return
    module.__dict__["training"] = mode
    inside = list(module._modules.values())
    while inside:
        part = inside.pop()
        if part is None:
            continue
        if type(part).train is nn.Module.train and "training" in part.__dict__:
            part.__dict__["training"] = mode
            if part._modules:
                inside += part._modules.values()
        else:
            part.train(mode)


def _sets_training() -> bool:
    network = nn.Sequential(nn.Identity(), nn.Sequential(nn.Identity()))
    set_training(network, False)
    off = not any(module.training for module in network.modules())
    set_training(network, True)
    return off and all(module.training for module in network.modules())


_SETS_TRAINING = True
_SETS_TRAINING = _tried(_sets_training)


# Lists of tensors, autograd, optimisers, data loaders.


def foreach_norm(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The 2-norm of each tensor, in one call."""
    if not _HAS_FOREACH:
        return [torch.linalg.vector_norm(tensor) for tensor in tensors]
    return list(torch._foreach_norm(list(tensors)))


def foreach_sub(tensors: Sequence[Tensor], others: Sequence[Tensor]) -> list[Tensor]:
    """Tensor − other of each pair, in one call."""
    if not _HAS_FOREACH:
        return [tensor - other for tensor, other in zip(tensors, others, strict=True)]
    return list(torch._foreach_sub(list(tensors), list(others)))


def foreach_copy_(targets: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
    """Copy each source into its target, in one call."""
    if _HAS_FOREACH:
        torch._foreach_copy_(list(targets), list(sources))
    else:
        for target, source in zip(targets, sources, strict=True):
            target.copy_(source)


def _has_foreach() -> bool:
    ones, into = [torch.ones(4), torch.ones(1)], [torch.zeros(4), torch.zeros(1)]
    torch._foreach_copy_(into, ones)
    differences = torch._foreach_sub(ones, into)
    return [float(norm) for norm in torch._foreach_norm(into)] == [2, 1] and not any(map(torch.any, differences))


_HAS_FOREACH = _tried(_has_foreach)
_FIRST = 2**64 - 1  # the place in autograd's queue of nodes that accumulate gradients


def run_backward_first(result: Tensor) -> None:
    """Let the node that made a tensor run backwards as soon as its gradients are there, if PyTorch can be told.

    Autograd runs the nodes that were made last first. The order changes no result.
    """
    with suppress(AttributeError, TypeError, ValueError, RuntimeError):
        result.grad_fn._set_sequence_nr(_FIRST)  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]


def skips_nonfinite_steps(optimizer: torch.optim.Optimizer) -> bool:
    """Return True if an optimiser's kernels take no step where its `found_inf` is 1, as `GradScaler` asks of them."""
    if getattr(optimizer, "_step_supports_amp_scaling", False) is not True:
        return False
    return _obeys(type(optimizer), optimizer.param_groups[0]["params"][0].device)


@cache
def _obeys(kind: type[torch.optim.Optimizer], device: torch.device) -> bool:
    def trial() -> bool:
        parameter = nn.Parameter(torch.ones(1, device=device))
        parameter.grad = torch.ones(1, device=device)
        optimizer: Any = kind([parameter], lr=1.0, fused=True)  # pyright: ignore[reportCallIssue]
        optimizer.grad_scale, optimizer.found_inf = None, torch.ones((), device=device)
        optimizer.step()
        return bool((parameter == 1).all())

    return _tried(trial)


def end_workers(batches: Iterator[Any]) -> None:
    """End the processes of a `DataLoader`'s iterator now; without a way to say so they end with the iterator."""
    with suppress(AttributeError):
        batches._shutdown_workers()  # pyright: ignore[reportAttributeAccessIssue]


# DGL and numba.


@cache
def dgl_sum(dgl: ModuleType) -> Callable[[Any, Tensor], Tensor]:
    """sum(graph, x): `dgl.ops.copy_u_sum` without its wrapping and its gradient, which cost as much on small graphs."""
    plain: Callable[[Any, Tensor], Tensor] = dgl.ops.copy_u_sum

    def quick(of: Any, x: Tensor) -> Tensor:
        return raw(of._graph, "copy_lhs", "sum", x, None)[0]

    def trial() -> bool:
        graph, x = dgl.graph(([0, 1, 1], [1, 0, 1]), num_nodes=2), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        return torch.equal(quick(graph, x), plain(graph, x))

    with suppress(ImportError, AttributeError):
        raw: AnyCallable = importlib.import_module("dgl._sparse_ops")._gspmm
        if _tried(trial):
            return quick
    return plain


class NoCache:
    """Stand-in for numba's cache of machine code: everything is compiled in each process."""

    def __init__(self, function: AnyCallable) -> None: ...

    def load_overload(self, sig: Any, target_context: Any) -> None:
        """Nothing is there."""

    def save_overload(self, sig: Any, data: Any) -> None:
        """Nothing is kept."""

    def flush(self) -> None:
        """Nothing is to be deleted."""

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return ()


def numba_cache() -> type[Any]:
    """The class `FunctionCache` of numba, `NoCache` where it is not what `zoo.engine` builds on."""
    with suppress(ImportError, AttributeError):
        found = importlib.import_module("numba.core.caching").FunctionCache
        if all(callable(getattr(found, name, None)) for name in vars(NoCache) if not name.startswith("__")):
            return found
    return NoCache


def use_numba_cache(compiled: Any, kept: Any) -> None:
    """Let a compiled function keep its machine code in a cache."""
    compiled._cache = kept
