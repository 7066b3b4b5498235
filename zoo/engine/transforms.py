"""Which function transforms of PyTorch (`torch.vmap`, `torch.func.grad` …) the caller runs under."""

from collections.abc import Callable
from typing import Any

from torch import _C

# Private parts of PyTorch, which may go. Without them all operators are PyTorch's own.
_functorch: Any = getattr(_C, "_functorch", None)
_is_active: Callable[[], bool] = getattr(_C, "_are_functorch_transforms_active", lambda: True)


def is_transformed() -> bool:
    """Whether any is active; operators that know of none then have to be made of PyTorch's own."""
    return _is_active()


def is_one_vmap() -> bool:
    """Whether all that is active is one `torch.vmap`: what runs below its operators is then plain PyTorch again."""
    try:
        stack = _functorch.get_interpreter_stack()
        return stack is not None and len(stack) == 1 and stack[0].key() == _functorch.TransformType.Vmap
    except (AttributeError, TypeError):
        return False
