"""`zoo copy`: a shipped recipe or study as a file of one's own."""

from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.arguments import split_words
from zoo.system.files import expanded


def copy(
    what: Annotated[str, typer.Argument(metavar="RECIPE|STUDY", help="its name or path")],
    to: Annotated[
        Path | None,
        typer.Argument(
            parser=expanded,
            metavar="FILE",
            help="the new file; ./<recipe>.yaml or ./studies/<study>.yaml if not given",
        ),
    ] = None,
) -> None:
    """Copy a recipe or a study to a file to edit. A recipe has its parents merged in, so that it stands by itself.

    Where a recipe and a study have one name, `studies/NAME` is the study.

    Examples:
        zoo copy cora-res-gcn-64 mine.yaml

        zoo copy studies/hello

    """
    split_words([what])

    import shlex

    from zoo.recipe import recipe_files
    from zoo.untrusted import escape_controls

    name, text, is_study = _study(what) if _is_study(what) else _recipe(what)
    own = Path(recipe_files.STUDIES, f"{Path(name).name}.yaml") if is_study else Path(f"{name.replace('/', '-')}.yaml")
    file = own if to is None else to / own.name if to.is_dir() else to
    word = shlex.quote(str(file))
    run, check = ("zoo study run", "zoo study status") if is_study else ("zoo train", "zoo validate")
    _write(file, f"# {run} {word}\n# made from {name}\n{text}", what)
    print(escape_controls(f"{file}: a {'study' if is_study else 'recipe'}, made from {name} — edit it, then"))
    print(f"  {check} {word}\n  {run} {word}")
    if not is_study and what in recipe_files.studies():
        print(f"There is a study of that name, too: zoo copy {recipe_files.STUDIES}/{what}")


def _is_study(what: str) -> bool:
    """By the file's content or a study's name; a recipe of that name goes before. Raises: RecipeError for neither."""
    from registry.name_errors import did_you_mean
    from zoo.errors import Problem, RecipeError
    from zoo.recipe import recipe_files, yaml_text
    from zoo.recipe.recipe_files import is_study

    if file := recipe_files.find(what):
        return is_study(yaml_text.read(file))
    if recipe_files.study(what):
        return True
    known = [
        *recipe_files.names(),
        *recipe_files.studies(),
        *(f"{recipe_files.STUDIES}/{name}" for name in recipe_files.studies()),
    ]
    text = (
        "neither a recipe nor a study — expected a name from 'zoo list recipes' or 'zoo list studies', or a .yaml file"
    )
    raise RecipeError(what, [Problem("", text + did_you_mean(what, known))], "copy")


def _recipe(what: str) -> tuple[str, str, bool]:
    from zoo.recipe import overrides, yaml_text
    from zoo.recipe.recipe_files import read

    name, tree = read(what)
    return name, yaml_text.write(overrides.without(tree, overrides.OWN)), False


def _study(what: str) -> tuple[str, str, bool]:
    from zoo.recipe import recipe_files
    from zoo.studies.study_file import portable_text

    head, _, rest = portable_text(what).partition("\n")
    text = rest if head.startswith("# zoo study run ") else f"{head}\n{rest}"  # its own command, which is another now
    name = f"{recipe_files.STUDIES}/{Path(what).stem}" if recipe_files.study(what) else Path(what).stem
    return name, text, True


def _write(file: Path, text: str, what: str) -> None:
    """Raises: ZooError if the name cannot be a recipe's, or a file of that name is there; OSError from the system."""
    from shlex import quote

    from zoo.errors import ZooError
    from zoo.recipe import recipe_files
    from zoo.system.os_errors import explained
    from zoo.untrusted import check_name

    if file.suffix not in recipe_files.YAML:
        raise ZooError(f"copy — {file} cannot be a recipe's or study's name — expected one that ends in .yaml")
    try:
        check_name(file.stem)
    except ValueError as error:
        raise ZooError(f"copy — {error}") from error
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        if not file.parent.is_dir():
            raise ZooError(f"copy — {file.parent} is a file — expected a folder for {file.name}") from error
        other = quote(str(file.with_stem(f"my-{file.stem}")))
        raise ZooError(
            f"copy — {file} is there already, and is not overwritten — expected another name: "
            f"zoo copy {quote(what)} {other}"
        ) from error
    except OSError as error:
        raise ZooError(f"copy — {file} cannot be written: {explained(error, file.parent)}") from error
