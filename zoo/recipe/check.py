"""From a tree of plain values to a `Recipe`, or to the list of everything that is wrong with it."""

from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.fields import FieldInfo

from registry import TABLES, RegistryError
from registry.name_errors import UnknownName, did_you_mean
from zoo.errors import Problem, RecipeError, ZooError
from zoo.recipe.options import REQUIRED, Parameter, options_of, strict
from zoo.recipe.recipe import COMPONENTS, DEFAULTS, LISTS, Component, Probing, Recipe
from zoo.recipe.values import short_repr

_FIELDS = {name: field for name, field in Recipe.model_fields.items() if name != "name"}


def check(name: str, tree: dict[str, Any], problems: list[Problem] | None = None) -> Recipe:
    """Check a merged tree and fill in every default.

    Raises: RecipeError with all problems at once, those handed in included.
    """
    problems = list(problems or [])
    values: dict[str, Any] = {"name": name}
    for key in tree:
        if key not in _FIELDS:
            problems.append(
                Problem(key, f"unknown key — expected one of: {', '.join(_FIELDS)}{did_you_mean(key, _FIELDS)}")
            )
    for key, field in _FIELDS.items():
        raw = tree.get(key, DEFAULTS.get(key))
        if isinstance(raw, dict) and "name" not in raw and key in DEFAULTS:
            raw = {"name": DEFAULTS[key], **raw}
        if key in COMPONENTS:
            if raw is None:
                problems.append(Problem(key, f"missing — expected a name from 'zoo list {COMPONENTS[key]}'"))
                continue
            values[key] = component(raw, COMPONENTS[key], key, problems)
        elif key in LISTS:
            values[key] = _several(raw, LISTS[key], key, problems)
        elif key == "probes" and key in tree:
            values[key] = _probes(raw, problems)
        elif key in tree and not (raw is None and not field.is_required()):
            values[key] = _value(raw, full_annotation(field), key, problems)
    if problems:
        raise RecipeError(name, problems)
    return Recipe(**values)


def component(
    raw: Any, table: str, path: str, problems: list[Problem], outer: Parameter | None = None
) -> Component | None:
    """Check one component and its options; `outer` is the option that it is the value of, if any."""
    default = (_written(outer.default) if outer and outer.default is not REQUIRED else None) or {}
    written = _written(raw)
    if written is None:
        problems.append(
            Problem(path, f"{short_repr(raw)} is not a component — expected a name, or a mapping with 'name'")
        )
        return None
    options = {**default, **written} if written.get("name", default.get("name")) == default.get("name") else written
    name = options.pop("name", None)
    if not isinstance(name, str):
        problems.append(Problem(path, f"the component has no name — expected 'name:' and one of: {_names(table)}"))
        return None
    if outer and outer.fixed and name != default["name"]:
        fixed = f"is fixed to {default['name']!r} by the name of the model — take 'stack' to choose {outer.name}"
        problems.append(Problem(path, fixed))
        return None
    try:
        target = TABLES[table].get(name)
    except UnknownName as error:
        problems.append(Problem(path, f"unknown name {name!r} in {table} — {error.advice}"))
        return None
    except (RegistryError, ZooError) as error:  # a family such as dgl.nn.* refuses members in its own words
        problems.append(Problem(path, str(error)))
        return None
    try:
        parameters = options_of(target)
    except (TypeError, ValueError, NameError) as error:
        problems.append(Problem(path, f"{name!r} cannot be called: {error} — expected a class or a function"))
        return None
    return Component(name=name, options=_options(name, options, parameters, path, problems))


def _options(
    name: str, given: dict[str, Any], parameters: dict[str, Parameter], path: str, problems: list[Problem]
) -> dict[str, Any]:
    for key in given:
        if key not in parameters:
            known = ", ".join(parameters) or "none"
            near = did_you_mean(str(key), parameters)
            problems.append(Problem(f"{path}.{key}", f"unknown option of {name!r} — its options are: {known}{near}"))
    checked: dict[str, Any] = {}
    for key, parameter in parameters.items():
        where = f"{path}.{key}"
        raw = given.get(key, parameter.default)
        if raw is REQUIRED:
            problems.append(Problem(where, f"missing — {name!r} needs this option"))
        elif raw is None and parameter.default is None:
            checked[key] = None
        elif parameter.plain is not None and _is_plain(raw, parameter):
            checked[key] = _value(raw, parameter.plain, where, problems) if key in given else raw
        elif parameter.table:
            if parameter.plain is not None:
                raw = _unfolded(raw, parameter.table)
                if isinstance(raw, str) and raw not in TABLES[parameter.table]:
                    problems.append(Problem(where, _neither(raw, parameter)))
                    continue
            checked[key] = component(raw, parameter.table, where, problems, parameter)
        elif parameter.fixed and raw != parameter.default:
            problems.append(Problem(where, f"is fixed to {parameter.default!r} by the name {name!r}"))
        else:
            checked[key] = _value(raw, parameter.annotation, where, problems) if key in given else raw
    return checked


def _is_plain(raw: Any, parameter: Parameter) -> bool:
    """Whether a value is for the plain arms of an option that may also hold a component."""
    return raw in _words(parameter) or not isinstance(raw, str | dict | Component)


