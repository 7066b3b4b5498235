"""What several verbs read from the command line in the same way."""

import re
from pathlib import Path
from typing import Annotated

import typer

from zoo.errors import Problem, RecipeError

Words = Annotated[
    list[str], typer.Argument(metavar="RECIPE|a.b=c|~a.b", help="recipes by name or path, then changes to them")
]
Plugins = Annotated[
    list[Path] | None, typer.Option("--plugin", metavar="FILE", help="a Python file that registers names; repeatable")
]
AllowPlugins = Annotated[
    bool, typer.Option("--allow-plugins", help="run the Python files too that a recipe, study or run names by itself")
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON on standard output, and nothing else there")]


def split_words(words: list[str]) -> tuple[list[str], list[str]]:
    """Recipes and overrides, told apart by `=` and `~`."""
    overrides = [word for word in words if "=" in word or word.startswith("~")]
    recipes = [word for word in words if word not in overrides]
    if not recipes:
        raise RecipeError(
            "(none given)", [Problem("", "expected at least one recipe, e.g. 'hello'; 'zoo list recipes' names them")]
        )
    return list(dict.fromkeys(recipes)), overrides


SEEDS = 100_000  # of one command


def parse_seeds(written: str) -> list[int]:
    """`0..4` (both ends), `3`, or `0,2,7..9`. Raises: typer.BadParameter."""
    seeds: list[int] = []
    for part in written.split(","):
        match = re.fullmatch(r"\s*(\d{1,10})\s*(?:\.\.\s*(\d{1,10})\s*)?", part)
        if not match:
            raise typer.BadParameter(f"{written!r} is not a list of seeds — expected e.g. 0..4, 3 or 0,2,7..9")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise typer.BadParameter(f"{part!r} counts down — expected {last}..{first}")
        if len(seeds) + last - first >= SEEDS:
            raise typer.BadParameter(f"{written!r} has more than {SEEDS} seeds — expected fewer")
        seeds.extend(range(first, last + 1))
    return list(dict.fromkeys(seeds))
