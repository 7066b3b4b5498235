"""A registry table: names to objects, loaded when asked for and not before.

Three ways in, one lookup: a line in `catalog.py`, the decorator `@table.register("name")`, and an entry
point of an installed package in the group `zoo.<table>`.
"""

import ast
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from registry.name_errors import BrokenEntry, DuplicateName, UnknownName

T = TypeVar("T")

# A name ending so stands for a family: its target is called with the rest of the name.
FAMILY = ".*"


@dataclass(frozen=True)
class Entry:
    """One name of one table: where it points, and who put it there."""

    table: str
    name: str
    target: str
    source: str
    value: Any = None

    def load(self) -> Any:
        """Import the target and return the object.

        Raises: BrokenEntry if the module or the object in it cannot be had.
        """
        if self.value is not None:
            return self.value
        try:
            found: Any = importlib.import_module(self.module)
            for part in self.attribute.split("."):
                found = getattr(found, part)
            preset = self.preset
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise BrokenEntry(self.table, self.name, self.target, self.source, reason) from error
        return partial(found, **preset) if preset else found

    @property
    def module(self) -> str:
        """The target's module, as in an import statement."""
        return self.target.partition(":")[0]

    @property
    def attribute(self) -> str:
        """The target's name in its module."""
        return self.target.partition(":")[2].partition("(")[0]

    @property
    def preset(self) -> dict[str, Any]:
        """The options that the target fixes: `{'conv': 'gcn'}` of `module:Stack(conv='gcn')`."""
        _, parenthesis, arguments = self.target.partition("(")
        if not parenthesis:
            return {}
        call = ast.parse(f"f({arguments}", mode="eval").body
        assert isinstance(call, ast.Call)
        return {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}


class Registry:
    """A table of names. Listing it imports nothing; `get` imports just the one target."""

    def __init__(self, table: str, builtin: Mapping[str, str]) -> None:
        self.table = table
        self._builtin = {name: Entry(table, name, target, "built-in") for name, target in builtin.items()}
        self._registered: dict[str, Entry] = {}

    def __repr__(self) -> str:
        return f"<Registry {self.table}: {', '.join(self.names())}>"

    def __contains__(self, name: str) -> bool:
        return name in self.names() or self._family(name) is not None

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that enters a class or function under `name`.

        Entering the same object again (a notebook cell run twice) replaces it.
        Raises: DuplicateName if the name already means something else.
        """

        def enter(value: T) -> T:
            entry = Entry(self.table, name, _target_of(value), f"registered at {_place_of(value)}", value)
            for other in self._claims(name):
                if other.target != entry.target:
                    raise DuplicateName(
                        self.table, name, f"{other.target} ({other.source})", f"{entry.target} ({entry.source})"
                    )
            self._registered[name] = entry
            return value

        return enter

    def registered(self) -> Mapping[str, Entry]:
        """What decorators have entered so far, by name."""
        return dict(self._registered)

    def entries(self) -> list[Entry]:
        """Every entry, not loaded: built-in, registered, installed."""
        return [entry for name in self.names() for entry in self._claims(name)]

    def unregister(self, name: str) -> None:
        """Take back what `register` entered; unknown names are ignored."""
        self._registered.pop(name, None)

    def names(self) -> list[str]:
        """Every name, sorted; families are shown as `prefix.*`."""
        return sorted({*self._builtin, *self._registered, *self._installed})

    def find(self, name: str) -> Entry:
        """The entry of that name, not yet loaded.

        Raises: UnknownName, with the nearest spelling; DuplicateName if two packages claim the name.
        """
        claims = self._claims(name)
        if not claims:
            family = self._family(name)
            if family is None:
                raise UnknownName(self.table, name, self.names())
            return family
        first, *others = claims
        for other in others:
            if other.target != first.target:
                raise DuplicateName(
                    self.table, name, f"{first.target} ({first.source})", f"{other.target} ({other.source})"
                )
        return first

    def get(self, name: str) -> Any:
        """The object behind a name.

        Raises: UnknownName, DuplicateName, BrokenEntry.
        """
        entry = self.find(name)
        loaded = entry.load()
        if entry.name.endswith(FAMILY):
            return loaded(name.removeprefix(entry.name[: -len("*")]))
        return loaded

    @cached_property
    def _installed(self) -> dict[str, list[EntryPoint]]:
        """Entry points of installed packages by name, read once per process on first need."""
        found: dict[str, list[EntryPoint]] = {}
        for point in entry_points(group=f"zoo.{self.table}"):
            found.setdefault(point.name, []).append(point)
        return found

    def _claims(self, name: str) -> list[Entry]:
        claims = [table[name] for table in (self._builtin, self._registered) if name in table]
        for point in self._installed.get(name, []):
            package = f"package {point.dist.name} {point.dist.version}" if point.dist else "installed package"
            claims.append(Entry(self.table, name, point.value, package))
        return claims

    def _family(self, name: str) -> Entry | None:
        for prefix, entry in self._builtin.items():
            if prefix.endswith(FAMILY) and name.startswith(prefix[:-1]) and len(name) >= len(prefix):
                return entry
        return None


def _target_of(value: Any) -> str:
    return f"{getattr(value, '__module__', '?')}:{getattr(value, '__qualname__', repr(value))}"


def _place_of(value: Any) -> str:
    try:
        return f"{inspect.getsourcefile(value)}:{inspect.getsourcelines(value)[1]}"
    except (TypeError, OSError):
        return _target_of(value)
