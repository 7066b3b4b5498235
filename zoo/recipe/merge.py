"""Laying one recipe over another: `extends` and command-line overrides."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from zoo.errors import Problem
from zoo.recipe import text
from zoo.recipe.shown import shown

# What describes one recipe and not those made from it.
OWN = ("extends", "name", "description", "measured")


def merge(parent: dict[str, Any], child: dict[str, Any]) -> dict[str, Any]:
    """The child laid over the parent: mappings merge key by key, everything else replaces.

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


@dataclass(frozen=True)
class Change:
    """A value for a dotted path, or that what stands there is taken away; typed: as it was asked for."""

    path: str
    value: Any
    typed: str
    removes: bool = False


def changes(overrides: Mapping[str, Any] | Sequence[str]) -> tuple[list[Change], list[Problem]]:
    """What is asked for, in an order in which nothing undoes another, and what could not be understood.

    `model=gcn` comes before `model.depth=4` and `~a` before `a=b`, however they were typed; of two values for one path
    the later counts.
    """
    found: list[Change] = []
    problems: list[Problem] = []
    if isinstance(overrides, Mapping):
        found = [Change(path, value, f"{path}={shown(value)}") for path, value in overrides.items()]
        overrides = ()
    for word in overrides:
        if word.startswith("~"):
            found.append(Change(word[1:].strip(), None, word, removes=True))
            continue
        path, sign, written = word.partition("=")
        if not sign:
            problems.append(Problem(word, "no change — expected a.b=c, or ~a.b"))
            continue
        try:
            found.append(Change(path.strip(), text.parse(written), word))
        except yaml.YAMLError:
            said = f"{shown(written)} is not a YAML value — expected e.g. 0.5, relu, [1, 2] or {{name: x}}"
            problems.append(Problem(path, said))
    found.sort(key=lambda change: (change.path.count("."), not change.removes))
    return found, problems


def apply(recipe: dict[str, Any], made: Sequence[Change]) -> tuple[dict[str, Any], list[Problem]]:
    """The recipe with the changes made, one after the other, and those that take away what is not there."""
    problems: list[Problem] = []
    for change in made:
        if change.removes:
            recipe, problem = _remove(recipe, change.path.split("."), change.typed)
            problems += [problem] if problem else []
        else:
            recipe = put(recipe, change.path, change.value)
    return recipe, problems


def resets(before: dict[str, Any], made: Sequence[Change], after: dict[str, Any]) -> list[str]:
    """Sentences on what the changes set back that nobody asked for: `model=gcn resets model.depth 64 → 2`.

    before: the recipe as written; after: the checked one, as plain values. What the new component has no option for
    is not set back but gone, as in `normalizer=none`.
    """
    said = []
    for change in made:
        if change.removes or not isinstance(found := _at(before, change.path), dict):
            continue
        lost = []
        for path, old in _leaves(found, change.path):
            asked = any(f"{path}.".startswith(f"{other.path}.") for other in made if other.path != change.path)
            new = _at(after, path)
            if isinstance(new, dict) and "name" in new:
                new = new["name"]
            if not asked and path not in dict(_leaves(change.value, change.path)) and new is not _ABSENT and new != old:
                lost.append(f"{path} {_word(old)} → {_word(new)}")
        if lost:
            said.append(f"{change.typed} resets {', '.join(lost)}")
    return said


_ABSENT = object()


def _at(tree: Any, path: str) -> Any:
    for key in path.split("."):
        tree = tree.get(key, _ABSENT) if isinstance(tree, dict) else _ABSENT
    return tree


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Dotted path and value of what stands in a component's or a section's mapping, names of components aside."""
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        below = f"{path}.{key}"
        if isinstance(item, dict):
            yield from _leaves(item, below)
        elif key != "name":
            yield below, item


def _word(value: Any) -> str:
    """A value as one types it."""
    return text.write(value).removesuffix("...\n").strip() if not isinstance(value, list | dict) else shown(value)


def put(recipe: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of the recipe with `value` at the dotted path."""
    return _put(recipe, path.split("."), value)


def _put(tree: Any, path: Sequence[str], value: Any) -> Any:
    """A copy of the tree with `value` at `path`; mappings on the way are made, bare names become components."""
    head, *rest = path
    if isinstance(tree, list) and head.isdigit() and int(head) < len(tree):
        items = list(tree)
        items[int(head)] = _put(items[int(head)], rest, value) if rest else value
        return items
    mapping = dict(tree) if isinstance(tree, dict) else {"name": tree} if isinstance(tree, str) else {}
    mapping[head] = _put(mapping.get(head), rest, value) if rest else value
    return mapping


def _remove(tree: dict[str, Any], path: Sequence[str], override: str) -> tuple[dict[str, Any], Problem | None]:
    head, *rest = path
    if not isinstance(tree, dict) or head not in tree:
        return tree, Problem(override, f"nothing to remove: {head!r} is not set in this recipe")
    mapping = dict(tree)
    if not rest:
        del mapping[head]
        return mapping, None
    mapping[head], problem = _remove(mapping[head], rest, override)
    return mapping, problem


def without(tree: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """The tree less some of its top-level keys."""
    return {key: value for key, value in tree.items() if key not in keys}
