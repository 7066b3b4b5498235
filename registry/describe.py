"""Descriptions of entries, read from source text without importing it: first docstring line and options.

Importing a model means importing torch, which takes seconds; a listing must not. So the target's file is
parsed, and the parameters that a recipe may set (keyword-only, or with a default) are shown as they are written.
"""

import ast
import importlib.util
import inspect
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from registry.core import Entry

Definition = ast.ClassDef | ast.FunctionDef


@dataclass(frozen=True)
class Option:
    """One option of a constructor, as text."""

    name: str
    annotation: str
    default: str | None


@dataclass(frozen=True)
class Description:
    """The first docstring line and the options of a registry entry.

    returns: of a function, its return annotation. constants: of a class, the values of its attributes, by name.
    """

    summary: str = ""
    options: tuple[Option, ...] = ()
    returns: str = ""
    constants: dict[str, str] = field(default_factory=dict)


def describe(entry: Entry) -> Description:
    """Read an entry's description; empty where its source cannot be read as text."""
    file = _file_of(entry)
    definitions = _definitions(file) if file else {}
    node = definitions.get(entry.attribute)
    if node is None:
        return Description()
    summary = (ast.get_docstring(node) or "").partition("\n")[0]
    options = tuple(_options(_constructor(node, definitions), {key: repr(item) for key, item in entry.preset.items()}))
    if isinstance(node, ast.FunctionDef):
        return Description(summary, options, ast.unparse(node.returns) if node.returns else "")
    constants = {
        item.target.id: ast.unparse(item.value)
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.value
    }
    return Description(summary, options, constants=constants)


def _file_of(entry: Entry) -> Path | None:
    if entry.value is not None:
        source = inspect.getsourcefile(entry.value)
        return Path(source) if source else None
    package, *parts = entry.module.split(".")
    try:
        spec = importlib.util.find_spec(package)  # finds the top package only, and imports nothing
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    stem = Path(spec.origin).parent.joinpath(*parts)
    files = [stem.with_suffix(".py"), stem / "__init__.py"] if parts else [Path(spec.origin)]
    return next((file for file in files if file.is_file()), None)


@lru_cache
def _definitions(file: Path) -> dict[str, Definition]:
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return {}
    return {node.name: node for node in tree.body if isinstance(node, Definition)}


def _options(function: ast.FunctionDef | None, preset: dict[str, str]) -> list[Option]:
    if function is None:
        return []
    named = function.args.args[len(function.args.args) - len(function.args.defaults) :]
    arguments = [*named, *function.args.kwonlyargs]
    defaults = [*function.args.defaults, *function.args.kw_defaults]
    return [
        Option(
            argument.arg,
            ast.unparse(argument.annotation) if argument.annotation else "",
            preset.get(argument.arg, ast.unparse(default) if default else None),
        )
        for argument, default in zip(arguments, defaults, strict=True)
    ]


def _constructor(node: Definition, definitions: dict[str, Definition]) -> ast.FunctionDef | None:
    """Return the function whose parameters are the options; base classes of the same file are followed."""
    if isinstance(node, ast.FunctionDef):
        return node
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return item
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in definitions and base.id != node.name:
            return _constructor(definitions[base.id], definitions)
    return None
