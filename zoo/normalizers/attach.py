"""Weight normalisers on the weight matrices of a network."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from zoo.contracts import as_input
from zoo.engine.rescaling import Rescaling, rescale
from zoo.errors import BuildError
from zoo.normalizers.base import BoundedNormalizer, NoNormalizer, WeightNormalizer
from zoo.recipe.fields import Mode
from zoo.system.private import foreach_copy_, has_hooks, is_transformed


class MatrixGroup(nn.Module):
    """Weight matrices of one shape, and the normalisers that act on all of them at once.

    `names` are the matrices in the order in which they are stacked: row i of a buffer such as `c` belongs to names[i].
    """

    same_in_training = True

    def __init__(self, names: Sequence[str], stacked: Tensor, normalizers: Sequence[WeightNormalizer]) -> None:
        super().__init__()
        self.names = tuple(names)
        self.normalizers = nn.ModuleList(normalizers)
        for normalizer in normalizers:
            if isinstance(normalizer, BoundedNormalizer):
                per_matrix = (len(names),) + (1,) * (stacked.dim() - 1)
                normalizer.c = normalizer.c.to(stacked).expand(per_matrix).clone()
            normalizer.warm_up(stacked)
            with torch.no_grad():
                stacked = as_input("normalizer", normalizer, normalizer.normalize(stacked), stacked)

    def of(self, mode: Mode) -> list[WeightNormalizer]:
        """Return the normalisers of one mode, in their order."""
        return [module for module in self.normalizers if isinstance(module, WeightNormalizer) and module.mode == mode]

    def apply_mode(self, mode: Mode, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the matrices after the normalisers of one mode, by name; nothing if there are none."""
        normalizers = self.of(mode)
        if not normalizers:
            return {}
        weights = [parameters[name] for name in self.names]
        if (rescaling := _rescaling(normalizers)) and not is_transformed():
            return dict(zip(self.names, rescale(weights, rescaling), strict=True))
        weight = torch.stack(weights)
        for normalizer in normalizers:
            weight = as_input("normalizer", normalizer, normalizer(weight), weight)
        return dict(zip(self.names, weight.unbind(), strict=True))


class WeightNormalization(nn.Module):
    """A network's weight normalisers: a few calls for all matrices, however many blocks there are.

    The matrices are grouped by shape, dtype and device. Each group is stacked along a new leading axis and has its own
    instance of every normaliser; these act in the order of the list. `NoNormalizer` is left out. This module holds no
    matrix, only their names, and receives them at every call, so that the network can be moved, copied or saved as if
    it were not there.

    Each normaliser's `c` becomes a buffer with one entry per matrix, [matrices, 1, 1] (one more axis with heads): to
    change it, write into it (`c.fill_(0.5)`, `c[3] = 0.5`) and, for `project`, call `project` again.

    Arguments:
        matrices: parameters by their dotted names, [d_in, d_out] or [heads, d_in, d_out]. Those of `project` mode are
            normalised at once, in place; where any c is `auto`, not before `project` is called, so that calibration
            finds the weights as they were.
        factories: make one normaliser each. Project-mode ones act on the stored weights, hence come first.

    Raises: BuildError if a project-mode normaliser comes after a reparametrize-mode one.

    """

    same_in_training = True

    def __init__(self, matrices: Mapping[str, Tensor], factories: Sequence[Callable[[], WeightNormalizer]]) -> None:
        super().__init__()
        by_kind: dict[tuple[torch.Size, torch.dtype, torch.device], list[str]] = {}
        for name, matrix in matrices.items():
            if matrix.dim() < 2:
                raise ValueError(f"{name} has shape {tuple(matrix.shape)}: not a matrix")
            by_kind.setdefault((matrix.shape, matrix.dtype, matrix.device), []).append(name)
        self.groups = nn.ModuleList()
        for names in by_kind.values():
            normalizers = [made for made in (factory() for factory in factories) if not isinstance(made, NoNormalizer)]
            if normalizers:
                _check_order(normalizers)
                stacked = torch.stack([matrices[name].detach() for name in names])
                self.groups.append(MatrixGroup(names, stacked, normalizers))
        if not any(normalizer.auto for normalizer in self.bounded()):
            self.project(matrices)

    def forward(self, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return normalised weights by name, differentiable; empty without normalisers in mode `reparametrize`.

        `parameters` holds the network's current matrices by name; it may hold more.
        """
        normalised: dict[str, Tensor] = {}
        for group in self._groups():
            device = parameters[group.names[0]].device.type
            with torch.autocast(device, enabled=False):  # a bound in half precision would be off by a percent
                normalised.update(group.apply_mode("reparametrize", parameters))
        return normalised

    @property
    def projects(self) -> bool:
        """True if `project` has anything to do."""
        return any(group.of("project") for group in self._groups())

    @torch.no_grad()
    def project(self, parameters: Mapping[str, Tensor]) -> None:
        """Overwrite the matrices with their normalised values, for normalisers in mode `project`.

        Call it after each optimiser step; without such normalisers it does nothing.
        """
        for group in self._groups():
            projected = group.apply_mode("project", parameters)
            if projected:
                foreach_copy_([parameters[name] for name in projected], list(projected.values()))

    def bounded(self) -> list[BoundedNormalizer]:
        """Return the normalisers with a bound c, group by group."""
        return [normalizer for _, normalizer in self._bounded()]

    def bounds(self) -> Iterator[tuple[tuple[str, ...], Tensor]]:
        """Yield for each normaliser that has a bound the names of its matrices, and their c, [matrices, 1, …]."""
        for group, normalizer in self._bounded():
            yield group.names, normalizer.c

    def _bounded(self) -> Iterator[tuple[MatrixGroup, BoundedNormalizer]]:
        for group in self._groups():
            for normalizer in group.normalizers:
                if isinstance(normalizer, BoundedNormalizer):
                    yield group, normalizer

    def _groups(self) -> list[MatrixGroup]:
        return cast("list[MatrixGroup]", list(self.groups))


def _rescaling(normalizers: Sequence[WeightNormalizer]) -> Callable[[slice], Rescaling] | None:
    """Return how matrices are rescaled, if that is all there is to it: one normaliser, whose class declares it."""
    alone, kind = normalizers[0], cast(Any, type(normalizers[0]))
    if len(normalizers) > 1 or not isinstance(alone, BoundedNormalizer) or has_hooks(alone):
        return None
    if kind.normalize is not kind.rescales or kind.forward is not WeightNormalizer.forward:
        return None
    return cast("Callable[[slice], Rescaling]", alone.rescaling) if alone.rescaling(slice(0)) else None


def _check_order(normalizers: Sequence[WeightNormalizer]) -> None:
    modes = [normalizer.mode for normalizer in normalizers]
    if modes != sorted(modes):  # "project" sorts before "reparametrize"
        names = ", ".join(f"{type(normalizer).__name__} ({normalizer.mode})" for normalizer in normalizers)
        raise BuildError(
            f"normalizer — {names} cannot act in this order: projection writes into the stored weights, before any "
            "re-parametrisation — expected those with mode: project first — swap them, or give all the same mode"
        )
