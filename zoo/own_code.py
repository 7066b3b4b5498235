"""Digests of the code of the user's own that a recipe runs: what its plug-ins import, and what was registered besides.

Code counts that lies neither in the zoo nor among installed packages: of modules with a file the whole file, of classes
that were made in a session (a notebook) their source and that of what they name.
"""

import ast
import hashlib
import importlib.util
import inspect
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import registry
from registry import TABLES
from registry.plugins import digest_of
from zoo.recipe.options import options_of
from zoo.recipe.recipe import Component, Recipe

_CONSTANTS = (int, float, complex, str, bytes, tuple, frozenset, type(None))


def own_code(recipe: Recipe) -> list[str]:
    """A digest of each piece of such code behind the names of a recipe, but for its plug-ins' own files; sorted."""
    digests: set[str] = set()
    files: dict[Path, str] = {}
    for component, table in _components(recipe):
        target = TABLES[table].get(component.name)
        target = target.func if isinstance(target, partial) else target
        module = sys.modules.get(getattr(target, "__module__", None) or "")
        if module is not None and getattr(module, "__file__", None):
            _collect(module, files)
        else:
            digests.add(_sha256(b"\0".join(sorted(_session(target, set())))))
    digests |= set(files.values())
    return sorted(digests - {_sha256(Path(plugin).read_bytes())[:12] for plugin in recipe.plugins})


def _components(recipe: Recipe) -> Iterator[tuple[Component, str]]:
    for _, table, component in recipe.components():
        yield from _with_inner(component, table)


def _with_inner(component: Component, table: str) -> Iterator[tuple[Component, str]]:
    yield component, table
    parameters = options_of(TABLES[table].get(component.name))
    for name, value in component.options.items():
        if isinstance(value, Component) and (inner := parameters[name].table):
            yield from _with_inner(value, inner)


def _collect(module: ModuleType, files: dict[Path, str]) -> None:
    """Add the digest of the module's file, and of what it imports anywhere in it, as far as they are the user's."""
    file = _own_file(getattr(module, "__file__", None))  # what is compiled into Python has none
    if file is None or file in files:
        return
    try:
        content = file.read_bytes()
    except OSError:  # gone since it was imported
        content = b""
    files[file] = digest_of(module.__name__) or _sha256(content)
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # changed since it was imported
        return
    for name in _imported(tree, module.__package__ or ""):
        imported = sys.modules.get(name)
        if imported is not None:
            _collect(imported, files)
        elif "." not in name and name not in sys.stdlib_module_names and (spec := importlib.util.find_spec(name)):
            later = _own_file(spec.origin)  # a function's import, which did not run yet
            if later:
                files[later] = _sha256(later.read_bytes())


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (name for name in (base, *(f"{base}.{alias.name}" for alias in node.names)) if name)


def _own_file(place: str | None) -> Path | None:
    file = Path(place).resolve() if place else None
    if file is None or file.suffix != ".py" or any(folder in file.parents for folder in _not_own()):
        return None
    return file


@cache
def _not_own() -> list[Path]:
    installed = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    of_zoo = [Path(__file__).parent, Path(str(registry.__file__)).parent]
    return [Path(folder).resolve() for folder in (*installed, *of_zoo) if folder]


def _session(target: Any, seen: set[int]) -> Iterator[bytes]:
    """The source of a class or function without a file, and of what it names that was made where it was."""
    if id(target) in seen:
        return
    seen.add(id(target))
    try:
        yield inspect.getsource(target).encode()
    except (OSError, TypeError):
        yield repr(getattr(target, "__qualname__", target)).encode()
        yield from (code.co_code + repr(code.co_consts).encode() for code in _codes(target))
    for named in [*getattr(target, "__bases__", ()), *_named(target)]:
        if getattr(named, "__module__", None) == getattr(target, "__module__", None):
            yield from _session(named, seen)
        elif isinstance(named, _CONSTANTS):
            yield repr(named).encode()


def _functions(target: Any) -> list[FunctionType]:
    values = [target, *vars(target).values()] if isinstance(target, type) else [target]
    return [value for value in map(inspect.unwrap, map(_plain, values)) if isinstance(value, FunctionType)]


def _plain(value: Any) -> Any:
    """The function of a method, or of a property."""
    return getattr(value, "__func__", None) or getattr(value, "fget", None) or value


def _named(target: Any) -> Iterator[Any]:
    for function in _functions(target):
        for code in _inside(function.__code__):
            yield from (function.__globals__[name] for name in code.co_names if name in function.__globals__)


def _codes(target: Any) -> Iterator[CodeType]:
    for function in _functions(target):
        yield from _inside(function.__code__)


def _inside(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _inside(constant)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
