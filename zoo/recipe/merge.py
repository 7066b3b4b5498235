"""Laying one recipe over another: `extends` and command-line overrides."""

from collections.abc import Sequence
from typing import Any

import yaml

from zoo.errors import Problem
from zoo.recipe import text
from zoo.recipe.shown import shown

# What describes one recipe and not those made from it.
OWN = ("extends", "description", "measured")


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


def apply(recipe: dict[str, Any], overrides: Sequence[str]) -> tuple[dict[str, Any], list[Problem]]:
    """Apply `a.b=value` and `~a.b`, in order; returns the new tree and what could not be understood."""
    problems: list[Problem] = []
    for override in overrides:
        if override.startswith("~"):
            recipe, problem = _remove(recipe, override[1:].split("."), override)
        else:
            path, _, written = override.partition("=")
            path = path.strip()
            try:
                recipe, problem = put(recipe, path, text.parse(written)), None
            except yaml.YAMLError:
                problem = Problem(
                    path, f"{shown(written)} is not a YAML value — expected e.g. 0.5, relu, [1, 2] or {{name: x}}"
                )
        if problem:
            problems.append(problem)
    return recipe, problems


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
