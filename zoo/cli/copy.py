"""`zoo copy`: a shipped recipe as a file of one's own."""

from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.arguments import split_words


def copy(
    recipe: Annotated[str, typer.Argument(help="a recipe's name or path")],
    to: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="the new file; ./<name>.yaml if not given")
    ] = None,
) -> None:
    """Copy a recipe to a file to edit, its parents merged in, so that it stands by itself."""
    split_words([recipe])

    from zoo.errors import Problem, RecipeError
    from zoo.recipe import merge, text
    from zoo.recipe.read import read

    name, tree = read(recipe)
    file = to or Path(f"{name.replace('/', '-')}.yaml")
    if file.is_dir():
        file = file / f"{name.replace('/', '-')}.yaml"
    if file.exists():
        raise RecipeError(
            str(file),
            [Problem("", "is there already, and is not overwritten — give another name: zoo copy RECIPE FILE")],
        )
    body = {key: value for key, value in tree.items() if key not in merge.OWN}
    try:
        file.write_text(f"# zoo train {file}\n# made from {name}\n{text.write(body)}", encoding="utf-8")
    except OSError as error:
        raise RecipeError(str(file), [Problem("", f"cannot be written: {error.strerror}")]) from error
    print(f"{file}: edit it, then 'zoo validate {file}' and 'zoo train {file}'")
