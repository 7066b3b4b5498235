"""From a tree of plain values to a `Recipe`, or to the list of everything that is wrong with it."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.fields import FieldInfo

from registry import TABLES, RegistryError
from registry.name_errors import UnknownName, did_you_mean
from zoo.errors import Problem, RecipeError, ZooError
from zoo.recipe.options import REQUIRED, Parameter, options_of, strict
from zoo.recipe.recipe import COMPONENTS, DEFAULTS, LISTS, Component, Probing, Recipe
from zoo.recipe.values import error_sentence, short_repr

_FIELDS = {name: field for name, field in Recipe.model_fields.items() if name != "name"}
_SCHEDULE = {name: field for name, field in Probing.model_fields.items() if name != "component"}


def check(name: str, tree: Mapping[str, Any], problems: Iterable[Problem] = ()) -> Recipe:
    """Check a merged tree and fill in every default.

    Raises: RecipeError with all problems at once, those handed in included.
    """
    found = _Check(problems)
    for key in tree:
        if key not in _FIELDS:
            found.add(key, f"unknown key — expected one of: {', '.join(_FIELDS)}{did_you_mean(key, _FIELDS)}")
    values: dict[str, Any] = {"name": name}
    for key, field in _FIELDS.items():
        raw = tree.get(key, DEFAULTS.get(key))
        if isinstance(raw, dict) and "name" not in raw and key in DEFAULTS:
            raw = {"name": DEFAULTS[key], **raw}
        if key in COMPONENTS and raw is None:
            found.add(key, f"missing — expected a name from 'zoo list {COMPONENTS[key]}'")
        elif key in COMPONENTS:
            values[key] = found.component(raw, COMPONENTS[key], key)
        elif key in LISTS:
            values[key] = found.components(raw, LISTS[key], key)
        elif key == "probes" and key in tree:
            values[key] = found.probes(raw)
        elif key in tree and not (raw is None and not field.is_required()):
            values[key] = found.value(raw, full_annotation(field), key)
    if found.problems:
        raise RecipeError(name, found.problems)
    return Recipe(**values)


def full_annotation(field: FieldInfo) -> Any:
    """Return a field's type with its constraints, which pydantic keeps apart."""
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


