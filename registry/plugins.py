"""Plug-in files: a Python file of the user's own that registers names when it is run."""

import hashlib
import importlib.util
import sys
import traceback
from pathlib import Path

from registry.catalog import TABLES
from registry.name_errors import PluginError, RegistryError

_EXPECTED = "a Python file that registers at least one name, e.g. with @normalizers.register('mine')"


_loaded: dict[Path, str] = {}


def load_plugin(path: str | Path) -> list[str]:
    """Run a plug-in file and return the names it registered, as `table.name`.

    A file whose content was already run in this process is not run again; an edited one replaces its earlier self. If
    it fails half way, what it had registered is taken back.

    Raises: PluginError if the file is missing, fails, or registers nothing; DuplicateName if it takes a name.
    """
    try:
        file = Path(path).expanduser()
        file = file.parent.resolve() / file.name  # under its own name, also where that is a link
        digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    except (OSError, RuntimeError) as error:  # links in a circle, ~ of nobody
        is_absent = isinstance(error, FileNotFoundError | RuntimeError)
        reason = "no such file" if is_absent else str(error.strerror)
        raise PluginError(str(path), reason, _EXPECTED) from error
    # Told by content: a copy of a file, or a link to it, is the same plug-in, an edited file is a newer one.
    alike = (name for name in _loaded.values() if name.endswith(f"_{digest}"))
    module_name = next(alike, f"zoo_plugin_{file.stem}_{digest}")
    earlier = _loaded.get(file)
    if earlier not in (None, module_name):
        _forget(earlier)
    _loaded[file] = module_name
    if names := _names_from(module_name):
        return names
    spec = importlib.util.spec_from_file_location(module_name, file)
    if spec is None or spec.loader is None:
        raise PluginError(str(path), "not a Python file", _EXPECTED)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # inspect and pickle look modules up here
    try:
        spec.loader.exec_module(module)
        names = _names_from(module_name)
        if not names:
            raise PluginError(str(path), "it registers no name", _EXPECTED)
    except BaseException as error:
        _forget(module_name)
        if isinstance(error, Exception) and not isinstance(error, RegistryError):
            line = error.lineno if isinstance(error, SyntaxError) else _line_in(file, error)
            reason = f"line {line}: {type(error).__name__}: {error}"
            raise PluginError(str(path), reason, "a file that runs without an error") from error
        raise
    return names


def is_plugin(module: str) -> bool:
    """Return true for the module of a plug-in file that was run."""
    return module in _loaded.values()


def digest_of(module: str) -> str | None:
    """The first 12 digits of a plug-in file's SHA-256 when it was run; None of a module that is no plug-in."""
    return module.rpartition("_")[2] if is_plugin(module) else None


def _line_in(file: Path, error: Exception) -> int | None:
    """The last line of the file itself on the way to the error, which may lie in a library that it called."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return lines[-1] if lines else None


def _names_from(module_name: str) -> list[str]:
    return [
        f"{table.table}.{name}"
        for table in TABLES.values()
        for name, entry in table.registered().items()
        if entry.target.startswith(f"{module_name}:")
    ]


def _forget(module_name: str) -> None:
    sys.modules.pop(module_name, None)
    for full_name in _names_from(module_name):
        table, _, name = full_name.partition(".")
        TABLES[table].unregister(name)
