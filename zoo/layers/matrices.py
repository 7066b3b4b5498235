"""The weight matrices inside blocks, by name, and other tensors in their places."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import is_

from torch import Tensor, nn

from zoo.layers.conv import conv_of, weight_matrices

Place = tuple[nn.Module, str]  # a module, and the name of one of its own parameters


class BlockMatrices:
    """Every weight matrix inside blocks' convolutions, by its dotted name, such as `blocks.0.conv.weight`.

    A parameter that stands in several places has the name of the first one. Names and places are kept from call to
    call, as to find those of hundreds of blocks takes as long as to run a few, while the modules are those of the last.
    """

    def __init__(self) -> None:
        self._seen: list[object] = []
        self._named: list[tuple[str, Place]] = []
        self._places: list[Place] = []

    def of(self, blocks: Iterable[nn.Module]) -> dict[str, Tensor]:
        """Return the matrices by name, or what stands in for them now."""
        blocks = list(blocks)
        seen = _structure(blocks)
        if len(seen) != len(self._seen) or not all(map(is_, seen, self._seen)):
            self._seen, self._named = seen, list(_named_places(blocks))
            everywhere = {module: None for block in blocks for module in block.modules()}
            self._places = [(module, key) for module in everywhere for key in module._parameters]
        found: dict[str, Tensor] = {}
        met: set[int] = set()
        for name, (module, key) in self._named:
            matrix = module._parameters[key]
            if matrix is not None and id(matrix) not in met:
                met.add(id(matrix))
                found[name] = matrix
        return found

    @contextmanager
    def replaced(self, blocks: Iterable[nn.Module], matrices: Mapping[str, Tensor]) -> Iterator[None]:
        """Let these tensors, by the matrices' names, stand in all of the parameters' places while the `with` lasts."""
        found = self.of(blocks)
        instead = {id(found[name]): matrix for name, matrix in matrices.items()}
        before = [
            (module._parameters, key, parameter)
            for module, key in self._places
            if id(parameter := module._parameters.get(key)) in instead
        ]
        try:
            for parameters, key, parameter in before:
                parameters[key] = instead[id(parameter)]  # pyright: ignore[reportArgumentType] - a stand-in is no Parameter
            yield
        finally:
            for parameters, key, parameter in before:
                parameters[key] = parameter


def _structure(blocks: Sequence[nn.Module]) -> list[object]:
    """Return the blocks, all modules in their convolutions, and the names of the parameters that these have."""
    found: list[object] = []
    for block in blocks:
        found.append(block)
        inside = [conv_of(block)]
        for module in inside:
            if module is not None:
                found.append(module)
                found += [key for key, parameter in module._parameters.items() if parameter is not None]
                if module._modules:
                    inside += module._modules.values()
    return found


def _named_places(blocks: Sequence[nn.Module]) -> Iterator[tuple[str, Place]]:
    owners: dict[nn.Module, int] = {}
    for index, block in enumerate(blocks):
        if conv := conv_of(block):
            owners.setdefault(conv, index)
    for conv, index in owners.items():
        for name, _ in weight_matrices(conv):
            path, _, key = name.rpartition(".")
            yield f"blocks.{index}.conv.{name}", (conv.get_submodule(path), key)
