"""The axes on which recipes differ, and the place of each on them, from the fields of the recipes."""

from collections.abc import Mapping, Sequence

Fields = Mapping[str, str]  # dotted recipe path → value as text

ABSENT = "–"


def labels(names: Sequence[str], fields: Sequence[Fields], identities: Sequence[str]) -> list[dict[str, str]]:
    """Each recipe's place on every axis: `recipe`, its name, and what tells recipes of one name apart.

    An axis is a field in which recipes of one name differ, and all of them have a place on it. An option that not all
    of them have is no axis, as nothing could be compared along it: it stands in the label of its component, `frobenius
    c=0.5` beside `none`. Fields that only some have tell apart where values do not, and at last the identity.
    """
    paths = list(dict.fromkeys(path for own in fields for path in own))
    for absent in (False, True):
        differing = [path for path in paths if _differs(path, names, fields, absent)]
        placed = _placed(differing, fields)
        found = [{"recipe": name, **place} for name, place in zip(names, placed, strict=True)]
        if len({tuple(place.items()) for place in found}) == len(found):
            return found
    return [{**place, "identity": identity} for place, identity in zip(found, identities, strict=True)]


def _differs(path: str, names: Sequence[str], fields: Sequence[Fields], absent: bool) -> bool:
    """Whether recipes of one name differ in a field. absent: whether to have none is a difference, too."""
    by_name: dict[str, set[str | None]] = {}
    for name, own in zip(names, fields, strict=True):
        if absent or path in own:
            by_name.setdefault(name, set()).add(own.get(path))
    return any(len(values) > 1 for values in by_name.values())


def _placed(differing: Sequence[str], fields: Sequence[Fields]) -> list[dict[str, str]]:
    """The labels of each recipe on the axes that hold the differing fields."""
    by_axis: dict[str, list[str]] = {}
    for path in differing:
        by_axis.setdefault(_axis(path, fields), []).append(path)
    return [
        {axis: _label(axis, own, [path for path in held if path != axis], fields) for axis, held in by_axis.items()}
        for own in fields
    ]


def _axis(path: str, fields: Sequence[Fields]) -> str:
    """The field itself, or the nearest component above it that all recipes have, where some are without the field."""
    above = path
    while above and not all(above in own for own in fields):
        above = above.rpartition(".")[0]
    return above or path


def _label(axis: str, own: Fields, options: Sequence[str], fields: Sequence[Fields]) -> str:
    """The value on an axis, with those of its options in which recipes with this value differ."""
    named = own.get(axis, ABSENT)
    alike = [other for other in fields if other.get(axis) == named]
    told = [path for path in options if path in own and len({other.get(path) for other in alike}) > 1]
    return " ".join([named, *(f"{path.removeprefix(axis)[1:]}={own[path]}" for path in told)])
