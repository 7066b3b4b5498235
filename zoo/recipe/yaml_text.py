"""YAML 1.2 to plain values and back, within limits; a recipe never makes Python objects."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from zoo.errors import Problem, RecipeError
from zoo.untrusted import first_control

BYTES = 1 << 16  # of a file: twenty times the longest that ships, and read in a few seconds at the worst
VALUES = 10_000  # in a text, with what an alias stands for counted each time
KEYS = 1000  # of all mappings in it, counted likewise
DEPTH = 32  # lists and mappings in each other
KEY = 200  # characters of a key
_LONGEST_NUMBER = 100  # characters
_WHOLE = 2**63  # limit of a 64-bit integer

_TAG = "tag:yaml.org,2002:"
# Plain words of YAML 1.2's core schema, and their first characters. PyYAML reads 1.1, where `010` is 8, `1:30` is 90,
# `on` is true, `1e-3` a text and a date no text.
_WORDS = {
    "null": (re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""]),
    "bool": (re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF")),
    "int": (re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"), list("-+0123456789")),
    "float": (
        re.compile(
            r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
        ),
        list("-+.0123456789"),
    ),
    "str": (re.compile(""), []),
}


class _Dumper(yaml.SafeDumper):
    """Writes what `parse` and readers of YAML 1.1 read back the same: text that is a word to either is quoted."""


for _kind, (_pattern, _signs) in _WORDS.items():
    if _signs:
        _Dumper.add_implicit_resolver(_TAG + _kind, _pattern, _signs)


class _Reader:
    """Makes plain values of a text's YAML events; refuses a key given twice and what grows out of hand."""

    def __init__(self, text: str) -> None:
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=yaml.SafeLoader))
        self._values = self._keys = 0
        # Each anchor's value, with the values and keys in it; None while it is being read.
        self._anchors: dict[str, tuple[Any, int, int] | None] = {}

    def document(self) -> Any:
        """Return the value of the one document."""
        value, documents = None, 0
        for event in self._events:
            if isinstance(event, yaml.NodeEvent):
                value = self._value(event, 1)
            elif isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _error("expected a single document, but found another document", event)
        return value

    def _value(self, event: Any, depth: int) -> Any:
        anchor = event.anchor
        if isinstance(event, yaml.AliasEvent):
            if anchor not in self._anchors:
                raise _error(f"found undefined alias {anchor!r}", event)
            if (known := self._anchors[anchor]) is None:
                raise _error("an alias stands inside of what it stands for", event)
            value, values, keys = known
            self._count(values, keys, event)
            return value
        before = self._values, self._keys
        self._count(1, 0, event)
        if depth > DEPTH:
            raise _error(f"more than {DEPTH} lists and mappings in each other", event)
        if anchor is not None:
            self._anchors[anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            _check_tag(event, "seq")
            value = [self._value(item, depth + 1) for item in self._until(yaml.SequenceEndEvent)]
        else:
            _check_tag(event, "map")
            value = self._mapping(depth + 1)
        if anchor is not None:
            self._anchors[anchor] = value, self._values - before[0], self._keys - before[1]
        return value

    def _mapping(self, depth: int) -> dict[Any, Any]:
        """Read a mapping's keys, short words or numbers, each once, and values; `<<` lays others beneath it."""
        beneath: dict[Any, Any] = {}
        own: dict[Any, Any] = {}
        for event in self._until(yaml.MappingEndEvent):
            self._count(0, 1, event)
            if isinstance(event, yaml.ScalarEvent) and event.implicit[0] and event.value == "<<":
                value = self._value(next(self._events), depth)
                for other in reversed(value) if isinstance(value, list) else [value]:
                    if not isinstance(other, dict):
                        raise _error(f"<< has {_named(other)} — expected a mapping or a list of them", event)
                    beneath |= other
                continue
            key = self._value(event, depth)
            if not isinstance(key, str | int | float):
                raise _error(f"a key is {_named(key)} — expected a word", event)
            if isinstance(key, str) and len(key) > KEY:
                raise _error(f"the key {key[:20]!r}… has {len(key)} characters — expected at most {KEY}", event)
            if key in own:
                raise _error(f"the key {key!r} is given twice", event)
            own[key] = self._value(next(self._events), depth)
        return {**beneath, **own}

    def _until(self, end: type[yaml.Event]) -> Iterator[Any]:
        while not isinstance(event := next(self._events), end):
            yield event

    def _count(self, values: int, keys: int, event: Any) -> None:
        self._values += values
        self._keys += keys
        for found, most, what in ((self._values, VALUES, "values"), (self._keys, KEYS, "keys")):
            if found > most:
                raise _error(f"more than {most} {what}, aliases written out", event)


def _scalar(event: Any) -> Any:
    """Return the text, number, boolean or null of a scalar, which has to be of the kind that a tag says."""
    word, (plain, quoted) = event.value, event.implicit
    if sign := first_control(word):
        raise _error(f"the control character {sign} in a text", event)
    if plain:
        kind = next(kind for kind, (pattern, _) in _WORDS.items() if pattern.match(word))
    else:
        kind = "str" if quoted else event.tag.removeprefix(_TAG)
    if kind not in _WORDS:
        raise _error(f"could not determine a constructor for the tag {event.tag!r}", event)
    if not _WORDS[kind][0].match(word):
        raise _error(f"{word[:20]!r} is not what its tag says — expected: {kind}", event)
    if kind == "int":
        number = int(word, {"0x": 16, "0o": 8}.get(word[:2], 10)) if len(word) <= _LONGEST_NUMBER else _WHOLE
        if not -_WHOLE <= number < _WHOLE:
            raise _error(f"the number {word[:20]}… is too large — expected one of 64 bits", event)
        return number
    if kind == "float":
        number = float(re.sub(r"\.(?=[inIN])", "", word)) if len(word) <= _LONGEST_NUMBER else math.inf
        if math.isinf(number) and "inf" not in word.lower():
            raise _error(f"the number {word[:20]} is too large or too long — expected at most 1.8e308", event)
        return number
    return {"null": None, "bool": word.lower() == "true", "str": word}[kind]


def _check_tag(event: Any, kind: str) -> None:
    if event.tag not in (None, "!", _TAG + kind):
        raise _error(f"could not determine a constructor for the tag {event.tag!r}", event)


def _error(problem: str, event: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


def _named(value: Any) -> str:
    return "null" if value is None else "a list" if isinstance(value, list) else f"a {type(value).__name__}"


def parse(text: str) -> Any:
    """Return the value of a YAML text: null, true and false, numbers, text, lists and mappings.

    Raises: yaml.YAMLError, also beyond a limit (`BYTES`, `VALUES`, `KEYS`, `DEPTH`, `KEY`, numbers of 64 bits)
    and for a control character.
    """
    if len(text) > BYTES or len(text.encode(errors="replace")) > BYTES:
        raise yaml.YAMLError(f"it has {len(text)} characters — expected at most {BYTES} bytes")
    return _Reader(text).document()


def read(file: Path) -> dict[str, Any]:
    """Return the mapping in a recipe file. Raises: RecipeError if it cannot be read, breaks a limit, or is none."""
    try:
        value = parse(_text_of(file))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise RecipeError(str(file), [Problem(place, f"not valid YAML: {error.problem}")]) from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RecipeError(str(file), [Problem("", f"cannot be read: {error}")]) from error
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise RecipeError(str(file), [Problem("", "expected a mapping of names to values, like 'dataset: cora'")])
    return value


def write(value: Any) -> str:
    """Return YAML text of plain values, keys in the order given."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _text_of(file: Path) -> str:
    if file.exists() and not file.is_file():  # a pipe would be waited for without end
        raise OSError("it is no plain file")
    with file.open("rb") as stream:
        data = stream.read(BYTES + 1)
    if len(data) > BYTES:
        raise OSError(f"it is longer than {BYTES} bytes — expected a recipe, which is text of a few lines")
    return data.decode("utf-8")
