"""Measurements in processes of their own: what one leaves behind, or dies of, is not the next one's."""

import json
import subprocess
import sys
from typing import Any

from compared.race import Say


def ask(job: dict[str, Any], say: Say) -> dict[str, Any]:
    """Measure in a new process; what comes back has `failed` if it did not end well.

    job: what `answer` is called with. say: told how far it is.
    """
    command = [sys.executable, sys.argv[0], "--job", json.dumps(job)]
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            last = line
            if line.startswith(_SAID):
                say(line.removeprefix(_SAID).strip())
    if child.returncode == 0:
        return json.loads(last)
    return {"failed": "killed, most likely for memory" if child.returncode == -9 else f"exit {child.returncode}"}


def tell(text: str) -> None:
    """From within such a process: how far it is."""
    print(f"{_SAID}{text}", flush=True)


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """Measure here what `ask` was asked for."""
    from compared import allocator
    from compared.measure import memory, times
    from compared.points import Point
    from compared.race import CurvesDiffer, Limits
    from zoo.errors import ZooError

    allocator.die_first()
    allocator.one_arena()
    point = Point(**job["point"])
    try:
        if job["what"] == "times":
            return times(point, job["names"], job["extra"], job["threads"], Limits(**job["limits"]), tell)
        return memory(point, job["name"], job["extra"], job["threads"], tell)
    except CurvesDiffer as differ:
        return {"failed": f"curves differ: {differ}"}
    except ZooError as error:
        return {"failed": str(error)}


_SAID = "… "
