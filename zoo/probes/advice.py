"""Advice as changes that can be typed: what to add to `zoo train` and the same recipe."""

from dataclasses import dataclass

from torch import nn

from registry import models, optimizers
from zoo.layers.block import Block
from zoo.layers.network import Network
from zoo.layers.residual import NoSkip
from zoo.normalizers.base import FeatureNormalizer
from zoo.recipe.options import options_of
from zoo.recipe.recipe import Component, Recipe

Change = tuple[str, ...]  # words that are typed together

FAST = 3.0  # times the optimiser's own default: a rate above that is brought back to the default at once
SLOWER, LONGER = 10.0, 4


@dataclass(frozen=True)
class Situation:
    """The options of a run that advice can change, and the paths that they are written at.

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
        """Return that of a recipe and the network that was built of it."""
        bounded = [
            (f"normalizer.{place}.c" if len(recipe.normalizer) > 1 else "normalizer.c", component.options["c"])
            for place, component in enumerate(recipe.normalizer)
            if "c" in component.options
        ]
        path, c = bounded[0] if bounded and network.bounds() else (None, None)
        lr = recipe.optimizer.options.get("lr")
        duration = recipe.training.duration
        return cls(
            depth=len(network.blocks),
            skips=network.readout.collects or any(map(_skips, network.blocks)),
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


def _skips(block: nn.Module) -> bool:
    return not (isinstance(block, Block) and isinstance(block.residual, NoSkip))


def _connected(recipe: Recipe) -> tuple[str, ...]:
    """Return words that give the model skips and leave its other options alone; none where there are none."""
    ends = ("model.ends=linear",) if recipe.model.options.get("ends") == "conv" else ()
    if f"res-{recipe.model.name}" in models:
        return f"model.name=res-{recipe.model.name}", *ends
    return ("model.residual=add", *ends) if recipe.model.name == "stack" else ()


def _usual_lr(recipe: Recipe) -> float | None:
    option = options_of(optimizers.get(recipe.optimizer.name)).get("lr")
    default = option.default if option else None
    return default if isinstance(default, float | int) else None


def bound(situation: Situation) -> tuple[Change, ...]:
    """Bound the weights, by a c that is found and, if that is not enough, moved."""
    if situation.bound is None:
        if not situation.boundable:
            return fewer(situation)
        return ("normalizer={name: frobenius, c: auto}",), ("normalizer={name: frobenius, c: adaptive}",)
    if situation.bound_is == "controller":
        return slower(situation)
    adaptive = (f"{situation.bound}=adaptive",)
    return (adaptive,) if situation.bound_is == "auto" else ((f"{situation.bound}=auto",), adaptive)


def connect(situation: Situation) -> tuple[Change, ...]:
    """Lead gradients past the blocks, with bounded weights; where they are led so, bound the weights alone."""
    if situation.skips:
        return bound(situation)
    if not situation.connected:
        return fewer(situation)
    return ((*situation.connected, "normalizer={name: frobenius, c: auto}"),)


def fewer(situation: Situation) -> tuple[Change, ...]:
    """A quarter of the blocks."""
    return ((f"model.depth={max(2, situation.depth // 4)}",),) if situation.depth > 2 else ()


def slower(situation: Situation) -> tuple[Change, ...]:
    """A smaller rate: the optimiser's own default, or a tenth where the rate is near that already."""
    lr, usual = situation.lr, situation.usual_lr
    if lr is None:
        return ()
    return ((f"optimizer.lr={usual if usual and lr > FAST * usual else lr / SLOWER:.3g}",),)


def more(situation: Situation) -> tuple[Change, ...]:
    """A rate that is not far below the optimiser's own default, or else a longer training."""
    lr, usual = situation.lr, situation.usual_lr
    if lr and usual and lr < usual / FAST:
        return ((f"optimizer.lr={usual:.3g}",),)
    amount, unit = situation.duration
    return ((f"training.duration={LONGER * amount:g}" + (f" {unit}" if unit != "epochs" else ""),),)


def standardize(_: Situation) -> tuple[Change, ...]:
    """Features of a usual size."""
    return (("prepare.features=standardize",),)
