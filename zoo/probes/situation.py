"""A network and its training, as far as advice depends on them."""

from dataclasses import dataclass

from registry import models, optimizers
from zoo.layers.network import Network
from zoo.layers.residual import NoSkip
from zoo.normalizers.base import FeatureNormalizer
from zoo.recipe.options import options_of
from zoo.recipe.recipe import Component, Recipe


@dataclass(frozen=True)
class Situation:
    """What can be changed, and where it is written.

    skips: whether gradients pass by the blocks. reads_all_blocks: whether the head does. rescales: whether features are
    normalised in the blocks. boundable: whether the blocks have weights to normalise.
    bound: where c is written, such as `normalizer.c`, None without one; bound_is: how it is chosen there.
    connected: words that give the same model skips; none where there is no such model.
    lr, usual_lr: the recipe's and the optimiser's own default; None for an optimiser without. duration: of the
    training, its amount and unit.
    """

    depth: int
    skips: bool = True
    reads_all_blocks: bool = False
    rescales: bool = False
    boundable: bool = True
    bound: str | None = None
    bound_is: str = "number"
    connected: tuple[str, ...] = ()
    lr: float | None = None
    usual_lr: float | None = None
    duration: tuple[float, str] = (400, "epochs")

    @classmethod
    def of(cls, recipe: Recipe, network: Network) -> "Situation":
        """That of a recipe and the network that was built of it."""
        bounded = [
            (f"normalizer.{place}.c" if len(recipe.normalizer) > 1 else "normalizer.c", component.options["c"])
            for place, component in enumerate(recipe.normalizer)
            if "c" in component.options
        ]
        path, c = bounded[0] if bounded and network.bounds() else (None, None)
        lr = recipe.optimizer.options.get("lr")
        duration = recipe.training.duration
        residuals = [getattr(block, "residual", None) for block in network.blocks]
        return cls(
            depth=len(network.blocks),
            skips=network.readout.collects or not all(isinstance(residual, NoSkip) for residual in residuals),
            reads_all_blocks=network.readout.collects,
            rescales=any(isinstance(module, FeatureNormalizer) for module in network.blocks.modules()),
            boundable=bool(network.block_matrices()),
            bound=path,
            bound_is="controller" if isinstance(c, Component) else "auto" if c == "auto" else "number",
            connected=_connected(recipe),
            lr=lr if isinstance(lr, float | int) else None,
            usual_lr=_usual_lr(recipe),
            duration=(duration.amount, duration.unit),
        )


def _connected(recipe: Recipe) -> tuple[str, ...]:
    """Words that give the model skips and leave its other options alone; none where there are no such words."""
    ends = ("model.ends=linear",) if recipe.model.options.get("ends") == "conv" else ()
    if f"res-{recipe.model.name}" in models:
        return f"model.name=res-{recipe.model.name}", *ends
    return ("model.residual=add", *ends) if recipe.model.name == "stack" else ()


def _usual_lr(recipe: Recipe) -> float | None:
    option = options_of(optimizers.get(recipe.optimizer.name)).get("lr")
    default = option.default if option else None
    return default if isinstance(default, float | int) else None
