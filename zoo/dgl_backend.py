"""DGL, made to work beside any PyTorch ≥ 2.2: the only module that says `import dgl`.

DGL imports its sampling library, graphbolt, whether it is wanted or not, and graphbolt has a native half that is built
for single PyTorch releases. `install` steps in at that one import: where the native half fits, graphbolt is left
as it is; where it does not, a stand-in that names the reason takes its place, and the rest of DGL works.

    from zoo.dgl_backend import dgl

Worker processes: a forked one inherits all this, a spawned one gets it by importing `zoo`. Ray workers, which unpickle
graphs before any import of ours, need `runtime_env={"worker_process_setup_hook": "zoo.dgl_backend.install"}`.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from zoo.errors import ZooError

GRAPHBOLT = "dgl.graphbolt"
REASON = "__missing_because__"
_seed: int | None = None  # what DGL is seeded with when it is imported


def install() -> None:
    """Make a later `import dgl` work and stay silent. Cheap: imports neither torch nor dgl; may be called again."""
    # Without this DGL writes ~/.dgl/config.json and prints on both streams.
    os.environ.setdefault("DGLBACKEND", "pytorch")
    # OpenMP reads this when torch is loaded. Threads that spin while they wait make a step several times slower as soon
    # as anything else wants the cores (docs/log.md).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if not any(isinstance(finder, _GraphboltFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _GraphboltFinder())


def version() -> str:
    """DGL's version, e.g. "2.1.0". Raises: ZooError if DGL is missing."""
    return str(_import_dgl().__version__)


def has_cuda() -> bool:
    """Return True if this build of DGL has CUDA kernels; needs no GPU to tell."""
    return _import_dgl().get_global_func("device_api.cuda", True) is not None


def why_no_graphbolt() -> str | None:
    """Return why graphbolt is a stand-in here, or None if it is the real one."""
    _import_dgl()
    return vars(sys.modules[GRAPHBOLT]).get(REASON)


def seed(number: int) -> None:
    """Seed DGL's own generator, which can be seeded but not read: now, or as soon as DGL is imported from here."""
    global _seed
    _seed = number
    if "dgl" in sys.modules:
        _seed_dgl(_import_dgl(), number)


def __getattr__(name: str) -> Any:
    if name == "dgl":
        return _import_dgl()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def _import_dgl() -> ModuleType:
    install()
    if "dgl" not in sys.modules and importlib.util.find_spec("dgl") is None:
        raise ZooError("dgl — is not installed — expected dgl ≥ 2.1, < 2.3 — pip install 'dgl>=2.1,<2.3'")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what DGL's and its dependencies' own code warns of on import
            import dgl
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise ZooError(f"dgl — needs the package {package} — expected it installed — pip install {package}") from error
    except Exception as error:
        raise ZooError(
            f"dgl — fails on import: {type(error).__name__}: {error} — expected dgl ≥ 2.1, < 2.3 — "
            "pip install --force-reinstall 'dgl>=2.1,<2.3'"
        ) from error
    if _seed is not None:
        _seed_dgl(dgl, _seed)
    return dgl


def _seed_dgl(dgl: Any, number: int) -> None:
    # DGL numbers threads as they come and adds the number to the seed. This thread has to be the first: with several it
    # was a race, and what is sampled here differed from process to process.
    threads = dgl.utils.get_num_threads()
    dgl.utils.set_num_threads(1)
    dgl.seed(number)
    dgl.utils.set_num_threads(threads)
    dgl.seed(number)


class _GraphboltFinder(importlib.abc.MetaPathFinder):
    """Finds the one module `dgl.graphbolt`, and wraps its loader."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != GRAPHBOLT:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _GraphboltLoader(spec.loader)
        return spec


class _GraphboltLoader(importlib.abc.Loader):
    """Runs the real loader where it can succeed; makes the stand-in where it cannot or does not."""

    def __init__(self, real: importlib.abc.Loader) -> None:
        self.real = real

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self.real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        release = _torch_release()
        if not _has_native_half(release, module.__path__):
            _stand_in(module, f"this DGL has no native graphbolt for torch {release}")
            return
        try:
            self.real.exec_module(module)
        except Exception as error:
            _stand_in(module, f"graphbolt for torch {release} does not load: {type(error).__name__}: {error}")


def _torch_release() -> str:
    loaded = sys.modules.get("torch")
    found = None if loaded is None else vars(loaded).get("__version__")
    if found is None:
        try:
            found = importlib.metadata.version("torch")
        except importlib.metadata.PackageNotFoundError:
            found = importlib.import_module("torch").__version__
    return str(found).partition("+")[0]


def _has_native_half(release: str, package: Iterable[str]) -> bool:
    names = [f"{prefix}graphbolt_pytorch_{release}.{end}" for prefix in ("lib", "") for end in ("so", "dylib", "dll")]
    return any((folder / name).is_file() for folder in _library_folders(package) for name in names)


def _library_folders(package: Iterable[str]) -> list[Path]:
    folders = [Path(folder) for folder in package]
    for variable in ("DGL_LIBRARY_PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"):
        for folder in filter(None, os.environ.get(variable, "").split(os.pathsep)):
            folders += [Path(folder), Path(folder) / "graphbolt"]
    return folders


def _stand_in(module: ModuleType, reason: str) -> None:
    """Empty the module but for the one class that DGL itself looks at."""
    for name in [name for name in sys.modules if name.startswith(f"{GRAPHBOLT}.")]:
        del sys.modules[name]
    contents = vars(module)
    for name in [name for name in contents if not (name.startswith("__") and name.endswith("__"))]:
        del contents[name]
    for name in ("__getattr__", "__all__"):
        contents.pop(name, None)

    def missing(name: str) -> Any:
        raise AttributeError(f"{GRAPHBOLT}.{name} — {reason} — expected a DGL wheel built for this torch")

    contents["__path__"] = []  # so that importing a submodule says it is not there
    contents[REASON] = reason
    contents["FusedCSCSamplingGraph"] = type("FusedCSCSamplingGraph", (), {"__module__": GRAPHBOLT})
    contents["__getattr__"] = missing
