"""The split of a run: which family of splits it is one of, and its number among them."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from registry import TABLES
from zoo.datasets.base import LinkSplit, Split
from zoo.recipe.flat import in_words
from zoo.recipe.options import number_option
from zoo.recipe.schema import Component

# How records without fields for them said in words what number a split had: shipped splits, then folds.
_NUMBER = re.compile(r"number \d+ of (\d+)(, from the run's seed)?$")
_FOLD = re.compile(r"^fold \d+ of (\d+) tests(, from the run's seed)?; the next validates$")
_OPTIONS = ("index", "fold", "seed")  # that held the number in them, the first that a split had


@dataclass(frozen=True)
class SplitId:
    """What makes splits comparable, and which of them a run was on.

    family: in words, the same for all splits that differ in their number alone. number: None where there is one split.
    fixed: whether the recipe chose the number, not the run's seed. option: the recipe's option that would choose it.
    """

    family: str
    number: int | None = None
    fixed: bool = False
    option: str | None = None

    def plain(self) -> dict[str, Any]:
        """As it stands in a record."""
        return asdict(self)


def which_split(split: Split | LinkSplit, component: Component) -> SplitId:
    """Which split was made by a component of a recipe."""
    option = number_option(TABLES["splits"].get(component.name))
    chosen = component.options.get(option) if option else None
    return SplitId(
        family=split.family or family_of(split.name, split.facts.get("rule"), component.plain(), option),
        number=chosen if split.number is None else split.number,
        fixed=chosen is not None,
        option=option,
    )


def split_id(recorded: Any, component: Mapping[str, Any]) -> SplitId:
    """The split of a run. recorded: `split` of its environment. component: `split` of its recipe."""
    if not isinstance(recorded, Mapping) or "family" not in recorded:
        return _older(recorded, component)
    number, option = recorded.get("number"), recorded.get("option")
    return SplitId(
        family=str(recorded["family"]),
        number=number if isinstance(number, int) else None,
        fixed=recorded.get("fixed") is True,
        option=str(option) if option is not None else None,
    )


def family_of(name: str, rule: object, component: Mapping[str, Any], option: str | None) -> str:
    """The family of a split that does not say its own: its name and rule, or its options but the number."""
    if rule is None:
        return in_words({key: value for key, value in component.items() if key != option})
    return str(rule) if str(rule).startswith(name) else f"{name}, {rule}"


def _older(recorded: Any, component: Mapping[str, Any]) -> SplitId:
    """The split of a run whose record has no family: the number from the recipe, the family from the rule's words."""
    facts = recorded if isinstance(recorded, Mapping) else {}
    option = next((name for name in _OPTIONS if name in component), None)
    number = component.get(option) if option else None
    rule = facts.get("rule")
    if isinstance(rule, str):
        dealt = f"one of \\1, dealt with seed {facts.get('seed')}; the next validates"
        rule = _FOLD.sub(dealt, _NUMBER.sub(r"one of \1", rule))
    fixed = isinstance(number, int)
    return SplitId(family_of(str(facts.get("name")), rule, component, option), number if fixed else None, fixed, option)
