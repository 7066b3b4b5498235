"""Records of version 0.1.0, which had no `schema_version`, brought to the shape of today's."""

import math
from collections.abc import Mapping
from typing import Any

from registry import TABLES
from zoo.recipe.values import in_words

_NUMBERS = ("index", "fold", "seed")  # options that held the number of a split, the first that it had


def upgraded(result: dict[str, Any], environment: Mapping[str, Any], recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result of version 0.1.0 with what later ones have besides: the split, the range of the metric, a hint.

    environment, recipe: of the same folder.
    """
    split, diagnosis = _split(environment.get("split"), recipe.get("split")), result.get("diagnosis")
    if isinstance(diagnosis, Mapping) and not diagnosis.get("changes"):
        diagnosis = {**diagnosis, "hint": diagnosis.get("try", "")}
    return {**result, "metric_range": _range(result), "split": split, "diagnosis": diagnosis}


def _range(result: Mapping[str, Any]) -> object:
    """The least and the greatest value of the metric, by its name where a run did not note it."""
    if result.get("metric_range") is not None:
        return result["metric_range"]
    metric, table = result.get("metric"), TABLES["metrics"]
    if not isinstance(metric, str) or metric not in table:
        return None, None
    return [end if math.isfinite(end) else None for end in table.get(metric)().range]


def _split(recorded: object, component: object) -> dict[str, Any]:
    """The split; where its record has no family, the number is the recipe's and the family its rule without it."""
    facts = recorded if isinstance(recorded, Mapping) else {}
    if "family" in facts:
        return {key: facts.get(key) for key in ("family", "number", "fixed", "option")}
    options: Mapping[str, Any] = component if isinstance(component, Mapping) else {}
    option = next((name for name in _NUMBERS if name in options), None)
    number = options.get(option) if option else None
    fixed = type(number) is int
    return {
        "family": _family(facts, options, option),
        "number": number if fixed else None,
        "fixed": fixed,
        "option": option,
    }


def _family(facts: Mapping[str, Any], options: Mapping[str, Any], option: str | None) -> str:
    name, rule = facts.get("name"), facts.get("rule")
    if name == "folds" and "folds" in options:
        return f"folds, one of {options['folds']}, dealt with seed {facts.get('seed')}; the next validates"
    if not isinstance(rule, str):
        return in_words({"name": name, **{key: value for key, value in options.items() if key != option}})
    if "index" in facts:
        rule = rule.replace(f"number {facts['index']} of", "one of").removesuffix(", from the run's seed")
    return rule if rule.startswith(str(name)) else f"{name}, {rule}"
