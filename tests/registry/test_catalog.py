"""The map holds true: every name loads, and its description read as text agrees with the loaded object."""

import inspect
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from registry import TABLES, describe
from registry.core import FAMILY
from zoo.recipe.load import load
from zoo.recipe.options import options_of

ROOT = Path(__file__).resolve().parents[2]

NAMES = [(table.table, name) for table in TABLES.values() for name in table.names() if not name.endswith(FAMILY)]


@pytest.mark.parametrize(("table", "name"), NAMES, ids=lambda value: str(value))
def test_every_name_loads_and_is_documented(table, name):
    """Each entry imports, is callable, and has a docstring."""
    target = TABLES[table].get(name)
    assert callable(target)
    assert inspect.getdoc(getattr(target, "func", target))


@pytest.mark.parametrize(
    ("table", "name"), [(table, name) for table, name in NAMES if table not in ("activations", "probes")], ids=str
)
def test_the_description_read_as_text_agrees_with_the_object(table, name):
    """`describe`, which imports nothing, shows the same options as the signature of the loaded object."""
    shown = [option.name for option in describe(TABLES[table].find(name)).options]
    assert shown == list(options_of(TABLES[table].get(name)))


@pytest.mark.parametrize("name", TABLES["datasets"].names())
def test_what_a_function_returns_is_read_as_text(name):
    """As its signature has it."""
    returned = inspect.signature(TABLES["datasets"].get(name), eval_str=True).return_annotation
    assert describe(TABLES["datasets"].find(name)).returns == returned.__name__


NEW_TABLE = """
from registry import TABLES, describe, ears
from zoo.errors import RecipeError
from zoo.recipe.json_schema import recipe_schema
from zoo.recipe.load import load

recipe = load("hello")
assert recipe.ear.name == "long" and load("hello", "ear=short").ear.name == "short"
assert [table for _, table, _ in recipe.components()].count("ears") == 1
assert TABLES["ears"] is ears and "ears" in recipe_schema()["$defs"] and describe(ears.find("long")) is not None
try:
    load("hello", "ear=shrt")
except RecipeError as error:
    assert "unknown name 'shrt' in ears" in str(error) and "did you mean 'short'" in str(error)
print(recipe.identity(), load("hello", "ear=short").identity())
"""


def test_a_new_table_takes_two_edits(tmp_path):
    """A `Registry` in the catalog and a field of `Recipe`; runs made before it keep their identity."""
    for package in ("zoo", "registry"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "recipes", tmp_path / "zoo" / "recipes")
    table = 'ears = Registry("ears", {"long": "torch.nn:Identity", "short": "torch.nn:ReLU"})\n\n'
    field = '    ear: Annotated[Component, Table("ears")] = Component(name="long")\n'
    for file, before, edit in (
        ("registry/catalog.py", "TABLES = ", table),
        ("zoo/recipe/recipe.py", "    calibration: Calibration", field),
    ):
        source = (tmp_path / file).read_text()
        (tmp_path / file).write_text(source.replace(before, edit + before, 1))
    done = subprocess.run([sys.executable, "-c", NEW_TABLE], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    same, other = done.stdout.split()
    assert same == load("hello").identity() != other
