"""What several verbs read from the command line in the same way."""

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.errors import Problem, RecipeError
from zoo.recipe.recipe_files import YAML
from zoo.system.files import expanded
from zoo.untrusted import escape_controls

if TYPE_CHECKING:
    from zoo.recipe.recipe import Recipe

Words = Annotated[
    list[str], typer.Argument(metavar="RECIPE|a.b=c|~a.b", help="recipes by name or path, then changes to them")
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", parser=expanded, metavar="FILE", help="a Python file that registers names; repeatable"),
]
AllowPlugins = Annotated[
    bool, typer.Option("--allow-plugins", help="run the Python files too that a recipe, study or run names by itself")
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON on standard output, and nothing else there")]


def say_resets(recipes: "Iterable[Recipe]") -> None:
    """On standard error, once each: what the changes set back that nobody asked for."""
    for said in dict.fromkeys(said for recipe in recipes for said in recipe.resets):
        print(escape_controls(f"note: {said}"), file=sys.stderr)


_PLURAL = {"recipe": "recipes", "study": "studies"}


def is_override(word: str) -> bool:
    """Whether a word is `a.b=c` or `~a.b`, and not the path of a recipe or a folder, which may have either sign."""
    from zoo.recipe.recipe_files import is_change

    head, sign, _ = word.partition("=")
    if "/" in head or os.sep in head or not (sign or word.startswith("~")):
        return False
    if word.endswith(YAML):
        return is_change(head) and not Path(word).is_file()
    return "/" not in word or not Path(word).is_dir()


def split_words(words: list[str], what: str = "recipe") -> tuple[list[str], list[str]]:
    """Recipes, or what else is asked for, and overrides."""
    _refuse_spaces(words)
    overrides = [word for word in words if is_override(word)]
    recipes = [word for word in words if word not in overrides]
    if not recipes:
        raise RecipeError(
            "(none given)",
            [Problem("", f"expected at least one {what}, e.g. 'hello'; 'zoo list {_PLURAL[what]}' names them")],
            what,
        )
    return list(dict.fromkeys(recipes)), overrides


def _refuse_spaces(words: list[str]) -> None:
    """`model.depth = 8` arrives as three words, or two. Raises: typer.BadParameter."""
    for place, word in enumerate(words):
        before, after = words[max(0, place - 1) : place], words[place + 1 : place + 2]
        if word.startswith("=") and before:
            value = word[1:] or " ".join(after) or "VALUE"
            said = f"{' '.join([*before, word, *(() if word[1:] else after)])!r} — spaces around '='"
            raise typer.BadParameter(f"{said} — expected {before[0]}={value}")
        if word.endswith("=") and is_override(word):
            raise typer.BadParameter(f"{word!r} has no value — expected {word}{' '.join(after) or 'VALUE'}, or null")


SEEDS = 100_000  # of one command
LARGEST = 2**31 - 1  # as in a recipe


def parse_seeds(written: str) -> list[int]:
    """`0..4` (both ends), `3`, or `0,2,7..9`. Raises: typer.BadParameter."""
    seeds: list[int] = []
    for part in written.split(","):
        match = re.fullmatch(r"\s*(\d{1,10})\s*(?:\.\.\s*(\d{1,10})\s*)?", part)
        if not match:
            raise typer.BadParameter(f"{written!r} is not a list of seeds — expected e.g. 0..4, 3 or 0,2,7..9")
        first, last = int(match[1]), int(match[2] or match[1])
        if last > LARGEST:
            raise typer.BadParameter(f"{last} is no seed — expected 0 to {LARGEST}")
        if last < first:
            raise typer.BadParameter(f"{part!r} counts down — expected {last}..{first}")
        if len(seeds) + last - first >= SEEDS:
            raise typer.BadParameter(f"{written!r} has more than {SEEDS} seeds — expected fewer")
        seeds.extend(range(first, last + 1))
    return list(dict.fromkeys(seeds))
