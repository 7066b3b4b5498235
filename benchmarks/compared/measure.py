"""One measurement in the process that it is made for: the times of a point, or the memory of one contestant."""

from collections.abc import Mapping, Sequence
from typing import Any

from compared import allocator
from compared.cases import CHECKPOINT, contestants
from compared.points import Point
from compared.race import Limits, Say, race, result

_WARM, _MEASURED = 2, 2


def times(
    point: Point, names: Sequence[str], extra: Mapping[str, Any], threads: int, limits: Limits, say: Say
) -> dict[str, Any]:
    """Race all that fit; the first one's curve is the measure of the others'."""
    found, left_out = contestants(point, names, extra, threads)
    if not found:
        return {"left_out": left_out}
    allocator.give_back()
    measured = result(race(found, limits, say))
    return {**size(found, point), **measured, "left_out": left_out}


def memory(point: Point, name: str, extra: Mapping[str, Any], threads: int, say: Say) -> dict[str, Any]:
    """What an epoch adds to a training whose parameters, gradients and optimiser's state are there already.

    growth: the peak while two epochs are trained, less what was resident before them. peak: of all the process, Python
    and libraries included. fresh: whether the peak began anew before these epochs; where the system does not let it, it
    may be that of building.
    """
    found, left_out = contestants(point, [name], extra, threads)
    if not found:
        return {"left_out": left_out}
    (contestant,) = found
    for number in range(_WARM):
        say(f"epoch {number + 1}")
        contestant.epoch()
    contestant.rest()
    allocator.give_back()
    fresh = allocator.forget_peak()
    before = allocator.resident()
    for number in range(_MEASURED):
        say(f"epoch {_WARM + number + 1}")
        contestant.epoch()
    peak = allocator.resident(peak=True)
    of = size(found, point)
    if name != CHECKPOINT and peak - before < 0.9 * 4 * of["nodes"] * point.width * point.depth:
        return {"failed": f"grew by {(peak - before) >> 20} MiB, less than the blocks' inputs: some were there before"}
    return {**of, "growth": peak - before, "peak": peak, "fresh": fresh, "left_out": left_out}


def size(found: Sequence[Any], point: Point) -> dict[str, Any]:
    """Nodes and edges, by whichever contestant is there."""
    first = found[0]
    if hasattr(first, "built"):
        return {"nodes": first.built.graph.nodes, "edges": first.built.graph.edges}
    return {"nodes": first.problem.nodes, "edges": len(first.problem.src)}
