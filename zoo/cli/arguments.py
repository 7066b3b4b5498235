"""Options and words of the command line that several verbs share."""

import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

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
Folders = Annotated[
    list[Path], typer.Argument(parser=expanded, metavar="RUN", help="run folders, or folders above some")
]
Runs = Annotated[Path, typer.Option(parser=expanded, metavar="DIR", help="where run folders are")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N")]


@dataclass(frozen=True, kw_only=True)
class PluginOptions:
    """The plug-ins that a command runs."""

    plugin: Plugins = None
    allow_plugins: AllowPlugins = False

    @property
    def allowed(self) -> dict[str, Any]:
        """The options as keyword arguments of `zoo.train`, `zoo.load`, …"""
        return {"plugins": self.plugin or [], "allow_plugins": self.allow_plugins}


@dataclass(frozen=True, kw_only=True)
class RecipeOptions(PluginOptions):
    """Recipes, with changes to them and plug-ins."""

    words: Words

    def load(self) -> "list[Recipe]":
        """Return the recipes, checked, and say what the changes set back. Raises: RecipeError."""
        names, overrides = split_words(self.words)

        from zoo.recipe.load import load

        recipes = [load(name, overrides, **self.allowed) for name in names]
        say_resets(recipes)
        return recipes


def command(verb: Callable[..., None]) -> Callable[..., None]:
    """Return a verb with the fields of its parameters that are dataclasses in their place, as typer takes it."""
    hints = get_type_hints(verb, include_extras=True)
    groups = {name: kind for name, kind in hints.items() if isinstance(kind, type) and is_dataclass(kind)}
    parameters: list[Parameter] = []
    for name, parameter in signature(verb).parameters.items():
        if name not in groups:
            parameters.append(parameter.replace(annotation=hints[name], kind=Parameter.KEYWORD_ONLY))
            continue
        options = get_type_hints(groups[name], include_extras=True)
        for option in fields(groups[name]):
            default = Parameter.empty if option.default is MISSING else option.default
            parameters.append(
                Parameter(option.name, Parameter.KEYWORD_ONLY, default=default, annotation=options[option.name])
            )

    @wraps(verb)
    def run(**values: Any) -> None:
        made = {
            name: kind(**{option.name: values.pop(option.name) for option in fields(kind)})
            for name, kind in groups.items()
        }
        verb(**made, **values)

    for_typer: Any = run
    for_typer.__signature__, for_typer.__annotations__ = Signature(parameters), {}
    return for_typer


def load_plugins(files: list[Path] | None) -> None:
    """Load the files that --plugin names."""
    from registry import load_plugin

    for file in files or []:
        load_plugin(file)


def say_resets(recipes: "Iterable[Recipe]") -> None:
    """Print on standard error, once each, the options that a change set back to their defaults."""
    if not leads():
        return
    for text in dict.fromkeys(text for recipe in recipes for text in recipe.resets):
        print(escape_controls(f"note: {text}"), file=sys.stderr)


def leads() -> bool:
    """Tell whether this process is the only one, or the one that speaks for those that train together."""
    return os.environ.get("RANK", "0") == "0"


_PLURAL = {"recipe": "recipes", "study": "studies"}


def is_override(word: str) -> bool:
    """Tell whether a word is `a.b=c` or `~a.b`, and not the path of a recipe or folder, which may have either sign."""
    from zoo.recipe.recipe_files import is_change

    head, sign, _ = word.partition("=")
    if "/" in head or os.sep in head or not (sign or word.startswith("~")):
        return False
    if word.endswith(YAML):
        return is_change(head) and not Path(word).is_file()
    return "/" not in word or not Path(word).is_dir()


def split_words(words: list[str], what: str = "recipe") -> tuple[list[str], list[str]]:
    """Return the recipes, or whatever is asked for, and the overrides. Raises: RecipeError if there are none."""
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
    """Refuse `model.depth = 8`, which arrives as three words, or two. Raises: typer.BadParameter."""
    for place, word in enumerate(words):
        before, after = words[max(0, place - 1) : place], words[place + 1 : place + 2]
        if word.startswith("=") and before:
            value = word[1:] or " ".join(after) or "VALUE"
            typed = " ".join([*before, word, *(() if word[1:] else after)])
            raise typer.BadParameter(f"{typed!r} — spaces around '=' — expected {before[0]}={value}")
        if word.endswith("=") and is_override(word):
            raise typer.BadParameter(f"{word!r} has no value — expected {word}{' '.join(after) or 'VALUE'}, or null")


SEEDS = 100_000  # of one command
LARGEST = 2**31 - 1  # as in a recipe


def parse_seeds(written: str) -> list[int]:
    """Return the seeds of `0..4` (both ends), `3`, or `0,2,7..9`. Raises: typer.BadParameter."""
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
