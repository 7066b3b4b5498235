"""Errors of a lack of memory: what was needed, what would help, and the memory that the failed calls held."""

import gc
import math
import resource
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch

from zoo.engine.buffers import Buffers
from zoo.errors import TrainingError
from zoo.layers.network import Network
from zoo.recipe.recipe import Component, Recipe
from zoo.system.os_errors import asked_for, shortage_of
from zoo.tasks.base import Task

_FLOAT = 4  # bytes
_OF_ADAM = 4  # numbers for each parameter: itself, its gradient and two moments


@contextmanager
def enough_memory(
    where: str,
    recipe: Recipe,
    network: Network | None = None,
    task: Task | None = None,
    *,
    trains: bool = True,
    saves: bool = False,
) -> Iterator[None]:
    """Turn a lack of memory inside the `with`, on any device, into a TrainingError that says what was needed.

    where: what is done with what, for the message. network, task: as far as they are made; else the recipe's depth and
    width are told. trains: whether features are kept for a backward pass, and the recipe can still be changed. saves:
    whether a state of the run is kept to resume from.
    The memory that the failed calls held, and that which waits to be used again, is released, so that a caller who
    catches the error has it. Raises: TrainingError.
    """
    try:
        yield
    except Exception as error:
        lack = shortage_of(error)
        if lack is None:
            raise
        free = _free(lack)
        _release(error)
        needs, remedies = _needs(recipe, network, task, trains), _remedies(recipe, network, trains)
        resume = ["'zoo train … --resume' resumes from the state saved last, if there is one"] if saves else []
        raise TrainingError(
            f"{where} — memory ran out: {_asked(lack)}; {free} — expected room for {needs} — "
            + "; ".join([*remedies, *resume])
        ) from error


def _asked(lack: BaseException) -> str:
    asked = asked_for(lack)
    return f"{_size(asked)} more were asked for" if asked else "more was asked for than there is"


def _free(lack: BaseException) -> str:
    if "CUDA" in str(lack):
        if not torch.cuda.is_available():
            return "the device says no more"
        free, total = torch.cuda.mem_get_info()
        return f"{_size(free)} of the device's {_size(total)} are free"
    memory = psutil.virtual_memory()
    free = f"{_size(memory.available)} of this machine's {_size(memory.total)} are free"
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return free
    return f"{free}, and the process is held to {_size(limit)} (ulimit -v)"


def _needs(recipe: Recipe, network: Network | None, task: Task | None, trains: bool) -> str:
    if network is None or task is None:
        options = recipe.model.options
        shape = [f"model.{name}={options[name]}" for name in ("depth", "width") if isinstance(options.get(name), int)]
        return f"the data set {recipe.dataset.name} and a network of {' and '.join(shape) or recipe.model.name}"
    blocks, nodes = len(network.blocks), task.nodes_per_step
    width = max((matrix.shape[-1] for matrix in network.block_matrices().values()), default=1)
    kept = 2 if not trains else blocks if recipe.training.memory == "full" else 2 * math.ceil(math.sqrt(blocks))
    features = kept * nodes * width * _FLOAT
    parameters = sum(parameter.numel() for parameter in network.parameters())
    least = (
        f"at least {_size(features)} for the features of {kept} blocks ({nodes:,} nodes × width {width}), of {blocks}"
    )
    if not trains:
        return f"{least} in all, beside the data and {_size(parameters * _FLOAT)} of parameters"
    return (
        f"{least} in all, and about {_size(parameters * _OF_ADAM * _FLOAT)} for {parameters:,} parameters with "
        "gradients and moments, beside the data"
    )


def _remedies(recipe: Recipe, network: Network | None, trains: bool) -> list[str]:
    if not trains:
        return ["end what else uses the memory, or take another device (--device cpu)"]
    found = []
    if recipe.training.memory == "full" and (network is None or len(network.blocks) > 2):
        found.append("training.memory=checkpoint keeps about √depth blocks' features instead of all")
    options = recipe.task.options
    sampler = options.get("sampler")
    if (sampler.name if isinstance(sampler, Component) else sampler) == "full":
        found.append("task.sampler=neighbor trains on parts of the graph, task.inference=layerwise scores in parts")
    elif "batch_size" in options:
        found.append(f"a smaller task.batch_size than {options['batch_size']}")
    return [*found, "or a smaller model.depth or model.width"]


def _release(error: BaseException) -> None:
    """Empty the local variables of the calls that failed, which else live as long as the error's trace does."""
    link: BaseException | None = error
    while link is not None:
        traceback.clear_frames(link.__traceback__)
        link = link.__context__
    Buffers.clear_all()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
