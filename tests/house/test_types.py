"""Types in place of `Any`, names in place of looking for attributes, and private names in one file."""

import ast
import re

from source import SOURCES

PRIVATE_HOME = "zoo.system.private"
THEIRS = {"torch", "dgl", "numba", "triton"}
# Uses of hasattr and getattr: each meets an object of a third party, or of a plug-in.
ATTRIBUTES_LOOKED_FOR = 20


def test_every_graph_has_a_type():
    """No parameter or field called graph is an `Any`."""
    offenders = [
        f"{source.place}:{number}: {line.strip()}"
        for source in SOURCES
        for number, line in enumerate(source.text.splitlines(), 1)
        if re.search(r"\bgraphs?: Any\b", line)
    ]
    assert offenders == []


def test_attributes_are_looked_for_where_a_stranger_is_met():
    """`hasattr` and `getattr` are rare: what is ours has a type."""
    found = [
        f"{source.place}:{node.lineno}"
        for source in SOURCES
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("hasattr", "getattr")
    ]
    assert len(found) <= ATTRIBUTES_LOOKED_FOR, "\n".join(found)


def test_private_names_of_others_stand_in_one_file():
    """What PyTorch, DGL, numba or Triton keep to themselves is used in zoo/system/private.py alone, with a fallback."""
    offenders = []
    for source in SOURCES:
        if source.module == PRIVATE_HOME:
            continue
        theirs = {alias for node in ast.walk(source.tree) for alias in imported(node)}
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in THEIRS:
                parts = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
                offenders += [f"{source.place}:{node.lineno}: {part}" for part in parts if is_private(part)]
            elif isinstance(node, ast.Attribute) and is_private(node.attr) and root(node) in theirs:
                offenders.append(f"{source.place}:{node.lineno}: {ast.unparse(node)}")
    assert offenders == []


def imported(node: ast.AST) -> list[str]:
    """Names that an import of one of these packages gives."""
    if isinstance(node, ast.Import):
        return [
            (alias.asname or alias.name).split(".")[0] for alias in node.names if alias.name.split(".")[0] in THEIRS
        ]
    if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in THEIRS:
        return [alias.asname or alias.name for alias in node.names]
    return []


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
