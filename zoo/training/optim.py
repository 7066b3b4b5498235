"""Optimisers, with their options per group of parameters."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from zoo.errors import BuildError
from zoo.recipe.fields import NonNegative, Positive, Probability


class Group(BaseModel):
    """Options of one group of parameters; unset ones are the optimiser's."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    lr: Positive | None = None
    weight_decay: NonNegative | None = None


# Prefix of dotted parameter names → options, as in {"blocks": {"weight_decay": 0.01}}; the longest prefix wins.
Groups = Annotated[Mapping[str, Group], Field(default_factory=dict)]


def adam(
    network: nn.Module,
    *,
    lr: Positive = 0.005,
    weight_decay: NonNegative = 0.0,
    beta1: Probability = 0.9,
    beta2: Probability = 0.999,
    eps: Positive = 1e-8,
    groups: Groups = {},  # noqa: B006 - read only
) -> torch.optim.Optimizer:
    """Adam (Kingma & Ba 2015); weight_decay is added to the gradient, as an L2 penalty."""
    return _fused(torch.optim.Adam, _grouped(network, groups, lr, weight_decay), betas=(beta1, beta2), eps=eps)


def adamw(
    network: nn.Module,
    *,
    lr: Positive = 0.005,
    weight_decay: NonNegative = 0.01,
    beta1: Probability = 0.9,
    beta2: Probability = 0.999,
    eps: Positive = 1e-8,
    groups: Groups = {},  # noqa: B006 - read only
) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter 2019): weight decay apart from the gradient."""
    return _fused(torch.optim.AdamW, _grouped(network, groups, lr, weight_decay), betas=(beta1, beta2), eps=eps)


def sgd(
    network: nn.Module,
    *,
    lr: Positive = 0.1,
    weight_decay: NonNegative = 0.0,
    momentum: Probability = 0.0,
    nesterov: bool = False,
    groups: Groups = {},  # noqa: B006 - read only
) -> torch.optim.Optimizer:
    """Stochastic gradient descent, with momentum if asked for."""
    if nesterov and not momentum:
        raise BuildError("optimizer.nesterov — Nesterov's step without momentum — expected momentum above 0, e.g. 0.9")
    return _fused(
        torch.optim.SGD, _grouped(network, groups, lr, weight_decay), lr=lr, momentum=momentum, nesterov=nesterov
    )


def _grouped(network: nn.Module, groups: Mapping[str, Group], lr: float, weight_decay: float) -> list[dict[str, Any]]:
    """Return parameters by the longest group prefix of their names. Raises: BuildError for one that matches nothing."""
    members: dict[str, list[nn.Parameter]] = {prefix: [] for prefix in ("", *groups)}
    names = [name for name, _ in network.named_parameters()]
    for prefix in groups:
        if not any(_within(name, prefix) for name in names):
            tops = sorted({name.split(".")[0] for name in names})
            raise BuildError(
                f"optimizer.groups.{prefix} — matches no parameter — expected the beginning of a parameter's name, "
                f"such as {', '.join(tops)} or {names[0]}"
            )
    for name, parameter in network.named_parameters():
        fitting = [prefix for prefix in groups if _within(name, prefix)]
        members[max(fitting, key=len, default="")].append(parameter)
    defaults = {"lr": lr, "weight_decay": weight_decay}
    return [
        {
            "params": parameters,
            "name": prefix or "all others",
            **defaults,
            **(groups[prefix].model_dump(exclude_none=True) if prefix in groups else {}),
        }
        for prefix, parameters in members.items()
        if parameters
    ]


def _within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def _fused(
    optimizer: Callable[..., torch.optim.Optimizer], groups: list[dict[str, Any]], **options: Any
) -> torch.optim.Optimizer:
    """Return the fused form where this PyTorch has it for these tensors: hundreds of blocks are thousands of them."""
    try:
        return optimizer(groups, fused=True, **options)
    except (TypeError, RuntimeError):  # PyTorch before 2.4 has it for CUDA and some optimisers only
        return optimizer(groups, **options)
