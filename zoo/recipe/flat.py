"""A recipe's tree as dotted paths and texts, as one would type them."""

from collections.abc import Iterator, Mapping
from typing import Any


def flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Dotted path and text of every value; a component's name stands at its own path."""
    if isinstance(value, Mapping) and value:
        if path and "name" in value:
            yield path, str(value["name"])
        for key, item in value.items():
            if not path or key != "name":
                yield from flat(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        yield path, " + ".join(str(item.get("name")) if isinstance(item, Mapping) else str(item) for item in value)
        for index, item in enumerate(value):
            yield from flat(item, f"{path}.{index}")
    else:
        yield path, "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def in_words(component: Mapping[str, Any]) -> str:
    """A component as `block-model nodes=200 classes=3`."""
    options = {key: value for key, value in component.items() if key != "name"}
    words = [f"{path}={value}" for path, value in flat(options)] if options else []
    return " ".join([str(component["name"]), *words])