class _Check:
    """Checks the parts of a recipe, each at its dotted path, and collects what is wrong with them.

    What is returned beside a problem is not used: there is no recipe then.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)

    def add(self, path: str, text: str) -> None:
        self.problems.append(Problem(path, text))

    def component(self, raw: Any, table: str, path: str, outer: Parameter | None = None) -> Component | None:
        """Check one component and its options; `outer` is the option that it is the value of, if any."""
        written = _written(raw)
        if written is None:
            self.add(path, f"{short_repr(raw)} is not a component — expected a name, or a mapping with 'name'")
            return None
        default = (_written(outer.default) if outer else None) or {}
        options = {**default, **written} if written.get("name", default.get("name")) == default.get("name") else written
        name = options.pop("name", None)
        if not isinstance(name, str):
            names = ", ".join(TABLES[table].names())
            self.add(path, f"the component has no name — expected 'name:' and one of: {names}")
            return None
        if outer and outer.fixed and name != default["name"]:
            fixed = f"is fixed to {default['name']!r} by the name of the model"
            self.add(path, f"{fixed} — take 'stack' to choose {outer.name}")
            return None
        try:
            parameters = options_of(TABLES[table].get(name))
        except UnknownName as error:
            self.add(path, f"unknown name {name!r} in {table} — {error.advice}")
        except (RegistryError, ZooError) as error:  # a family such as dgl.nn.* refuses members in its own words
            self.add(path, str(error))
        except (TypeError, ValueError, NameError) as error:
            self.add(path, f"{name!r} cannot be called: {error} — expected a class or a function")
        else:
            for key in options:
                if key not in parameters:
                    known = f"its options are: {', '.join(parameters) or 'none'}{did_you_mean(str(key), parameters)}"
                    self.add(f"{path}.{key}", f"unknown option of {name!r} — {known}")
            checked = {key: self._option(name, options, option, path) for key, option in parameters.items()}
            return Component(name=name, options=checked)
        return None

    def _option(self, owner: str, given: Mapping[str, Any], option: Parameter, above: str) -> Any:
        path = f"{above}.{option.name}"
        raw = given.get(option.name, option.default)
        if raw is REQUIRED:
            self.add(path, f"missing — {owner!r} needs this option")
            return None
        if raw is None and option.default is None:
            return None
        if option.table and not (option.plain is not None and _is_plain(raw, option)):
            if option.plain is not None:
                raw = _unfolded(raw, option.table)
                if isinstance(raw, str) and raw not in TABLES[option.table]:
                    self.add(path, _neither(raw, option, option.table))
                    return None
            return self.component(raw, option.table, path, option)
        if option.fixed and raw != option.default:
            self.add(path, f"is fixed to {option.default!r} by the name {owner!r}")
            return None
        annotation = option.annotation if option.plain is None else option.plain
        return self.value(raw, annotation, path) if option.name in given else raw

    def components(self, raw: Any, table: str, path: str) -> tuple[Component | None, ...]:
        """Check one component or a list of them."""
        if not isinstance(raw, list):
            return (self.component(raw, table, path),)
        if not raw:
            self.add(path, f"an empty list — expected one or more {table}, or 'none'")
        return tuple(self.component(item, table, f"{path}.{index}") for index, item in enumerate(raw))

    def probes(self, raw: Any) -> tuple[Probing | None, ...]:
        """Check one probe or set, a list of them, or none; each with its schedule beside its options."""
        if raw is None or raw == "none":
            return ()
        if not isinstance(raw, list):
            return (self._probing(raw, "probes"),)
        return tuple(self._probing(item, f"probes.{index}") for index, item in enumerate(raw))

    def _probing(self, raw: Any, path: str) -> Probing | None:
        written = _written(raw)
        if written is None:
            self.add(path, f"{short_repr(raw)} is not a probe — expected a name, or a mapping with 'name'")
            return None
        given = {name: written.pop(name) for name in _SCHEDULE if name in written}
        schedule = {
            name: self.value(item, full_annotation(_SCHEDULE[name]), f"{path}.{name}")
            for name, item in given.items()
            if item is not None
        }
        start, stop = schedule.get("start"), schedule.get("stop")
        if start and stop and start.unit == stop.unit and start.amount > stop.amount:
            self.add(f"{path}.stop", f"{stop} is before start, {start} — expected start before stop")
        component = self.component(written, "probes", path)
        return Probing(component=component, **schedule) if component and None not in schedule.values() else None

    def value(self, raw: Any, annotation: Any, path: str) -> Any:
        """Validate a plain value; every problem of a nested one is added with its own path."""
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(strict(annotation))
        except PydanticSchemaGenerationError:
            return raw  # a plug-in's own type: its constructor is the judge
        try:
            return adapter.validate_python(raw)
        except ValidationError as error:
            items = error.errors(include_url=False)
        told: set[str] = set()
        for item in items:
            place = ".".join([path, *_places(raw, item["loc"])])
            if place not in told:  # a union reports each of its arms; one line per place is enough
                told.add(place)
                arms = [other for other in items if other["loc"] == item["loc"]]
                self.add(place, error_sentence(item, known=_keys_in(annotation), arms=arms))
        return None


def _places(raw: Any, location: tuple[int | str, ...]) -> list[str]:
    """Return the part of pydantic's location that lies in the value itself; it names arms of unions, too."""
    places: list[str] = []
    for place in location:
        if (isinstance(raw, dict) and place in raw) or (isinstance(raw, list) and isinstance(place, int)):
            places.append(str(place))
            raw = raw[place]  # pyright: ignore[reportArgumentType, reportCallIssue]
    return places


def _keys_in(annotation: Any) -> list[str]:
    """Return the keys of a section, or of the sections that an annotation like `Mapping[str, Group]` holds."""
    own = annotation.model_fields if isinstance(annotation, type) and issubclass(annotation, BaseModel) else ()
    return [*own, *(key for inner in get_args(annotation) for key in _keys_in(inner))]


def _is_plain(raw: Any, option: Parameter) -> bool:
    """Return true if a value is for the plain arms of an option that may also hold a component."""
    return raw in _words(option) or not isinstance(raw, str | dict | Component)


def _neither(raw: str, option: Parameter, table: str) -> str:
    """Return the sentence about a word that is neither a plain value of the option nor a name."""
    names, words = TABLES[table].names(), _words(option)
    number = "" if get_origin(option.plain) is Literal else "a number above 0, "
    expected = f"{number}{', '.join(map(repr, words))}, or one of {table}: {', '.join(names)}"
    return f"{short_repr(raw)} is not valid — expected {expected}{did_you_mean(raw, [*words, *names])}"


def _words(option: Parameter) -> list[str]:
    arms = [option.plain] if get_origin(option.plain) is Literal else get_args(option.plain)
    return [word for arm in arms if get_origin(arm) is Literal for word in get_args(arm)]


def _unfolded(raw: Any, table: str) -> Any:
    """Return `{adaptive: {per: block}}` as `{name: adaptive, per: block}`: the short form beside plain values."""
    if isinstance(raw, dict) and len(raw) == 1:
        ((name, options),) = raw.items()
        if isinstance(name, str) and name in TABLES[table] and isinstance(options, dict | None):
            return {"name": name, **(options or {})}
    return raw


def _written(raw: Any) -> dict[str, Any] | None:
    if isinstance(raw, str):
        return {"name": raw}
    if isinstance(raw, Component):
        return {"name": raw.name, **raw.options}
    return dict(raw) if isinstance(raw, dict) else None
