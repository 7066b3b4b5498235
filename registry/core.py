"""A registry table: names to objects, loaded when asked for and not before.

Three ways in, one lookup: a line in `catalog.py`, the decorator `@table.register("name")`, and an entry
point of an installed package in the group `zoo.<table>`.
"""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from registry.name_errors import BrokenEntry, DuplicateName, UnknownName

T = TypeVar("T")

# A catalog line: `module:object`, or a preset, the same with options that it fixes.
Target = str | tuple[str, Mapping[str, Any]]
# A name ending so stands for a family: its target is called with the rest of the name.
FAMILY = ".*"


@dataclass(frozen=True)
class Entry:
    """One name of one table. path: `module:object`; preset: options that it fixes; source: who entered it."""

    table: str
    name: str
    path: str
    source: str
    preset: Mapping[str, Any] = field(default_factory=dict)
    value: Any = None

    def load(self) -> Any:
        """Import the target and return the object. Raises: BrokenEntry if that fails."""
        if self.value is not None:
            return self.value
        try:
            found: Any = importlib.import_module(self.module)
            for part in self.attribute.split("."):
                found = getattr(found, part)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise BrokenEntry(self.table, self.name, self.target, self.source, reason) from error
        return partial(found, **self.preset) if self.preset else found

    @property
    def module(self) -> str:
        """The target's module, as in an import statement."""
        return self.path.partition(":")[0]

    @property
    def attribute(self) -> str:
        """The target's name in its module."""
        return self.path.partition(":")[2]

    @property
    def target(self) -> str:
        """The target in words: `module:Stack(conv='gcn')`."""
        options = ", ".join(f"{name}={value!r}" for name, value in self.preset.items())
        return f"{self.path}({options})" if options else self.path

    def __str__(self) -> str:
        return f"{self.target} ({self.source})"


class Registry:
    """A table of names. Listing it imports nothing; `get` imports just the one target."""

    def __init__(self, table: str, builtin: Mapping[str, Target]) -> None:
        self.table = table
        self._builtin: dict[str, Entry] = {}
        for name, target in builtin.items():
            path, preset = (target, {}) if isinstance(target, str) else target
            self._builtin[name] = Entry(table, name, path, "built-in", preset)
        self._registered: dict[str, Entry] = {}

    def __repr__(self) -> str:
        return f"<Registry {self.table}: {', '.join(self.names())}>"

    def __contains__(self, name: str) -> bool:
        return name in self.names() or self._family(name) is not None

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that enters a class or function under `name`.

        Entering the same object again (a notebook cell run twice) replaces it.
        Raises: DuplicateName if the name already means something else.
        """

        def enter(value: T) -> T:
            entry = Entry(self.table, name, path_of(value), f"registered at {place_of(value)}", value=value)
            self._agreed([*self._claims(name), entry])
            self._registered[name] = entry
            return value

        return enter

    def registered(self) -> Mapping[str, Entry]:
        """The entries made by decorators so far, by name."""
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
        """Return the entry of that name, not yet loaded.

        Raises: UnknownName, with the nearest spelling; DuplicateName if two packages claim the name.
        """
        if claims := self._claims(name):
            return self._agreed(claims)
        family = self._family(name)
        if family is None:
            raise UnknownName(self.table, name, self.names())
        return family

    def get(self, name: str) -> Any:
        """Return the object behind a name. Raises: UnknownName, DuplicateName, BrokenEntry."""
        entry = self.find(name)
        loaded = entry.load()
        return loaded(name.removeprefix(entry.name[: -len("*")])) if entry.name.endswith(FAMILY) else loaded

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

    def _agreed(self, claims: list[Entry]) -> Entry:
        """Return the first of the claims to a name. Raises: DuplicateName if another has another target."""
        first = claims[0]
        for other in claims[1:]:
            if other.target != first.target:
                raise DuplicateName(self.table, first.name, str(first), str(other))
        return first

    def _family(self, name: str) -> Entry | None:
        for prefix, entry in self._builtin.items():
            if prefix.endswith(FAMILY) and name.startswith(prefix[:-1]) and len(name) >= len(prefix):
                return entry
        return None


def path_of(value: Any) -> str:
    """Return `module:object` of a class or function."""
    return f"{getattr(value, '__module__', '?')}:{getattr(value, '__qualname__', repr(value))}"


def place_of(value: Any) -> str:
    """Return the place in the source where a class or function is written, `folder/mine.py:12`, else its path."""
    try:
        return f"{inspect.getsourcefile(value)}:{inspect.getsourcelines(value)[1]}"
    except (TypeError, OSError):  # of a class that a call of `type` made, its first method
        kinds = inspect.getmro(value) if isinstance(value, type) else ()
        code = (method.__code__ for kind in kinds for method in vars(kind).values() if inspect.isfunction(method))
        return next((f"{each.co_filename}:{each.co_firstlineno}" for each in code), path_of(value))
