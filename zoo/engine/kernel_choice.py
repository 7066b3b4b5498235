"""The choice of a graph's kernel, and the kernels that are made of the products of PyTorch and DGL."""

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from zoo import dgl_backend
from zoo.engine.kernel import Kernel, KernelName
from zoo.engine.structure import Structure
from zoo.errors import BuildError
from zoo.system.private import dgl_sum

_VOLTA = 7  # the oldest GPUs that Triton knows
DGLGraph = Any  # `dgl.DGLGraph`, without importing DGL


class TorchKernel(Kernel):
    """Products by PyTorch over compressed rows, on any device; each direction has its own rows, and no transpose."""

    name = "torch"

    def neighbour_sum(self, x: Tensor, reverse: bool, before: Tensor | None, after: Tensor | None) -> Tensor:
        """Sum over compressed rows."""
        y = self.structure.rows(reverse).sum(x if before is None else x * before)
        return y if after is None else y.mul_(after)


class DGLKernel(Kernel):
    """Unweighted sums by DGL, on the CPU with libxsmm; weighted sums by compressed rows.

    On a CPU the product of weights and features that broadcasts a weight over a row takes DGL three to nine times as
    long as PyTorch's compressed rows take. Dot products over edges: DGL for two heads or more, PyTorch for one.
    """

    name = "dgl"

    def __init__(self, structure: Structure, graph: DGLGraph) -> None:
        super().__init__(structure)
        self._sum = dgl_sum(dgl_backend.dgl)
        self._graph = graph.formats(["coo", "csr", "csc"])
        self._graph.create_formats_()
        self._reverse = _reversed(self._graph)

    def neighbour_sum(self, x: Tensor, reverse: bool, before: Tensor | None, after: Tensor | None) -> Tensor:
        """Sum by DGL."""
        scaled = x.contiguous() if before is None else x * before
        y = self._sum(self._reverse if reverse else self._graph, scaled)
        return y if after is None else y.mul_(after)

    def edge_dot(self, left: Tensor, right: Tensor) -> Tensor:
        """Dot products by DGL, or for one head by PyTorch."""
        if left.shape[1] == 1 or not self.structure.edges:
            return super().edge_dot(left, right)
        return dgl_backend.dgl.ops.u_dot_v(self._graph, left.contiguous(), right.contiguous()).squeeze(-1)


def _reversed(graph: DGLGraph) -> DGLGraph:
    if not graph.is_block:
        return dgl_backend.dgl.reverse(graph, copy_ndata=False, copy_edata=False)  # shares the arrays
    src, dst = graph.edges(order="eid")
    return dgl_backend.dgl.create_block(
        (dst, src), num_src_nodes=graph.num_dst_nodes(), num_dst_nodes=graph.num_src_nodes()
    )


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


def make_kernel(name: str, structure: Structure, graph: Callable[[], DGLGraph]) -> Kernel:
    """The kernel of that name; `graph` gives the DGLGraph where it is needed."""
    if name == "compiled":
        from zoo.engine.numba_kernel import CompiledKernel

        return CompiledKernel(structure)
    if name == "triton":
        from zoo.engine.triton_kernel import TritonKernel

        return TritonKernel(structure)
    return DGLKernel(structure, graph()) if name == "dgl" else TorchKernel(structure)


def _why_not(name: str, device: torch.device) -> str | None:
    """Return why this device cannot have the kernel, or None if it can."""
    kind = device.type
    if name == "compiled":
        return _why_no("numba") if kind == "cpu" else f"compiled loops run on the CPU, not on {kind}"
    if name == "triton":
        if kind != "cuda":
            return f"Triton's loops run on a GPU, not on {kind}"
        major, minor = torch.cuda.get_device_capability(device)
        if major < _VOLTA:
            return f"Triton needs a GPU of compute capability {_VOLTA}.0, and this one has {major}.{minor}"
        return _why_no("triton")
    if name == "dgl" and not (kind == "cpu" or (kind == "cuda" and dgl_backend.has_cuda())):
        return f"this build of DGL has no kernels for {kind}"
    return None


@cache
def _why_no(library: str) -> str | None:
    """Return why the kernel of a library's loops cannot be imported, or None.

    Numba follows new releases of Python and NumPy after some months, and refuses to be imported until then.
    """
    try:
        importlib.import_module(f"zoo.engine.{library}_kernel")
    except Exception as error:
        return f"{library} cannot be imported: {type(error).__name__}: {error}"
    return None
