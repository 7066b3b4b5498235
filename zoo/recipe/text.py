"""YAML to plain values and back. Safe loading only: a recipe never makes Python objects."""

import re
from pathlib import Path
from typing import Any

import yaml

from zoo.errors import Problem, RecipeError

_MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """Safe YAML that reads `1e-3` as a number and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:  # what `<<` brings in, the mapping may replace
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            if isinstance(key, str):
                seen.add(key)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Writes what `_Loader` reads back the same."""


# YAML 1.1 wants a dot and a sign in a float's exponent form; people write 1e-3 and 5E4.
_EXPONENT = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")
for _side in (_Loader, _Dumper):
    _side.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+.0123456789"))


def parse(text: str) -> Any:
    """The value of a YAML text. Raises: yaml.YAMLError."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader


def read(file: Path) -> dict[str, Any]:
    """The mapping in a recipe file. Raises: RecipeError if it cannot be read or is not a mapping."""
    try:
        value = parse(file.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise RecipeError(str(file), [Problem(place, f"not valid YAML: {error.problem}")]) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(str(file), [Problem("", f"cannot be read: {error}")]) from error
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise RecipeError(str(file), [Problem("", "expected a mapping of names to values, like 'dataset: cora'")])
    return value


def write(value: Any) -> str:
    """YAML text of plain values, keys in the order given."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
