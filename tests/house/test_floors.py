"""The rules of the house, read from the source: who may import whom, and what stays in one place."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# From the ground up; a module may import its own floor's package and anything below, never a neighbour or above.
FLOORS = [
    {"registry"},
    {"zoo.untrusted"},
    {"zoo.errors"},
    {"zoo.system"},
    {"zoo.contracts", "zoo.plugin_errors"},
    {"zoo.dgl_backend", "zoo.ogb_backend"},
    {"zoo.engine"},
    {"zoo.recipe"},
    {"zoo.own_code", "zoo.graphs", "zoo.datasets", "zoo.metrics"},
    {"zoo.normalizers", "zoo.regularizers", "zoo.initializers", "zoo.sampling"},
    {"zoo.layers"},
    {"zoo.models"},
    {"zoo.tasks"},
    {"zoo.probes"},
    {"zoo.runs"},
    {"zoo.plots"},
    {"zoo.training"},
    {"zoo.factory"},
    {"zoo.builder"},
    {"zoo.identity", "zoo.environment"},
    {"zoo.api"},
    {"zoo.evaluation", "zoo.together"},
    {"zoo.studies"},
    {"zoo.cli"},
    {"zoo.__main__"},
]
LEVEL = {package: level for level, floor in enumerate(FLOORS) for package in floor}
FILES = sorted([*ROOT.glob("zoo/**/*.py"), *ROOT.glob("registry/**/*.py")])


def package_of(module: str) -> str:
    parts = module.split(".")
    return parts[0] if parts[0] == "registry" else ".".join(parts[:2])


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(file: Path) -> list[tuple[str, int]]:
    """Modules that a file imports when it runs, by their full names, each with its line."""
    package = module_of(file) if file.name == "__init__.py" else module_of(file).rpartition(".")[0]
    return imports_in(file.read_text(encoding="utf-8"), package)


def imports_in(source: str, package: str) -> list[tuple[str, int]]:
    """Modules that source imports in a module of a package; imports for type checkers only do not count."""
    tree = ast.parse(source)
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    found = []
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join(filter(None, [".".join(package.split(".")[: -(node.level - 1) or None]), base]))
            found += [(f"{base}.{alias.name}" if base == "zoo" else base, node.lineno) for alias in node.names]
    return found


def goes_up(own: str, module: str) -> bool:
    """Whether a module of the package `own` may not import another: it lies above or beside, or is the front door."""
    other = package_of(module)
    if other.split(".")[0] not in ("zoo", "registry") or other == own or module == "zoo.__version__":
        return False
    return LEVEL.get(other, len(FLOORS)) >= LEVEL[own]


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_imports_go_down_only(file):
    """No module imports a floor above its own, or a neighbour on it."""
    own = package_of(module_of(file))
    if own == "zoo":
        pytest.skip("the package's front door may hand out anything")
    for module, line in imports_of(file):
        assert not goes_up(own, module), f"{file.name}:{line} ({own}) imports {module}"


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from zoo import api", "zoo.api"),
        ("from zoo import train", "zoo.train"),
        ("import zoo", "zoo"),
        ("import zoo.training.stop as stop", "zoo.training.stop"),
        ("from .. import api", "zoo.api"),
        ("from ..training import stop", "zoo.training"),
        ("from ..training.stop import Stop", "zoo.training.stop"),
        ("def late():\n    from zoo import probe", "zoo.probe"),
        ("from zoo.nowhere import anything", "zoo.nowhere"),
    ],
)
def test_no_way_up_is_overlooked(source, module):
    """By a name of the front door, relatively, within a function, or from nowhere: it is found, and refused."""
    assert [found for found, _ in imports_in(source, "zoo.graphs")] == [module]
    assert goes_up("zoo.graphs", module)


@pytest.mark.parametrize(
    "source",
    ["from zoo import dgl_backend", "from . import edges", "from .edges import x", "from ..errors import ZooError"],
)
def test_ways_down_are_free(source):
    """So are the package's own modules, the version, and other people's packages."""
    sources = [source, "from zoo import __version__", "import torch", "from registry import models"]
    assert not any(goes_up("zoo.graphs", found) for found, _ in imports_in("\n".join(sources), "zoo.graphs"))


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_dgl_is_imported_in_one_file(file):
    """Only zoo/dgl_backend.py says `import dgl`."""
    if module_of(file) != "zoo.dgl_backend":
        assert not [line for module, line in imports_of(file) if module.split(".")[0] == "dgl"]


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_ogb_is_imported_in_one_file(file):
    """Only zoo/ogb_backend.py says `import ogb`: a plain one starts a thread that asks the network."""
    if module_of(file) != "zoo.ogb_backend":
        assert not [line for module, line in imports_of(file) if module.split(".")[0] == "ogb"]


@pytest.mark.parametrize("file", FILES, ids=module_of)
@pytest.mark.parametrize(("compiler", "package"), [("numba", "zoo.engine"), ("triton", "zoo.engine")])
def test_each_compiler_has_its_package(file, compiler, package):
    """Loops for a CPU and a GPU stand in zoo/engine, and nobody else needs their compilers."""
    if package_of(module_of(file)) != package:
        assert not [line for module, line in imports_of(file) if module.split(".")[0] == compiler]


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_matplotlib_is_imported_by_the_plots_alone(file):
    """Training and listings do not wait for a drawing library, or need one that works."""
    if package_of(module_of(file)) != "zoo.plots":
        assert not [line for module, line in imports_of(file) if module.split(".")[0] == "matplotlib"]


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_files_stay_small(file):
    """One idea a file: none has more than 400 lines."""
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 400


def test_every_package_has_its_floor():
    """A new package under zoo/ is given a floor here, so that the rule covers it."""
    packages = {package_of(module_of(file)) for file in FILES} - {"zoo"}
    assert packages <= set(LEVEL)


def test_tests_mirror_the_code():
    """A test module stands where the module that it tests stands."""
    for file in (ROOT / "tests").glob("**/test_*.py"):
        path = file.relative_to(ROOT / "tests")
        if path.parts[0] not in ("registry", "zoo"):
            continue
        name = path.name.removeprefix("test_")
        tested = ROOT / path.parent / ("__init__.py" if name == "init.py" else name)
        assert tested.is_file() or tested.with_suffix("").is_dir(), f"{path} tests nothing of that name"


def test_every_test_says_what_it_holds():
    """Each test function has a docstring: what behaviour would be lost if it failed."""
    for file in (ROOT / "tests").glob("**/test_*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert ast.get_docstring(node), f"{file.name}:{node.lineno} {node.name}"
