"""`zoo show`: a recipe resolved, or a name with its options."""

import json
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from zoo.cli.arguments import AllowPlugins, AsJson, Plugins, Words, say_resets, split_words

if TYPE_CHECKING:
    from zoo.recipe.options import Parameter


def show(words: Words, plugin: Plugins = None, allow_plugins: AllowPlugins = False, as_json: AsJson = False) -> None:
    """Show a recipe with every default filled in, or a registered name with its options.

    Examples:
        zoo show cora-res-gcn-64 model.depth=128

        zoo show frobenius

    """
    recipes, overrides = split_words(words)

    from registry import TABLES, load_plugin
    from registry.name_errors import did_you_mean
    from zoo.errors import Problem, RecipeError
    from zoo.recipe import recipe_files
    from zoo.recipe.recipe_files import read

    for file in plugin or []:
        load_plugin(file)
    found: list[dict[str, Any]] = []
    for name in recipes:
        tables = [table for table in TABLES.values() if name in table]
        if recipe_files.find(name):
            found += _show_recipe(name, overrides, plugin or [], allow_plugins, as_json)
        elif tables:
            for table in tables:
                found += _show_name(table.table, name, as_json)
        elif recipe_files.study(name):
            read(name)  # says what studies are for
        else:
            known = [*recipe_files.names(), *(known for table in TABLES.values() for known in table.names())]
            near = did_you_mean(name, known)
            raise RecipeError(name, [Problem("", f"neither a recipe nor a registered name — see 'zoo list'{near}")])
    if as_json:
        print(json.dumps(found))


def _show_recipe(
    name: str, overrides: list[str], plugins: list[Path], allow_plugins: bool, as_json: bool
) -> list[dict[str, Any]]:
    """Print the recipe, or return it for JSON."""
    from zoo.api import identity_of
    from zoo.recipe import yaml_text
    from zoo.recipe.load import load
    from zoo.recipe.recipe_files import read

    resolved = load(name, overrides, plugins, allow_plugins=allow_plugins)
    say_resets([resolved])
    values = resolved.plain()
    measured = None if overrides else read(name)[1].get("measured")
    if as_json:
        return [{"name": resolved.name, "identity": identity_of(resolved), "measured": measured, **values}]
    print(f"# {resolved.name} · identity {identity_of(resolved)}")
    print(yaml_text.write({**values, **({"measured": measured} if measured else {})}), end="")
    return []


def _show_name(table: str, name: str, as_json: bool) -> list[dict[str, Any]]:
    """Print what is registered under a name, or return it for JSON."""
    from inspect import getdoc

    from registry import TABLES
    from zoo.recipe.options import REQUIRED, options_of

    entry = TABLES[table].find(name)
    target = TABLES[table].get(name)
    options = options_of(target)
    documentation = getdoc(getattr(target, "func", target)) or ""
    if as_json:
        defaults = {key: None if option.default is REQUIRED else str(option.default) for key, option in options.items()}
        found = {"name": name, "table": table, "source": entry.source, "target": entry.target}
        return [{**found, "options": defaults, "doc": documentation}]
    print(f"{name} · {table} · {entry.source} · {entry.target}\n")
    print(documentation)
    print("\noptions:" if options else "\nno options")
    for key, option in options.items():
        default = (
            "required" if option.default is REQUIRED else f"{option.default!r}{' (fixed)' if option.fixed else ''}"
        )
        print(f"  {key}: {default}   {_kind(option)}")
    return []


def _kind(option: "Parameter") -> str:
    """What an option takes, in words: `float > 0 or 'auto' or a name from controllers: adaptive`."""
    from registry import TABLES

    if option.table is None:
        return _type_name(option.annotation)
    if option.plain is None:
        return f"a name from {option.table}"
    return f"{_type_name(option.plain)} or a name from {option.table}: {', '.join(TABLES[option.table].names())}"


def _type_name(annotation: Any) -> str:
    """An annotation in words, constraints of numbers as signs: `float > 0`."""
    if get_origin(annotation) is Annotated:
        base, *extras = get_args(annotation)
        signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
        rules = [rule for extra in extras for rule in getattr(extra, "metadata", ())]
        bounds = [
            f"{sign} {getattr(rule, word)}" for rule in rules for word, sign in signs.items() if hasattr(rule, word)
        ]
        return " ".join([_type_name(base), ", ".join(bounds)]).strip()
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(map(_type_name, get_args(annotation)))
    if get_origin(annotation) is Literal:
        return " or ".join(map(repr, get_args(annotation)))
    return "nothing" if annotation is NoneType else getattr(annotation, "__name__", str(annotation))
