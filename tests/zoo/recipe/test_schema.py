"""What a recipe is."""

import pytest
from pydantic import ValidationError

from zoo.recipe.load import load


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "a\nb", "", "a" * 300])
def test_a_recipe_is_named_as_a_folder_can_be(name):
    """Also one that is made in Python, as its runs lie in a folder of its name."""
    recipe = load("hello")
    with pytest.raises(ValidationError, match="name"):
        type(recipe)(**{**dict(recipe), "name": name})
