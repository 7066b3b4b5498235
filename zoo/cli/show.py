"""`zoo show`: a recipe resolved, or a name with its options."""

import json
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import typer
from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from zoo.cli.arguments import AsJson, RecipeOptions, load_plugins, say_resets, split_words

if TYPE_CHECKING:
    from zoo.recipe.options import Parameter


def show(
    asked: RecipeOptions,
    plan: Annotated[
        bool, typer.Option("--plan", help="of a recipe: build its network, and show how its blocks are run")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a recipe with every default filled in, or a registered name with its options.

    Examples:
        zoo show cora-res-gcn-64 model.depth=128

        zoo show cora-res-gcn-64 --plan

        zoo show frobenius

    """
    names, overrides = split_words(asked.words)

    from registry import TABLES
    from registry.name_errors import did_you_mean
    from zoo.errors import Problem, RecipeError
    from zoo.recipe import recipe_files

    load_plugins(asked.plugin)
    found: list[dict[str, Any]] = []
    for name in names:
        tables = [table for table in TABLES.values() if name in table]
        if recipe_files.find(name):
            found.append(_recipe(name, overrides, asked, plan))
        elif tables:
            found += [_entry(table.table, name) for table in tables]
        elif recipe_files.study(name):
            recipe_files.read(name)  # says what studies are for
        else:
            known = [*recipe_files.names(), *(known for table in TABLES.values() for known in table.names())]
            near = did_you_mean(name, known)
            raise RecipeError(name, [Problem("", f"neither a recipe nor a registered name — see 'zoo list'{near}")])
    if as_json:
        print(json.dumps([{key: value for key, value in item.items() if key != "text"} for item in found]))
    else:
        print("\n".join(item["text"] for item in found))


def _recipe(name: str, overrides: list[str], asked: RecipeOptions, plan: bool) -> dict[str, Any]:
    """Return the recipe, resolved, and the text to print of it."""
    from zoo import api
    from zoo.recipe import yaml_text
    from zoo.recipe.load import load
    from zoo.recipe.recipe_files import read

    recipe = load(name, overrides, **asked.allowed)
    say_resets([recipe])
    identity = api.identity_of(recipe)
    if plan:
        lines = api.build(recipe).network.plan().lines()
        text = "\n".join([f"# {recipe.name} · identity {identity}", *lines])
        return {"text": text, "name": recipe.name, "identity": identity, "plan": lines}
    measured = None if overrides else read(name)[1].get("measured")
    written = yaml_text.write({**recipe.plain(), **({"measured": measured} if measured else {})})
    text = f"# {recipe.name} · identity {identity}\n{written}".rstrip("\n")
    return {"text": text, "name": recipe.name, "identity": identity, "measured": measured, **recipe.plain()}


def _entry(table: str, name: str) -> dict[str, Any]:
    """Return the entry that is registered under a name, and the text to print of it."""
    from functools import partial
    from inspect import getdoc

    from registry import TABLES
    from zoo.recipe.options import REQUIRED, options_of

    entry = TABLES[table].find(name)
    target = TABLES[table].get(name)
    options = options_of(target)
    documentation = getdoc(target.func if isinstance(target, partial) else target) or ""
    lines = [f"{name} · {table} · {entry.source} · {entry.target}", "", documentation, ""]
    lines.append("options:" if options else "no options")
    for key, option in options.items():
        fixed = " (fixed)" if option.fixed else ""
        default = "required" if option.default is REQUIRED else f"{option.default!r}{fixed}"
        lines.append(f"  {key}: {default}   {_kind(option)}")
    defaults = {key: None if option.default is REQUIRED else str(option.default) for key, option in options.items()}
    found = {"text": "\n".join(lines), "name": name, "table": table, "source": entry.source, "target": entry.target}
    return {**found, "options": defaults, "doc": documentation}


def _kind(option: "Parameter") -> str:
    """Return the values that an option takes, in words: `float > 0 or 'auto' or a name from controllers: adaptive`."""
    from registry import TABLES

    if option.table is None:
        return _type_name(option.annotation)
    if option.plain is None:
        return f"a name from {option.table}"
    return f"{_type_name(option.plain)} or a name from {option.table}: {', '.join(TABLES[option.table].names())}"


def _type_name(annotation: Any) -> str:
    """Return an annotation in words, constraints of numbers as signs: `float > 0`."""
    if get_origin(annotation) is Annotated:
        base, *extras = get_args(annotation)
        rules = [rule for extra in extras if isinstance(extra, FieldInfo) for rule in extra.metadata]
        bounds = filter(None, map(_bound, rules))
        return " ".join([_type_name(base), ", ".join(bounds)]).strip()
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(map(_type_name, get_args(annotation)))
    if get_origin(annotation) is Literal:
        return " or ".join(map(repr, get_args(annotation)))
    if annotation is NoneType:
        return "nothing"
    kind = get_origin(annotation) or annotation
    return kind.__name__ if isinstance(kind, type) else str(kind)


def _bound(rule: object) -> str:
    match rule:
        case Gt(bound):
            return f"> {bound}"
        case Ge(bound):
            return f"≥ {bound}"
        case Lt(bound):
            return f"< {bound}"
        case Le(bound):
            return f"≤ {bound}"
        case _:
            return ""
