"""`zoo list`: recipes, studies and registered names, without importing any of them."""

import json
import re
from typing import Annotated

import typer
from rich.table import Table

from registry import TABLES, Entry, RegistryError, describe
from registry.name_errors import UnknownName
from zoo.cli.arguments import AsJson, Plugins, load_plugins
from zoo.cli.console import print_table
from zoo.recipe import recipe_files
from zoo.untrusted import plain_text


def list_(
    what: Annotated[
        str | None, typer.Argument(metavar="TABLE", help="recipes, studies, normalizers, models, datasets, …")
    ] = None,
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """List recipes, studies and the names of every table, with their options and where they come from."""
    load_plugins(plugin)
    if what is None:
        _overview(as_json)
    elif what == "recipes":
        _recipes(as_json)
    elif what == "studies":
        _studies(as_json)
    elif what in TABLES:
        _names(what, as_json)
    else:
        raise UnknownName("zoo list", what, ["recipes", "studies", *TABLES])


def _overview(as_json: bool) -> None:
    tables = {name: table.names() for name, table in TABLES.items()}
    content = {"recipes": recipe_files.names(), "studies": recipe_files.studies(), **tables}
    if as_json:
        print(json.dumps([{"table": table, "names": names} for table, names in content.items()]))
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, names in content.items():
        table.add_row(plain_text(name, "bold"), plain_text(", ".join(names)))
    print_table(table)


def _recipes(as_json: bool) -> None:
    from zoo.recipe.recipe_files import read
    from zoo.studies.formatting import spread

    rows = []
    for name in recipe_files.names():
        tree = read(name)[1]
        measured = tree.get("measured") or {}
        rows.append({"name": name, "description": tree.get("description", ""), "measured": measured})
    if as_json:
        print(json.dumps(rows))
        return
    table = Table("recipe", "measured", "description")
    for row in rows:
        measured = row["measured"]
        figure = (
            f"{spread(measured['test'], measured.get('sd'))} {measured.get('metric', 'accuracy')}" if measured else ""
        )
        table.add_row(*map(plain_text, (row["name"], figure, " ".join(row["description"].split()))))
    print_table(table)


def _studies(as_json: bool) -> None:
    from zoo.recipe import yaml_text

    rows = []
    for name in recipe_files.studies():
        tree = yaml_text.read(recipe_files.shipped() / recipe_files.STUDIES / f"{name}.yaml")
        forms = ["full", *(["quick"] if "quick" in tree else [])]
        rows.append({"name": name, "description": tree.get("description", ""), "forms": forms})
    if as_json:
        print(json.dumps(rows))
        return
    table = Table("study", "forms", "description")
    for row in rows:
        table.add_row(*map(plain_text, (row["name"], ", ".join(row["forms"]), " ".join(row["description"].split()))))
    print_table(table)


def _names(what: str, as_json: bool) -> None:
    rows = [_row(what, name) for name in TABLES[what].names()]
    if as_json:
        print(json.dumps(rows))
        return
    kind = ["for"] if what == "datasets" else []
    table = Table("name", *kind, "what it is", "options", "from")
    for row in rows:
        options = ", ".join(key if value is None else f"{key}={value}" for key, value in row["options"].items())
        cells = [row["name"], *([row["tasks"]] if kind else []), row["summary"], options, row["source"]]
        table.add_row(*map(plain_text, cells))
    print_table(table)


def _row(what: str, name: str) -> dict:
    try:
        entry: Entry = TABLES[what].find(name)
    except RegistryError as error:
        return {"name": name, "summary": str(error), "options": {}, "source": "conflict", "tasks": ""}
    description = describe(entry)
    options = {option.name: option.default for option in description.options}
    return {
        "name": name,
        "summary": description.summary,
        "options": options,
        "source": entry.source,
        "target": entry.target,
        **({"tasks": _tasks_of(description.returns)} if what == "datasets" else {}),
    }


def _tasks_of(data: str) -> str:
    """Return the tasks that name a kind of data set in `takes`; those that need nothing besides first."""
    takes = {entry.name: describe(entry).constants.get("takes", "") for entry in TABLES["tasks"].entries()}
    found = [name for name, kinds in takes.items() if data in re.findall(r"\w+", kinds)]
    return ", ".join(sorted(found, key=lambda name: f"{data}: ''" not in takes[name]))
