"""Declarations of modules: that a training pass computes what an evaluation does, or may be recorded."""

from typing import Any, Literal

import torch
from torch import nn

from zoo.system.private import has_forward_hooks, has_global_forward_hooks
from zoo.tasks.base import Task

Declaration = Literal["same_in_training", "recordable"]

# PyTorch's modules that look at nothing but their input and their parameters. Those of other kinds are not known.
_PLAIN = frozenset(
    {nn.Identity, nn.Linear, nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.Flatten, nn.LayerNorm, nn.GroupNorm}
    | {nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ReLU6, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus}
    | {nn.Tanh, nn.Sigmoid, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Softsign, nn.LogSigmoid, nn.Softmax}
)

# Those that draw random numbers or keep statistics, if asked to.
_OPTIONS: dict[type, dict[Declaration, Any]] = {
    nn.Dropout: {"same_in_training": lambda module: module.p == 0, "recordable": True},
    nn.BatchNorm1d: {"same_in_training": lambda module: not module.track_running_stats, "recordable": True},
    nn.LSTM: {"same_in_training": lambda module: not module.dropout, "recordable": True},
    nn.Embedding: dict.fromkeys(("same_in_training", "recordable"), lambda module: module.max_norm is None),
}


def undeclared(network: nn.Module, declaration: Declaration) -> str | None:
    """The first module, by class and name, that does not declare this of itself; None if all of a network's do.

    same_in_training: in training, too, `forward` is a function of what it is given, the parameters and the buffers
    alone, and that of evaluation; no random number is drawn and nothing is written. recordable: a training pass does
    the same in Python every time, so that a GPU may repeat its kernels; who is the same in training is recordable, too.

    It is an attribute of the class, or a property where it depends on options, that is asked before each pass that it
    speaks for. It counts in the very class of the module, so that a subclass has to say it anew, and not where somebody
    has hooked into the module's forward pass or given one object a `forward` of its own.
    """
    if has_global_forward_hooks():
        return "a hook on every module there is"
    known: dict[type, Any] = {}  # the classes that were met: hundreds of blocks are asked for each validation
    parts = [network]
    while parts:
        part = parts.pop()
        kind = type(part)
        if kind not in known:
            known[kind] = _declared_by(kind, declaration)
        declared = known[kind]
        if not (declared is True or declared(part)) or has_forward_hooks(part):
            name = next((name for name, module in network.named_modules() if module is part), "")
            return f"{kind.__name__} ({name or 'the network'})"
        parts += part.children()
    return None


def one_pass(task: Task) -> str | None:
    """Return why not all steps and scores of a task are made of the same pass, `Task.whole`; None if they are.

    As with modules, a class that inherits `whole` may have another loss, and does not speak by it.
    """
    if task.whole is None:
        return "not all steps are of the same batch"
    return None if "whole" in vars(type(task)) else f"{type(task).__name__} does not define `whole` itself"


def unrecordable(network: nn.Module, task: Task, optimizer: torch.optim.Optimizer) -> str | None:
    """Return why steps may not be recorded for a GPU; None if all that they are made of declares that they may."""
    if reason := one_pass(task):
        return reason
    if not type(optimizer).__module__.startswith("torch.optim."):
        return f"{type(optimizer).__name__} is none of PyTorch's own optimisers"
    module = undeclared(network, "recordable")
    return module and f"{module} does not declare that it is recordable, or is hooked into"


def _declared_by(kind: type, declaration: Declaration) -> Any:
    """Return what a class declares: True, or a function that tells of a module."""
    if kind in _PLAIN:
        return True
    name = declaration if declaration in vars(kind) else "same_in_training"
    if name in vars(kind):
        return vars(kind)[name] is True or (lambda module: getattr(module, name) is True)
    return _OPTIONS.get(kind, {}).get(declaration, lambda _: False)
