"""YAML 1.2 to plain values and back, within limits. Safe loading only: a recipe never makes Python objects."""

import re
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from zoo.errors import Problem, RecipeError
from zoo.untrusted import first_control

BYTES = 1 << 16  # of a file: twenty times the longest that ships, and read in a few seconds at the worst
VALUES = 10_000  # in a text, with what an alias stands for counted each time
KEYS = 1000  # of all mappings in it, counted likewise
DEPTH = 32  # lists and mappings in each other
KEY = 200  # characters of a key
_LONGEST_NUMBER = 100  # characters
_WHOLE = 2**63  # what a 64-bit integer holds

_MERGE = "tag:yaml.org,2002:merge"
_PLAIN = ("null", "bool", "int", "float", "str", "seq", "map")


# What a plain word is by YAML 1.2's core schema, and how such words begin. PyYAML reads 1.1, where `010` is 8, `1:30`
# is 90, `on` is true, `1e-3` a text and a date no text.
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
    "merge": (re.compile(r"<<\Z"), ["<"]),
}


class _Loader(yaml.SafeLoader):
    """Safe YAML of plain values: refuses a key given twice and what grows out of hand."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - as PyYAML has it
    yaml_constructors = {  # noqa: RUF012 - as PyYAML has it; here without sets, bytes and pairs
        **{
            f"tag:yaml.org,2002:{kind}": yaml.SafeLoader.yaml_constructors[f"tag:yaml.org,2002:{kind}"]
            for kind in _PLAIN
        },
        None: yaml.SafeLoader.yaml_constructors[None],
    }

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = self._values = self._keys = 0
        self._sizes: dict[int, tuple[int, int]] = {}  # of what has an anchor and may come again, by node

    def compose_node(self, parent: Any, index: Any) -> Any:
        """As PyYAML, counting what comes, aliases with all that they stand for."""
        event: Any = self.peek_event()
        if type(event) is yaml.AliasEvent:
            node = super().compose_node(parent, index)
            if id(node) not in self._sizes:
                mark: Any = event.start_mark
                raise ConstructorError(None, None, "an alias stands inside of what it stands for", mark)
            self._count(*self._sizes[id(node)], event)
            return node
        before = self._values, self._keys
        self._count(1, 0, event)
        self._depth += 1
        if self._depth > DEPTH:
            raise ConstructorError(None, None, f"more than {DEPTH} lists and mappings in each other", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(node, yaml.MappingNode):
            self._count(0, len(node.value), event)
        if event.anchor is not None:
            self._sizes[id(node)] = self._values - before[0], self._keys - before[1]
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As PyYAML, with keys that are short words or numbers, each once."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:  # what `<<` brings in, the mapping may replace
                continue
            key: Any = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float):
                said = f"a key is {_kind(key)} — expected a word"
                raise ConstructorError(None, None, said, key_node.start_mark)
            if isinstance(key, str) and len(key) > KEY:
                said = f"the key {key[:20]!r}… has {len(key)} characters — expected at most {KEY}"
                raise ConstructorError(None, None, said, key_node.start_mark)
            if key in seen:
                raise ConstructorError(None, None, f"the key {key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_scalar(self, node: Any) -> Any:
        """As PyYAML, less text that a terminal would obey."""
        value = super().construct_scalar(node)
        if isinstance(value, str) and (sign := first_control(value)):
            raise ConstructorError(None, None, f"the control character {sign} in a text", node.start_mark)
        return value

    def construct_yaml_bool(self, node: Any) -> bool:
        """`true` or `false`."""
        return self._checked(node, "bool").lower() == "true"

    def construct_yaml_int(self, node: Any) -> int:
        """A whole number of 64 bits, decimal unless it begins with `0x` or `0o`."""
        word = self._checked(node, "int")
        number = int(word, {"0x": 16, "0o": 8}.get(word[:2], 10)) if len(word) <= _LONGEST_NUMBER else _WHOLE
        if not -_WHOLE <= number < _WHOLE:
            said = f"the number {node.value[:20]}… is too large — expected one of 64 bits"
            raise ConstructorError(None, None, said, node.start_mark)
        return number

    def construct_yaml_float(self, node: Any) -> float:
        """A number that a float holds; `.inf` and `.nan` are written so."""
        word = self._checked(node, "float")
        number = float(re.sub(r"\.(?=[inIN])", "", word)) if len(word) <= _LONGEST_NUMBER else float("inf")
        if number in (float("inf"), -float("inf")) and "inf" not in node.value.lower():
            said = f"the number {node.value[:20]} is too large or too long — expected at most 1.8e308"
            raise ConstructorError(None, None, said, node.start_mark)
        return number

    def _checked(self, node: Any, kind: str) -> str:
        """The word of a scalar, which has to be of its kind also where a tag says so."""
        word = self.construct_scalar(node)
        if not _WORDS[kind][0].match(word):
            raise ConstructorError(
                None, None, f"{word[:20]!r} is not what its tag says — expected: {kind}", node.start_mark
            )
        return word

    def _count(self, values: int, keys: int, event: Any) -> None:
        self._values += values
        self._keys += keys
        for found, most, what in ((self._values, VALUES, "values"), (self._keys, KEYS, "keys")):
            if found > most:
                raise ConstructorError(None, None, f"more than {most} {what}, aliases written out", event.start_mark)


_Loader.add_constructor("tag:yaml.org,2002:bool", _Loader.construct_yaml_bool)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)


class _Dumper(yaml.SafeDumper):
    """Writes what `_Loader` and readers of YAML 1.1 read back the same: text that is a word to either is quoted."""


for _kind_of_word, (_pattern, _signs) in _WORDS.items():
    for _side in (_Loader, _Dumper):
        _side.add_implicit_resolver(f"tag:yaml.org,2002:{_kind_of_word}", _pattern, _signs)


def parse(text: str) -> Any:
    """The value of a YAML text: null, true and false, numbers, text, lists and mappings.

    Raises: yaml.YAMLError, also beyond a limit (`BYTES`, `VALUES`, `KEYS`, `DEPTH`, `KEY`, numbers of 64 bits)
    and for a control character.
    """
    if len(text) > BYTES or len(text.encode(errors="replace")) > BYTES:
        raise yaml.YAMLError(f"it has {len(text)} characters — expected at most {BYTES} bytes")
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
    except (ValueError, OverflowError, TypeError, AttributeError, LookupError) as error:
        # PyYAML's own constructors answer some tags, such as !!int on a word, with these
        raise yaml.YAMLError(f"a value is not what its tag says: {str(error)[:100]}") from error


def read(file: Path) -> dict[str, Any]:
    """The mapping in a recipe file. Raises: RecipeError if it cannot be read, breaks a limit, or is no mapping."""
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
    """YAML text of plain values, keys in the order given."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _text_of(file: Path) -> str:
    if file.exists() and not file.is_file():  # a pipe would be waited for without end
        raise OSError("it is no plain file")
    with file.open("rb") as stream:
        data = stream.read(BYTES + 1)
    if len(data) > BYTES:
        raise OSError(f"it is longer than {BYTES} bytes — expected a recipe, which is text of a few lines")
    return data.decode("utf-8")


def _kind(value: Any) -> str:
    return "null" if value is None else "a list" if isinstance(value, tuple | list) else f"a {type(value).__name__}"
