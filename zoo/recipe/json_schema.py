"""The JSON Schema of recipes: the same signatures that `check` reads, for an editor."""

from typing import Any

from pydantic import TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError

from registry import TABLES, RegistryError
from registry.core import FAMILY
from zoo.recipe.check import full_annotation
from zoo.recipe.options import REQUIRED, Parameter, options_of
from zoo.recipe.recipe import COMPONENTS, LISTS, Probing, Recipe

Schema = dict[str, Any]
_HEAD = {
    "extends": {"type": "string", "description": "the one recipe that this one is laid over"},
    "name": {"type": "string", "description": "of the folder that runs lie in; unset: the file's"},
}


def recipe_schema() -> Schema:
    """Return the schema of a recipe file; every table is a definition that components refer to."""
    properties: Schema = dict(_HEAD)
    definitions: Schema = {}
    for name, field in Recipe.model_fields.items():
        if name in COMPONENTS:
            properties[name] = _reference(COMPONENTS[name])
        elif name in LISTS or name == "probes":
            one = _reference(LISTS[name]) if name in LISTS else _scheduled(definitions)
            properties[name] = {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}
        elif name not in _HEAD:
            properties[name] = _of_type(full_annotation(field), definitions)
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
    """Return the schema of a bare name, or a mapping with the name and that entry's own options."""
    names: list[str] = []
    forms: list[Schema] = []
    for name in TABLES[table].names():
        if name.endswith(FAMILY):
            word = {"type": "string", "pattern": f"^{name.removesuffix('*')}\\w+$"}
            forms += [word, {"type": "object", "properties": {"name": word}, "required": ["name"]}]
            continue
        try:
            target = TABLES[table].get(name)
        except RegistryError:
            continue
        names.append(name)
        options = options_of(target)
        properties = {key: _option(option, definitions) for key, option in options.items()}
        summary = (getattr(target, "func", target).__doc__ or "").strip().partition("\n")[0]
        forms.append(
            {
                "title": name,
                "description": summary,
                "type": "object",
                "properties": {"name": {"const": name}, **properties},
                "required": ["name", *(key for key, option in options.items() if option.default is REQUIRED)],
                "additionalProperties": False,
            }
        )
    return {"anyOf": [{"enum": names}, *forms]}


def _scheduled(definitions: Schema) -> Schema:
    """Return the schema of a probe by name, or with its options and its schedule side by side."""
    names = TABLES["probes"].names()
    fields = {name: field for name, field in Probing.model_fields.items() if name != "component"}
    schedule = {name: _of_type(full_annotation(field), definitions) for name, field in fields.items()}
    mapping = {"type": "object", "properties": {"name": {"enum": names}, **schedule}, "required": ["name"]}
    return {"anyOf": [{"enum": [*names, "none"]}, mapping]}


def _option(option: Parameter, definitions: Schema) -> Schema:
    if option.table and option.plain is not None:
        forms = [_of_type(option.plain, definitions), _reference(option.table), {"type": "object"}]
        return {"anyOf": forms, "default": option.default}
    if option.table and option.default is REQUIRED:
        return _reference(option.table)
    if option.table:  # options without a name refine the default component
        return {"anyOf": [_reference(option.table), {"type": "object"}, {"type": "null"}]}
    try:
        schema = _of_type(option.annotation, definitions)
    except (PydanticSchemaGenerationError, PydanticInvalidForJsonSchema):
        return {}
    return {**schema, "default": option.default} if isinstance(option.default, bool | int | float | str) else schema


def _of_type(annotation: Any, definitions: Schema) -> Schema:
    """Return a type's schema, its own definitions moved to the top, where its references look for them."""
    schema = TypeAdapter(annotation).json_schema()
    definitions.update(schema.pop("$defs", {}))
    return schema


def _reference(table: str) -> Schema:
    return {"$ref": f"#/$defs/{table}"}
