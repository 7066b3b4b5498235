"""The project's source as the rules of the house see it: each file, parsed once."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Source:
    """A Python file of the project."""

    file: Path

    @property
    def place(self) -> str:
        """The path below the root, as it is written."""
        return self.file.relative_to(ROOT).as_posix()

    @property
    def module(self) -> str:
        """The dotted name by which it is imported."""
        return ".".join(self.file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")

    @property
    def package(self) -> str:
        """What relative imports in it start from."""
        return self.module if self.file.name == "__init__.py" else self.module.rpartition(".")[0]

    @cached_property
    def text(self) -> str:
        """All of it."""
        return self.file.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text)

    @cached_property
    def imports(self) -> list[tuple[str, int]]:
        """Modules that it imports when it runs, by their full names, each with its line."""
        return list(imports_in(self.tree, self.package))


def imports_in(tree: ast.AST, package: str) -> Iterator[tuple[str, int]]:
    """Modules that a tree imports in a module of a package; imports for type checkers only do not count."""
    if isinstance(tree, ast.If) and isinstance(tree.test, ast.Name) and tree.test.id == "TYPE_CHECKING":
        return
    if isinstance(tree, ast.Import):
        for alias in tree.names:
            yield alias.name, tree.lineno
    elif isinstance(tree, ast.ImportFrom):
        base = tree.module or ""
        if tree.level:
            base = ".".join(filter(None, [".".join(package.split(".")[: -(tree.level - 1) or None]), base]))
        for alias in tree.names:
            module = f"{base}.{alias.name}"
            is_module = base == "zoo" or (ROOT / module.replace(".", "/")).with_suffix(".py").is_file()
            yield module if is_module else base, tree.lineno
    for node in ast.iter_child_nodes(tree):
        yield from imports_in(node, package)


SOURCES = [Source(file) for file in sorted([*ROOT.glob("zoo/**/*.py"), *ROOT.glob("registry/**/*.py")])]
TESTS = [Source(file) for file in sorted(ROOT.glob("tests/**/test_*.py"))]
