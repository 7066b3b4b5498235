"""Checks of what components return against what their table promises.

They compare shapes and types and read no number of a tensor on a device, so that they can be made at every call.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, SupportsFloat

import numpy as np
import torch
from torch import Tensor

from registry.owners import described
from zoo.errors import ComponentError


def broken(role: str, component: Any, wrong: str, expected: str, nearest: str = "") -> NoReturn:
    """Raise ComponentError: the component by name and place, what is wrong, what was expected, what is near it."""
    raise ComponentError(" — ".join(filter(None, [described(component, role), wrong, f"expected {expected}", nearest])))


def returned(
    role: str,
    component: Any,
    result: Any,
    shape: Sequence[int | None],
    like: Tensor,
    why: str,
    *,
    any_float: bool = False,
) -> Tensor:
    """Return the result, if it is a tensor of that shape, in the precision of `like` and on its device.

    shape: None stands for any size. Under autocast the precision may be any of those that it computes in, and with
    any_float it may be any. why: what the shape is, for the message. Raises: ComponentError.
    """
    fits = isinstance(result, Tensor) and len(result.shape) == len(shape)
    fits = fits and all(size is None or size == have for have, size in zip(result.shape, shape, strict=True))
    if fits and result.dtype == like.dtype and result.device == like.device and result.layout == torch.strided:
        return result
    expected = "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"
    if not isinstance(result, Tensor):
        broken(role, component, f"returned {_described(result)}", f"a tensor {expected}, {why}", "return that tensor")
    if result.layout != torch.strided:
        broken(role, component, f"returned a sparse tensor {list(result.shape)}", "a dense one", "result.to_dense()")
    if not fits:
        broken(role, component, f"returned shape {list(result.shape)}", f"{expected}, {why}", _nearer(result, shape))
    if result.device != like.device:
        broken(role, component, f"returned a tensor on {result.device}", f"one on {like.device}", "result.to(x.device)")
    if not (_is_precision(result.dtype, like) or (any_float and result.is_floating_point())):
        broken(role, component, f"returned {result.dtype} {expected}", f"{like.dtype}", f"result.to({like.dtype})")
    return result


def as_input(role: str, component: Any, result: Any, x: Tensor) -> Tensor:
    """Return the result, if it is of the shape, precision and device of x. Raises: ComponentError."""
    alike = isinstance(result, Tensor) and result.shape == x.shape and result.dtype == x.dtype
    if alike and result.device == x.device and result.layout == torch.strided:
        return result
    return returned(role, component, result, x.shape, x, "the shape of its input")


def scalar(role: str, component: Any, result: Any, what: str) -> Tensor:
    """Return the result, if it is a floating scalar tensor. Raises: ComponentError."""
    if isinstance(result, Tensor) and result.dim() == 0 and result.is_floating_point():
        return result
    wrong = f"{result.dtype} {list(result.shape)}" if isinstance(result, Tensor) else _described(result)
    near = "result.mean() or result.sum()" if isinstance(result, Tensor) and result.dim() else ""
    broken(role, component, f"{what} is {wrong}", "a scalar tensor of floats, []", near)


def number(role: str, component: Any, result: Any, what: str) -> float:
    """Return a number, or a tensor or array of one, as a float. Raises: ComponentError."""
    if type(result) is float:
        return result
    if isinstance(result, Tensor | np.ndarray | np.generic):
        if result.size == 1 if not isinstance(result, Tensor) else result.numel() == 1:
            result = result.item()
    elif isinstance(result, SupportsFloat):
        result = float(result)
    if isinstance(result, int | float):
        return float(result)
    broken(role, component, f"{what} is {_described(result)}", "a number")


def finite(role: str, component: Any, result: Any, what: str) -> float:
    """Return the result as a finite float. Raises: ComponentError."""
    value = number(role, component, result, what)
    if not math.isfinite(value):
        broken(role, component, f"{what} is {value}", "a finite number")
    return value


def measured(component: Any, result: Any) -> dict[str, Tensor]:
    """Return what a probe measured, tensors by name; numbers become tensors. Raises: ComponentError."""
    if not isinstance(result, Mapping):
        broken("probe", component, f"measured {_described(result)}", "tensors by name", "{'mine': tensor}")
    found = {}
    for name, value in result.items():
        if isinstance(value, int | float | np.ndarray | np.generic):
            value = torch.as_tensor(value)
        if not isinstance(name, str) or not isinstance(value, Tensor) or value.is_complex():
            wrong = f"{name!r} is {_described(value)}"
            broken("probe", component, wrong, "a series [blocks] or a scalar, by a name", "")
        found[name] = value
    return found


def of_kind(role: str, maker: Any, result: Any, kinds: type | tuple[type, ...], nearest: str = "") -> Any:
    """Return what a registered class or function made, if it is of its table's kind. Raises: ComponentError."""
    if isinstance(result, kinds):
        return result
    names = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
    broken(role, maker, f"returned {_described(result)}", f"a {names}", nearest)


def _described(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, Tensor):
        return f"a tensor {value.dtype} {list(value.shape)}"
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"{name} {value!r}" if isinstance(value, int | float | str) and len(str(value)) < 40 else f"a {name}"


def _nearer(result: Tensor, shape: Sequence[int | None]) -> str:
    """Return what to do where broadcasting would have hidden the wrong shape."""
    try:
        fits = torch.broadcast_shapes(result.shape, [1 if size is None else size for size in shape]) == tuple(shape)
    except RuntimeError:
        return ""
    return "expand it, if every row or column is to have the same" if fits else ""


def _is_precision(dtype: torch.dtype, like: Tensor) -> bool:
    """Return True for the dtype of `like`, and for one of autocast's beside another."""
    if dtype == like.dtype:
        return True
    mixed = (torch.float32, torch.bfloat16, torch.float16)
    return torch.is_autocast_enabled(like.device.type) and dtype in mixed and like.dtype in mixed
