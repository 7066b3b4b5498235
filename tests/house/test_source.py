"""What stands in one place stays there, and is read once: rules read off the source."""

import ast
from pathlib import Path

import pytest
from source import ROOT, SOURCES, TESTS, Source

# Where alone each of these packages is imported: a module, or a whole package of ours.
HOMES = {
    "dgl": ("zoo.dgl_backend",),
    "ogb": ("zoo.ogb_backend",),  # a plain import starts a thread that asks the network
    "numba": ("zoo.engine",),
    "triton": ("zoo.engine",),
    "matplotlib": ("zoo.plots",),
}


@pytest.mark.parametrize("library", HOMES)
def test_libraries_stay_at_home(library):
    """Training and listings do not wait for a library that they can do without, or need one that works."""
    offenders = [
        f"{source.place}:{line} imports {module}"
        for source in SOURCES
        for module, line in source.imports
        if module.split(".")[0] == library and not source.module.startswith(HOMES[library])
    ]
    assert offenders == []


def test_files_stay_small():
    """One idea a file: none has more than 400 lines."""
    assert [source.place for source in SOURCES if len(source.text.splitlines()) > 400] == []


def test_tests_mirror_the_code():
    """A test module stands where the module or package that it tests stands, and every module has one."""
    tests = ROOT / "tests"
    found = {path.relative_to(tests) for path in tests.glob("**/test_*.py")}
    wanted = {mirrored(source): source for source in SOURCES}
    packages = {file.parent.with_name(f"test_{file.parent.name}.py") for file in wanted}
    strays = [path.as_posix() for path in found - set(wanted) - packages if path.parts[0] in ("registry", "zoo")]
    assert sorted(strays) == []
    assert [source.place for path, source in wanted.items() if path not in found and lines_of(source) > 15] == []


def mirrored(source: Source) -> Path:
    """The place of a file's tests, below tests/."""
    file = source.file.relative_to(ROOT)
    return file.with_name("test_init.py" if file.name == "__init__.py" else f"test_{file.name}")


def lines_of(source: Source) -> int:
    """The lines of a file that are not blank."""
    return sum(bool(line.strip()) for line in source.text.splitlines())


def test_every_test_says_what_it_holds():
    """Each test function has a docstring: what behaviour would be lost if it failed."""
    offenders = [
        f"{test.place}:{node.lineno} {node.name}"
        for test in TESTS
        for node in ast.walk(test.tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert offenders == []
