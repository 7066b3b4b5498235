"""Laying one recipe over another: `extends` and command-line overrides."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from zoo.errors import Problem
from zoo.recipe import yaml_text
from zoo.recipe.values import short_repr

# Keys that describe one recipe and not those made from it.
OWN = ("extends", "name", "description", "measured")

_ABSENT = object()


def merge(parent: dict[str, Any], child: dict[str, Any]) -> dict[str, Any]:
    """Lay the child over the parent: mappings merge key by key, everything else replaces.

    A component written as a mapping keeps the parent's options where it does not name others; written as a bare name
    it replaces the parent's wholly.
    """
    merged = dict(parent)
    for key, value in child.items():
        below = merged.get(key)
        if isinstance(value, dict) and "name" not in value and isinstance(below, str):
            below = {"name": below}
        merged[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def without(tree: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Return the tree less some of its top-level keys."""
    return {key: value for key, value in tree.items() if key not in keys}


@dataclass(frozen=True)
class Change:
    """A value for a dotted path, or the removal of what stands there. typed: as the user wrote it."""

    path: str
    value: Any
    typed: str
    removes: bool = False


def parse_changes(overrides: Mapping[str, Any] | Sequence[str]) -> tuple[list[Change], list[Problem]]:
    """Return the changes asked for, in an order in which none undoes another, and what could not be understood.

    `model=gcn` comes before `model.depth=4` and `~a` before `a=b`, however they were typed; of two values for one path
    the later counts.
    """
    found: list[Change] = []
    problems: list[Problem] = []
    if isinstance(overrides, Mapping):
        found = [Change(path, value, f"{path}={short_repr(value)}") for path, value in overrides.items()]
        overrides = ()
    for word in overrides:
        path, sign, written = word.partition("=")
        if word.startswith("~"):
            found.append(Change(word[1:].strip(), None, word, removes=True))
        elif not sign:
            problems.append(Problem(word, "no change — expected a.b=c, or ~a.b"))
        else:
            try:
                found.append(Change(path.strip(), yaml_text.parse(written), word))
            except yaml.YAMLError:
                expected = "expected e.g. 0.5, relu, [1, 2] or {name: x}"
                problems.append(Problem(path, f"{short_repr(written)} is not a YAML value — {expected}"))
    return sorted(found, key=lambda change: (change.path.count("."), not change.removes)), problems


def apply_changes(tree: dict[str, Any], changes: Sequence[Change]) -> tuple[dict[str, Any], list[Problem]]:
    """Return the tree with the changes made one after the other, and a problem for each removal of what is not set."""
    problems: list[Problem] = []
    for change in changes:
        if not change.removes:
            tree = put(tree, change.path, change.value)
            continue
        try:
            tree = _remove(tree, change.path)
        except KeyError as error:
            problems.append(Problem(change.typed, f"nothing to remove: {error.args[0]!r} is not set in this recipe"))
    return tree, problems


def put(tree: Any, path: str, value: Any) -> Any:
    """Return a copy of the tree with `value` at a dotted path; mappings are made, bare names become components."""
    head, dot, rest = path.partition(".")
    if isinstance(tree, list) and head.isdecimal() and int(head) < len(tree):
        items = list(tree)
        items[int(head)] = put(items[int(head)], rest, value) if dot else value
        return items
    mapping = dict(tree) if isinstance(tree, dict) else {"name": tree} if isinstance(tree, str) else {}
    mapping[head] = put(mapping.get(head), rest, value) if dot else value
    return mapping


def _remove(tree: Any, path: str) -> dict[str, Any]:
    """Return a copy of the tree without a dotted path. Raises: KeyError with the word that is not there."""
    head, dot, rest = path.partition(".")
    if not isinstance(tree, dict) or head not in tree:
        raise KeyError(head)
    return {**tree, head: _remove(tree[head], rest)} if dot else without(tree, [head])


def resets(before: dict[str, Any], changes: Sequence[Change], after: dict[str, Any]) -> list[str]:
    """Return sentences on what the changes set back though nobody asked: `model=gcn resets model.depth 64 → 2`.

    before: the recipe as written; after: the checked one, as plain values. What the new component has no option for
    is not set back but gone, as in `normalizer=none`.
    """
    sentences = []
    for change in changes:
        found = _at(before, change.path)
        if change.removes or not isinstance(found, dict):
            continue
        asked = [path for path, _ in _leaves(change.value, change.path)]
        asked += [other.path for other in changes if other.path != change.path]
        lost = []
        for path, old in _leaves(found, change.path):
            new = _at(after, path)
            if isinstance(new, dict) and "name" in new:
                new = new["name"]
            if new is not _ABSENT and new != old and not any(f"{path}.".startswith(f"{other}.") for other in asked):
                lost.append(f"{path} {_word(old)} → {_word(new)}")
        if lost:
            sentences.append(f"{change.typed} resets {', '.join(lost)}")
    return sentences


def _at(tree: Any, path: str) -> Any:
    for key in path.split("."):
        tree = tree.get(key, _ABSENT) if isinstance(tree, dict) else _ABSENT
    return tree


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield dotted path and value of what stands in a component's or a section's mapping, names of components aside."""
    for key, item in value.items() if isinstance(value, dict) else ():
        if isinstance(item, dict):
            yield from _leaves(item, f"{path}.{key}")
        elif key != "name":
            yield f"{path}.{key}", item


def _word(value: Any) -> str:
    """Return a value as one types it."""
    if isinstance(value, list | dict):
        return short_repr(value)
    return yaml_text.write(value).removesuffix("...\n").strip()
