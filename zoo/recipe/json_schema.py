"""The JSON Schema of recipes: the same signatures that `check` reads, told to an editor."""

from typing import Any

from pydantic import TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError

from registry import TABLES, RegistryError
from registry.core import FAMILY
from zoo.recipe.check import full_annotation
from zoo.recipe.options import REQUIRED, Parameter, options_of
from zoo.recipe.recipe import COMPONENTS, LISTS, Probing, Recipe

Schema = dict[str, Any]


def recipe_schema() -> Schema:
    """The schema of a recipe file; every table is a definition that components refer to."""
    properties: Schema = {"extends": {"type": "string", "description": "the one recipe that this one is laid over"}}
    properties["name"] = {"type": "string", "description": "of the folder that runs lie in; unset: the file's"}
    definitions: Schema = {}
    for name, field in Recipe.model_fields.items():
        if name == "name":
            continue
        if name in COMPONENTS:
            properties[name] = _reference(COMPONENTS[name])
        elif name in LISTS or name == "probes":
            one = _reference(LISTS[name]) if name in LISTS else _scheduled(definitions)
            properties[name] = {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}
        else:
            properties[name] = _hoisted(TypeAdapter(full_annotation(field)).json_schema(), definitions)
    definitions |= {table: _table(table, definitions) for table in TABLES}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "zoo recipe",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": definitions,
    }


def _table(table: str, definitions: Schema) -> Schema:
    """A bare name, or a mapping with the name and that entry's own options."""
    names: list[str] = []
    forms: list[Schema] = []
    for name in TABLES[table].names():
        if name.endswith(FAMILY):
            pattern = f"^{name.removesuffix('*')}\\w+$"
            names_and_options = {
                "type": "object",
                "properties": {"name": {"type": "string", "pattern": pattern}},
                "required": ["name"],
            }
            forms += [{"type": "string", "pattern": pattern}, names_and_options]
            continue
        try:
            target = TABLES[table].get(name)
        except RegistryError:
            continue
        names.append(name)
        options = options_of(target)
        required = ["name", *(key for key, option in options.items() if option.default is REQUIRED)]
        properties = {"name": {"const": name}, **{key: _option(option, definitions) for key, option in options.items()}}
        form: Schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
        summary = (getattr(target, "func", target).__doc__ or "").strip().partition("\n")[0]
        forms.append({"title": name, "description": summary, **form})
    return {"anyOf": [{"enum": names}, *forms]}


def _scheduled(definitions: Schema) -> Schema:
    """A probe by name, or with its options and its schedule side by side."""
    fields = {name: field for name, field in Probing.model_fields.items() if name != "component"}
    schedule = {
        name: _hoisted(TypeAdapter(full_annotation(field)).json_schema(), definitions) for name, field in fields.items()
    }
    names = TABLES["probes"].names()
    mapping = {"type": "object", "properties": {"name": {"enum": names}, **schedule}, "required": ["name"]}
    return {"anyOf": [{"enum": [*names, "none"]}, mapping]}


def _option(option: Parameter, definitions: Schema) -> Schema:
    if option.table and option.plain is not None:
        plain = _hoisted(TypeAdapter(option.plain).json_schema(), definitions)
        return {"anyOf": [plain, _reference(option.table), {"type": "object"}], "default": option.default}
    if option.table:
        inner = _reference(option.table)
        # Options without a name refine the default component.
        return {"anyOf": [inner, {"type": "object"}, {"type": "null"}]} if option.default is not REQUIRED else inner
    try:
        schema = _hoisted(TypeAdapter(option.annotation).json_schema(), definitions)
    except (PydanticSchemaGenerationError, PydanticInvalidForJsonSchema):
        return {}
    if isinstance(option.default, bool | int | float | str):
        schema["default"] = option.default
    return schema


def _hoisted(schema: Schema, definitions: Schema) -> Schema:
    """The schema with its own definitions moved to the top, where its references look for them."""
    definitions.update(schema.pop("$defs", {}))
    return schema


def _reference(table: str) -> Schema:
    return {"$ref": f"#/$defs/{table}"}
