"""A training step does not make the host wait for the GPU, but for one look at its end.

There is no GPU in these tests. They stand in for a check on one: the same step, with the kernels that a GPU runs, on a
CPU, while every operation is noted that on CUDA makes the host wait: reading a number, a result whose size depends on
data, factorisations that report failure, numbers brought from the host. They do not see what waits inside one kernel.
"""

import traceback
from contextlib import ExitStack, nullcontext
from pathlib import Path
from unittest import mock

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import zoo
from zoo.together import loop_of
from zoo.training.members import Members
from zoo.training.steps import NetworkSteps

PACKAGE = str(Path(zoo.__file__).parent)
WAITING = {
    # The host reads a number, or all of them.
    *("_local_scalar_dense", "is_nonzero", "item", "equal"),
    # The size of the result depends on data.
    *("nonzero", "masked_select", "_unique", "_unique2", "unique_dim", "unique_consecutive", "bincount"),
    # Whether it succeeded is looked at.
    *("_linalg_svd", "_linalg_eigh", "linalg_eig", "linalg_eigvals", "linalg_cholesky_ex", "linalg_inv_ex"),
    # Numbers that the host has are brought to the device.
    *("lift_fresh",),
}
METHODS = ("cpu", "numpy", "tolist", "__array__")
# Places that look at numbers on a CPU alone, or at what lies in the host's memory on a GPU, too.
EXEMPT = {("subspace.py", "norms"), ("reversible.py", "first")}


class Waits(TorchDispatchMode):
    """Notes, while it is entered, what would make the host wait: the operation, and where it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __enter__(self):
        self.patches = ExitStack()
        for name in METHODS:  # which on a CPU do nothing that is dispatched
            self.patches.enter_context(mock.patch.object(Tensor, name, self._noted(name)))
        return super().__enter__()

    def __exit__(self, *exception):
        self.patches.close()
        super().__exit__(*exception)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        sized = name != "repeat_interleave" or kwargs.get("output_size") is not None
        if name in WAITING or not sized or (name.startswith(("index", "_index_put")) and _masks(args)):
            self._note(name)
        return func(*args, **kwargs)

    def _noted(self, name):
        method = getattr(Tensor, name)

        def noted(tensor, *args, **kwargs):
            self._note(name)
            return method(tensor, *args, **kwargs)

        return noted

    def _note(self, name: str) -> None:
        place = next(frame for frame in reversed(traceback.extract_stack()) if frame.filename.startswith(PACKAGE))
        file, function = Path(place.filename).name, place.name
        if (file, function) not in EXEMPT:
            self.seen.append(f"{name} in {file}:{function}")


def _masks(args) -> bool:
    return any(
        isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8)
        for arg in args
        if isinstance(arg, list | tuple)
        for index in arg
    )


def waits_of(recipe: str, *overrides: str) -> list[str]:
    """What makes the host wait in the third step; the first ones fill what is kept from then on."""
    built = zoo.build(recipe, ["probes=none", *overrides, "execution.kernel=torch"])
    trainer = built.trainer()
    assert isinstance(trainer.steps, NetworkSteps)
    trainer.steps.optimizer.looks_after = True  # as on a GPU
    waits = Waits()
    for step in range(3):
        batch = next(iter(built.task.batches(step)))
        with waits if step == 2 else nullcontext():
            trainer._train_on(batch)
    return waits.seen


LOOK = "_local_scalar_dense in steps.py:update"
READ = ["cpu in reading.py:of", "numpy in reading.py:of"]  # one and the same: a tensor on the host is an array already
RECIPES = {
    "gcn": ("smoke/gcn", ()),
    "dropout and clipping": ("smoke/res-gcn", ("model.dropout=0.5", "training.clip=1")),
    "attention": ("smoke/res-gat", ()),
    "dynamic attention": ("smoke/gatv2", ()),
    "sage": ("smoke/res-sage", ()),
    "gin": ("smoke/res-gin", ()),
    "initial residual": ("smoke/gcnii", ()),
    "reversible": ("smoke/rev-gnn", ()),
    "several labels": ("smoke/multi-label", ()),
    "links": ("smoke/links", ()),
    "half precision": ("smoke/bf16", ()),
    "sgd": ("smoke/res-gcn", ("optimizer=sgd", "optimizer.momentum=0.9")),
    "projection": ("smoke/res-gcn", ("normalizer=frobenius", "normalizer.mode=project")),
    "power iteration": ("smoke/res-gcn", ("normalizer=spectral", "normalizer.method=power")),
}
NORMALIZERS = ("frobenius", "frobenius-soft", "spectral", "weight-norm", "orthogonal")
FEATURE_NORMS = ("layer", "batch", "group", "instance", "pair", "mean", "node", "graph", "dgn", "message", "contra")
RECIPES |= {name: ("smoke/res-gcn", (f"normalizer={name}",)) for name in (*NORMALIZERS, *FEATURE_NORMS)}


@pytest.mark.parametrize("name", RECIPES)
def test_a_step_looks_once(name):
    """Loss and gradients are asked whether they are finite, when all else is queued; nothing else is asked."""
    recipe, overrides = RECIPES[name]
    assert waits_of(recipe, *overrides) == [LOOK]


@pytest.mark.parametrize("probes", ["quick", "standard"])
def test_probes_add_one_read(probes):
    """All that they measured comes to the host in one transfer, after the step."""
    assert waits_of("smoke/res-gcn", "normalizer=frobenius", f"probes={probes}", "probes.every=1 steps") == [
        LOOK,
        *READ,
    ]


def test_a_controller_waits_where_it_steers():
    """Beside what its probes read: c comes to the host, and what becomes of it, a number for each block, goes back."""
    seen = waits_of("smoke/res-gcn", "normalizer=frobenius", "normalizer.c={name: adaptive, every: 1 steps}")
    assert seen[:3] == [LOOK, *READ]
    assert {place.rpartition(" ")[2] for place in seen[3:]} == {"steering.py:steer"}
    assert sum(place.startswith("cpu") for place in seen) == 2


def test_members_look_once_for_all():
    """A step of several networks as one asks which of them were finite, in one transfer."""
    built = [zoo.build("smoke/res-gcn", ["probes=none", "execution.kernel=torch"], seed=seed) for seed in range(3)]
    loop = loop_of(built, Members([each.network for each in built]), [()] * 3)
    loop._train_on(None)
    with Waits() as waits:
        loop._train_on(None)
    assert waits.seen == ["tolist in members.py:update"]


def test_what_waits_is_seen():
    """A loss that picks out rows by a mask is noted; so is a number that is read."""
    x = torch.tensor([1.0, torch.nan])
    with Waits() as waits, mock.patch.object(waits, "_note", waits.seen.append):
        x[~torch.isnan(x)].sum().item()
        torch.repeat_interleave(torch.arange(2), torch.ones(2, dtype=torch.int64), output_size=2)
        x.numpy()
    assert waits.seen == ["index", "_local_scalar_dense", "numpy"]
