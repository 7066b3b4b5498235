"""What a recipe is."""

import pytest
from pydantic import ValidationError

from zoo.recipe.load import load
from zoo.recipe.recipe import Measured


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "a\nb", "", "a" * 300])
def test_a_recipe_is_named_as_a_folder_can_be(name):
    """Also one that is made in Python, as its runs lie in a folder of its name."""
    recipe = load("hello")
    with pytest.raises(ValidationError, match="name"):
        type(recipe)(**{**dict(recipe), "name": name})


def test_a_header_of_one_run_has_no_spread():
    """Of one seed on one split; seeds or splits make several, and each figure of a header is of the same runs."""
    command = "zoo train x"
    for wrong in ({"sd": 0.0}, {"without": {"test": 0.5, "sd": 0.1}}, {"splits": [3], "sd": 0.1}):
        with pytest.raises(ValidationError, match="one run has no spread"):
            Measured.model_validate({"test": 0.5, "seeds": (0,), "command": command, **wrong})
    assert Measured(test=0.5, seeds=(0,), command=command).sd is None
    assert Measured(test=0.5, sd=0.1, seeds=(0, 1), command=command).sd == 0.1
    assert Measured(test=0.5, sd=0.1, seeds=(0,), splits=(0, 1), command=command).splits == (0, 1)
