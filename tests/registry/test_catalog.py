"""The map holds true: every name loads, and its description read as text agrees with the loaded object."""

import inspect

import pytest

from registry import TABLES, describe
from registry.core import FAMILY
from zoo.recipe.options import options_of

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
