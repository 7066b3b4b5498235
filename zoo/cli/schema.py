"""`zoo schema`: the JSON Schema of recipes, for editors."""

import json

from zoo.cli.arguments import Plugins, load_plugins


def schema(plugin: Plugins = None) -> None:
    """Print the JSON Schema of recipes, with every registered name and its options.

    Editors check and complete recipes with it:

        zoo schema > recipe.schema.json

    and, as first line of a recipe, `# yaml-language-server: $schema=recipe.schema.json`.
    """
    from zoo.recipe.json_schema import recipe_schema

    load_plugins(plugin)
    print(json.dumps(recipe_schema(), indent=2, ensure_ascii=False))
