"""The schema for editors agrees with the check."""

import jsonschema
import pytest

from zoo.recipe import recipe_files
from zoo.recipe.json_schema import recipe_schema
from zoo.recipe.load import load
from zoo.recipe.recipe_files import read


@pytest.fixture(scope="module")
def validator():
    schema = recipe_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", recipe_files.names())
def test_shipped_recipes_fit_the_schema(validator, name):
    """Every shipped recipe validates, as merged and as resolved."""
    validator.validate(read(name)[1])
    validator.validate(load(name).plain())


@pytest.mark.parametrize(
    "wrong",
    [
        {"modle": "gcn"},
        {"dataset": "crora"},
        {"model": {"name": "res-gcn", "depht": 3}},
        {"model": {"name": "res-gcn", "depth": 0}},
        {"normalizer": {"name": "frobenius", "c": "atuo"}},
        {"normalizer": []},
        {"regularizer": "drop-edg"},
        {"regularizer": [{"name": "drop-edge", "p": 1}]},
        {"initializer": ["g-init"]},
        {"training": {"precision": "float8"}},
        {"prepare": {"self_loops": "ad"}},
        {"prepare": {"edge_features": "kep"}},
        {"embedding": "catgory"},
        {"embedding": {"name": "category", "width": 0}},
        {"task": {"name": "nodes", "sampler": "ful"}},
        {"task": {"name": "nodes", "pool": "mean"}},
    ],
)
def test_what_the_check_refuses_the_schema_refuses(validator, wrong):
    """Unknown keys, names, options and values are marked in an editor too."""
    assert not validator.is_valid({"dataset": "cora", "model": "gcn", **wrong})
