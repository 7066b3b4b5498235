"""Which function transforms of PyTorch (`torch.vmap`, `torch.func.grad` …) the caller runs under."""

from typing import Any

import torch
from torch import _C

_functorch: Any = getattr(_C, "_functorch", None)  # a private part of PyTorch, which may go


def is_transformed() -> bool:
    """Whether any is active; operators that know of none then have to be made of PyTorch's own."""
    return torch._C._are_functorch_transforms_active()


def is_one_vmap() -> bool:
    """Whether all that is active is one `torch.vmap`: what runs below its operators is then plain PyTorch again."""
    if not hasattr(_functorch, "get_interpreter_stack"):
        return False
    stack = _functorch.get_interpreter_stack()
    return stack is not None and len(stack) == 1 and stack[0].key() == _functorch.TransformType.Vmap