def _neither(raw: str, parameter: Parameter) -> str:
    """What is said of a word that is neither a plain value nor a name."""
    assert parameter.table is not None
    names, words = TABLES[parameter.table].names(), _words(parameter)
    near = did_you_mean(raw, [*words, *names])
    number = "" if get_origin(parameter.plain) is Literal else "a number above 0, "
    return (
        f"{short_repr(raw)} is not valid — expected {number}{', '.join(map(repr, words))}, or one of "
        f"{parameter.table}: {', '.join(names)}{near}"
    )


def _words(parameter: Parameter) -> list[str]:
    arms = [parameter.plain] if get_origin(parameter.plain) is Literal else get_args(parameter.plain)
    return [word for arm in arms if get_origin(arm) is Literal for word in get_args(arm)]


def _unfolded(raw: Any, table: str) -> Any:
    """`{adaptive: {per: block}}` as `{name: adaptive, per: block}`: the short form beside plain values."""
    if isinstance(raw, dict) and len(raw) == 1:
        ((name, options),) = raw.items()
        if isinstance(name, str) and name in TABLES[table] and isinstance(options, dict | None):
            return {"name": name, **(options or {})}
    return raw


def _several(raw: Any, table: str, field: str, problems: list[Problem]) -> tuple[Component | None, ...]:
    """One component or a list of them."""
    if not isinstance(raw, list):
        return (component(raw, table, field, problems),)
    if not raw:
        problems.append(Problem(field, f"an empty list — expected one or more {table}, or 'none'"))
    return tuple(component(item, table, f"{field}.{index}", problems) for index, item in enumerate(raw))


def _probes(raw: Any, problems: list[Problem]) -> tuple[Probing | None, ...]:
    """One probe or set, a list of them, or none; each with its schedule beside its options."""
    if raw is None or raw == "none":
        return ()
    several = isinstance(raw, list)
    found = []
    for index, item in enumerate(raw if several else [raw]):
        path = f"probes.{index}" if several else "probes"
        written = _written(item)
        if written is None:
            problems.append(
                Problem(path, f"{short_repr(item)} is not a probe — expected a name, or a mapping with 'name'")
            )
            continue
        fields = {name: field for name, field in Probing.model_fields.items() if name != "component"}
        schedule = {
            name: _value(written.pop(name), full_annotation(fields[name]), f"{path}.{name}", problems)
            for name in fields
            if name in written and written[name] is not None
        }
        for name in fields:
            written.pop(name, None)
        start, stop = schedule.get("start"), schedule.get("stop")
        if start and stop and start.unit == stop.unit and start.amount > stop.amount:
            problems.append(Problem(f"{path}.stop", f"{stop} is before start, {start} — expected start before stop"))
        checked = component(written, "probes", path, problems)
        if checked is not None and not any(value is None for value in schedule.values()):
            found.append(Probing(component=checked, **schedule))
    return tuple(found)


def full_annotation(field: FieldInfo) -> Any:
    """A field's type with its constraints, which pydantic keeps apart."""
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def _value(raw: Any, annotation: Any, path: str, problems: list[Problem]) -> Any:
    """Validate a plain value; every problem of a nested one is added with its own path."""
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(strict(annotation))
    except PydanticSchemaGenerationError:
        return raw  # a plug-in's own type: its constructor is the judge
    try:
        return adapter.validate_python(raw)
    except ValidationError as error:
        said: set[str] = set()
        items = error.errors(include_url=False)
        for item in items:
            where = ".".join([path, *_places(raw, item["loc"])])
            if where not in said:  # a union reports each of its arms; one line per place is enough
                said.add(where)
                same_place = [other for other in items if other["loc"] == item["loc"]]
                problems.append(Problem(where, _sentence(item, same_place, _keys_in(annotation))))
        return None


def _places(raw: Any, location: tuple[int | str, ...]) -> list[str]:
    """The part of pydantic's location that lies in the value itself; arms of unions are named there too."""
    places: list[str] = []
    for place in location:
        if (isinstance(raw, dict) and place in raw) or (isinstance(raw, list) and isinstance(place, int)):
            places.append(str(place))
            raw = raw[place]  # pyright: ignore[reportArgumentType, reportCallIssue]
    return places


def _keys_in(annotation: Any) -> list[str]:
    """The keys of a section, or of the sections that an annotation like `Mapping[str, Group]` holds."""
    return [
        *getattr(annotation, "model_fields", ()),
        *(key for inner in get_args(annotation) for key in _keys_in(inner)),
    ]


def _sentence(item: Any, same_place: list[Any], known: list[str]) -> str:
    if item["type"] == "extra_forbidden":
        return f"unknown key — expected one of: {', '.join(known)}{did_you_mean(str(item['loc'][-1]), known)}"
    message = item["msg"].removeprefix("Value error, ")
    expected = message.removeprefix("Input should be ")
    text = f"{short_repr(item['input'])} is not valid — expected {expected.removeprefix('expected ')}"
    literals = [error["ctx"]["expected"] for error in same_place if error["type"] == "literal_error"]
    if literals and isinstance(item["input"], str):
        words = [word.strip(" '") for word in literals[0].replace(" or ", ",").split(",")]
        text += did_you_mean(item["input"], words)
    return text


def _written(raw: Any) -> dict[str, Any] | None:
    if isinstance(raw, str):
        return {"name": raw}
    if isinstance(raw, Component):
        return {"name": raw.name, **raw.options}
    return dict(raw) if isinstance(raw, dict) else None


def _names(table: str) -> str:
    return ", ".join(TABLES[table].names())
