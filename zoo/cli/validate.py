"""`zoo validate`: is a recipe right, without running it."""

from zoo.cli.arguments import AllowPlugins, Plugins, Words, say_resets, split_words


def validate(words: Words, plugin: Plugins = None, allow_plugins: AllowPlugins = False) -> None:
    """Check recipes and report every problem of each at once; exit code 2 if there is any."""
    recipes, overrides = split_words(words)

    from zoo.errors import Problem, RecipeError
    from zoo.recipe.load import load

    errors: list[RecipeError] = []
    for name in recipes:
        try:
            resolved = load(name, overrides, plugin or [], allow_plugins=allow_plugins)
        except RecipeError as error:
            errors.append(error)
        else:
            say_resets([resolved])
            print(f"{resolved.name}: right")
    if len(errors) == 1:
        raise errors[0]
    if errors:
        problems = [
            Problem(f"{error.recipe}: {problem.path}", problem.text) for error in errors for problem in error.problems
        ]
        raise RecipeError(", ".join(error.recipe for error in errors), problems)
