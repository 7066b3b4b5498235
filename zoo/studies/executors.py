"""The executors by name."""

from zoo.errors import ZooError
from zoo.studies.executor import Executor

NAMES = ("processes", "ray")


def make_executor(
    name: str = "processes", *, device: str = "auto", workers: int | None = None, address: str | None = None
) -> Executor:
    """The executor of that name, ready to be given jobs.

    device: auto, cpu, cuda or cuda:N. workers: runs at a time; unset: by the machine. address: of a Ray cluster.
    Raises: ZooError for a name that is none, an address without Ray, or where Ray is not installed.
    """
    if name not in NAMES:
        raise ZooError(f"executor — {name!r} is none — expected {' or '.join(NAMES)}")
    if name == "ray":
        from zoo.studies.on_ray import OnRay

        return OnRay(device=device, workers=workers, address=address)
    if address is not None:
        raise ZooError(f"executor.address — {address} has no meaning for processes — expected --executor ray with it")
    from zoo.studies.processes import Processes

    return Processes(device, workers)
