"""What a run's record says of the machine and the programs that computed it."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from zoo.builder import Built
from zoo.runs.code import code
from zoo.runs.split_id import which_split

_PACKAGES = ("torch", "dgl", "numpy", "scipy", "numba", "llvmlite", "triton", "ogb", "scikit-learn")
# Variables that decide how many threads add up a sum, and which instructions do; those that are set are recorded.
_VARIABLES = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_DYNAMIC", "MKL_DYNAMIC"),
    *("MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "OPENBLAS_CORETYPE"),
    *("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_DISABLE_JIT", "TRITON_INTERPRET"),
    *("CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"),
)


def environment_of(built: Built) -> dict[str, Any]:
    """What a run's record says of where and with what it was computed."""
    split = built.split
    return {
        **code(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": _device(built.device),
        "threads": torch.get_num_threads(),
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        "processes": built.team.size,
        "resets": list(built.recipe.resets),
        "choices": [{"what": choice.what, "chosen": choice.chosen, "why": choice.why} for choice in built.choices],
        "data": built.data.facts,
        "split": {"name": split.name, **split.facts, **which_split(split, built.recipe.split).plain()},
    }


def _device(device: torch.device) -> dict[str, Any]:
    """What computes: a processor with the instructions that PyTorch uses of it, and a GPU with its libraries."""
    found: dict[str, Any] = {
        "type": device.type,
        "cpu": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cuda": torch.version.cuda,
    }
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        found |= {
            "gpu": torch.cuda.get_device_name(device),
            "compute capability": f"{major}.{minor}",
            "cudnn": torch.backends.cudnn.version(),
            "float32 products": torch.get_float32_matmul_precision(),
        }
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
