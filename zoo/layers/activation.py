"""From an activation option to a module."""

from typing import Any

from torch import Tensor, nn

from zoo.contracts import as_input
from zoo.errors import BuildError


def make_activation(factory: Any) -> nn.Module:
    """Call the factory.

    Raises: BuildError for a bare name, which only the recipe builder can look up, and for what is no module.
    """
    if isinstance(factory, str):
        raise BuildError(
            f"activation — got the name {factory!r} — expected a factory of modules, e.g. torch.nn.ReLU; "
            "names are looked up when a recipe is built"
        )
    made = factory()
    if not isinstance(made, nn.Module):  # a network has to find it among its modules
        raise BuildError(
            f"activation — the factory made a {type(made).__name__} — expected a module — a subclass of torch.nn.Module"
        )
    return made


def activated(activation: nn.Module, x: Tensor) -> Tensor:
    """activation(x). Raises: ComponentError unless it is of the shape, precision and device of x."""
    return as_input("activation", activation, activation(x), x)
