"""Which kernel a graph gets, and why."""

import pytest
import torch

from zoo.engine import kernel_choice as choice
from zoo.engine.kernel_choice import choose_kernel
from zoo.errors import BuildError

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_the_cpu_gets_compiled_loops():
    """By default, with a reason; what is asked for is kept."""
    assert choose_kernel("auto", CPU) == ("compiled", "loops compiled for this CPU")
    assert choose_kernel("torch", CPU) == ("torch", "asked for")


def test_without_numba_dgl_steps_in(monkeypatch):
    """A numba that cannot be imported is no error, but asking for compiled loops is one that says why."""
    monkeypatch.setattr(choice, "_why_no", lambda library: "numba cannot be imported: ImportError: too new a NumPy")
    name, reason = choose_kernel("auto", CPU)
    assert name == "dgl" and "too new a NumPy" in reason
    with pytest.raises(BuildError, match="too new a NumPy"):
        choose_kernel("compiled", CPU)


def test_a_gpu_gets_tritons_loops(monkeypatch):
    """By default, where Triton can be imported; on a CPU to ask for them is an error."""
    monkeypatch.setattr(choice, "_why_no", lambda library: None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    assert choose_kernel("auto", CUDA) == ("triton", "loops that Triton compiles for this GPU")
    with pytest.raises(BuildError, match="not on cpu"):
        choose_kernel("triton", CPU)


def test_old_gpus_do_without_triton(monkeypatch):
    """A GPU from before Volta gets PyTorch's products, and the reason says why."""
    monkeypatch.setattr(choice.dgl_backend, "has_cuda", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (6, 1))
    name, reason = choose_kernel("auto", torch.device("cuda", 7))
    assert name == "torch" and "compute capability" in reason and "6.1" in reason


def test_without_dgl_kernels_torch_steps_in(monkeypatch):
    """On a device that nothing else has kernels for, auto means torch; asking for another is an error that says so."""
    monkeypatch.setattr(choice.dgl_backend, "has_cuda", lambda: False)
    monkeypatch.setattr(choice, "_why_no", lambda library: f"{library} cannot be imported")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    name, reason = choose_kernel("auto", CUDA)
    assert name == "torch" and "no kernels for cuda" in reason
    with pytest.raises(BuildError, match="no kernels for cuda"):
        choose_kernel("dgl", CUDA)
    with pytest.raises(BuildError, match="not on cuda"):
        choose_kernel("compiled", CUDA)
