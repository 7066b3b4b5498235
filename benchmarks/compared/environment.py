"""Where figures were measured."""

import os
import platform
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("torch", "dgl", "torch-geometric", "numba", "numpy", "scipy")


def environment(threads: int) -> dict[str, Any]:
    """Processor, cores, threads, versions, the state of the code, and the day."""
    return {
        "processor": _processor(),
        "gpu": _gpu(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": threads,
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
        "code": _code(),
        "date": time.strftime("%Y-%m-%d"),
    }


def words(where: dict[str, Any]) -> str:
    """In a line, without the load, which differs from point to point."""
    versions = ", ".join(f"{name} {number}" for name, number in where["versions"].items())
    gpu = f"{where['gpu']}, " if where.get("gpu") else ""
    machine = f"{gpu}{where['processor']}, {where['cores']} cores, {where['threads']} thread(s)"
    return f"{where['date']} · {machine} · Python {where['python']}, {versions} · code {where['code']}"


def _gpu() -> str | None:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    found = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    named = found.get("model name", platform.machine())
    widest = next((name for name in ("avx512f", "avx2", "avx") if name in found.get("flags", "").split()), "")
    return f"{named} ({widest})" if widest else named


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _code() -> str:
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"
