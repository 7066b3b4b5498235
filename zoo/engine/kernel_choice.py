"""Which kernel multiplies by a graph, and why that one."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from zoo.dgl_backend import has_cuda
from zoo.engine.dgl_kernel import DGLKernel
from zoo.engine.kernel import Kernel, KernelName, Structure
from zoo.engine.torch_kernel import TorchKernel
from zoo.errors import BuildError

_VOLTA = 7


def choose_kernel(asked: KernelName, device: torch.device) -> tuple[str, str]:
    """The kernel's name, and why it is that one. Raises: BuildError if the device does not have what is asked for."""
    if asked != "auto":
        if why := _why_not(asked, device):
            raise BuildError(f"kernel {asked} — {why} — expected another — kernel=auto or kernel=torch")
        return asked, "asked for"
    if not (why := _why_not("compiled", device)):
        return "compiled", "loops compiled for this CPU"
    reasons = [why] if device.type == "cpu" else []  # elsewhere nobody expects them
    if device.type == "cuda":
        if not (why := _why_not("triton", device)):
            return "triton", "loops that Triton compiles for this GPU"
        reasons = [why]
    if not (why := _why_not("dgl", device)):
        return "dgl", "; ".join([f"DGL has kernels for {device.type}", *reasons])
    return "torch", "; ".join([why, *reasons])


def make_kernel(name: str, structure: Structure, graph: Callable[[], Any]) -> Kernel:
    """The kernel of that name; `graph` gives the DGLGraph where it is needed."""
    if name == "compiled":
        from zoo.engine.numba_kernel import CompiledKernel

        return CompiledKernel(structure)
    if name == "triton":
        from zoo.engine.triton_kernel import TritonKernel

        return TritonKernel(structure)
    return DGLKernel(structure, graph()) if name == "dgl" else TorchKernel(structure)


def _why_not(name: str, device: torch.device) -> str | None:
    """Why this device cannot have the kernel, or None if it can."""
    if name == "compiled":
        return _why_not_compiled() if device.type == "cpu" else f"compiled loops run on the CPU, not on {device.type}"
    if name == "triton":
        return (
            _why_not_triton(device) if device.type == "cuda" else f"Triton's loops run on a GPU, not on {device.type}"
        )
    if name == "dgl" and not (device.type == "cpu" or (device.type == "cuda" and has_cuda())):
        return f"this build of DGL has no kernels for {device.type}"
    return None


@cache
def _why_not_compiled() -> str | None:
    """Numba follows new releases of Python and NumPy after some months, and refuses to be imported until then."""
    try:
        import zoo.engine.numba_kernel  # noqa: F401
    except Exception as error:
        return f"numba cannot be imported: {type(error).__name__}: {error}"
    return None


@cache
def _why_not_triton(device: torch.device) -> str | None:
    """PyTorch's builds for CUDA bring Triton along; it knows GPUs from Volta on."""
    major, minor = torch.cuda.get_device_capability(device)
    if major < _VOLTA:
        return f"Triton needs a GPU of compute capability {_VOLTA}.0, and this one has {major}.{minor}"
    try:
        import zoo.engine.triton_kernel  # noqa: F401
    except Exception as error:
        return f"triton cannot be imported: {type(error).__name__}: {error}"
    return None
