"""`zoo validate`: recipes checked without running them."""

from zoo.cli.arguments import RecipeOptions, say_resets, split_words


def validate(asked: RecipeOptions) -> None:
    """Check recipes and report every problem of each at once; exit code 2 if there is any."""
    names, overrides = split_words(asked.words)

    from zoo.errors import Problem, RecipeError
    from zoo.recipe.load import load

    errors: list[RecipeError] = []
    for name in names:
        try:
            recipe = load(name, overrides, **asked.allowed)
        except RecipeError as error:
            errors.append(error)
        else:
            say_resets([recipe])
            print(f"{recipe.name}: ok")
    if len(errors) == 1:
        raise errors[0]
    if errors:
        problems = [
            Problem(f"{error.recipe}: {problem.path}", problem.text) for error in errors for problem in error.problems
        ]
        raise RecipeError(", ".join(error.recipe for error in errors), problems)
