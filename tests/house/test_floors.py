"""Imports go down only: between packages by their floors, within one without circles."""

import ast
from graphlib import CycleError, TopologicalSorter

import pytest
from source import SOURCES, imports_in

# From the ground up; a module may import its own floor's package and anything below, never a neighbour or above.
FLOORS = [
    {"registry"},
    {"zoo.untrusted"},
    {"zoo.errors"},
    {"zoo.system"},
    {"zoo.contracts", "zoo.plugin_errors", "zoo.graph_like"},
    {"zoo.dgl_backend", "zoo.ogb_backend"},
    {"zoo.engine"},
    {"zoo.recipe"},
    {"zoo.own_code", "zoo.graphs", "zoo.datasets"},
    {"zoo.normalizers", "zoo.regularizers", "zoo.initializers", "zoo.sampling", "zoo.metrics"},
    {"zoo.layers"},
    {"zoo.models"},
    {"zoo.tasks"},
    {"zoo.probes"},
    {"zoo.runs"},
    {"zoo.plots"},
    {"zoo.training"},
    {"zoo.factory"},
    {"zoo.builder"},
    {"zoo.identity", "zoo.recording"},
    {"zoo.api"},
    {"zoo.evaluation", "zoo.together"},
    {"zoo.studies"},
    {"zoo.cli"},
    {"zoo.__main__"},
]
LEVEL = {package: level for level, floor in enumerate(FLOORS) for package in floor}


def package_of(module: str) -> str:
    parts = module.split(".")
    return parts[0] if parts[0] == "registry" else ".".join(parts[:2])


def goes_up(own: str, module: str) -> bool:
    """Whether a module of the package `own` may not import another: it lies above or beside, or is the front door."""
    other = package_of(module)
    if other.split(".")[0] not in ("zoo", "registry") or other == own or module == "zoo.__version__":
        return False
    return LEVEL.get(other, len(FLOORS)) >= LEVEL[own]


def test_every_package_has_its_floor():
    """A new package under zoo/ is given a floor here, and one that is gone loses it."""
    assert {package_of(source.module) for source in SOURCES} - {"zoo"} == set(LEVEL)


def test_imports_go_down_only():
    """No module imports a floor above its own, or a neighbour on it; the front door alone may hand out anything."""
    offenders = [
        f"{source.place}:{line} imports {module}"
        for source in SOURCES
        if (own := package_of(source.module)) != "zoo"
        for module, line in source.imports
        if goes_up(own, module)
    ]
    assert offenders == []


def test_imports_within_a_package_make_no_circle():
    """Modules of a package stand in an order, too, even where one imports another late, inside a function."""
    modules = {source.module for source in SOURCES}
    below = {source.module: {name for name, _ in source.imports if name in modules} for source in SOURCES}
    try:
        TopologicalSorter(below).prepare()
    except CycleError as error:
        raise AssertionError(" → ".join(reversed(error.args[1]))) from None


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from zoo import api", "zoo.api"),
        ("from zoo import train", "zoo.train"),
        ("import zoo", "zoo"),
        ("import zoo.training.stop as stop", "zoo.training.stop"),
        ("from .. import api", "zoo.api"),
        ("from ..training.stop import Stop", "zoo.training.stop"),
        ("def late():\n    from zoo import probe", "zoo.probe"),
        ("from zoo.nowhere import anything", "zoo.nowhere"),
    ],
)
def test_no_way_up_is_overlooked(source, module):
    """By a name of the front door, relatively, within a function, or from nowhere: it is found, and refused."""
    assert [found for found, _ in imports_in(ast.parse(source), "zoo.graphs")] == [module]
    assert goes_up("zoo.graphs", module)


def test_ways_down_are_free():
    """So are the package's own modules, the version, and other people's packages."""
    lines = [
        "from zoo import dgl_backend",
        "from . import graph",
        "from .graph import x",
        "from ..errors import ZooError",
    ]
    lines += ["from zoo import __version__", "import torch", "from registry import models"]
    found = [module for module, _ in imports_in(ast.parse("\n".join(lines)), "zoo.graphs")]
    assert len(found) == len(lines)
    assert not [module for module in found if goes_up("zoo.graphs", module)]
