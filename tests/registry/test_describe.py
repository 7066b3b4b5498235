"""Descriptions of entries, read from source as text."""

import pytest

from registry import Registry, describe

SOURCE = '''
raise RuntimeError("imported")


class Base:
    def __init__(self, width: int, *, c: float = 0.5, mode: str = "soft") -> None: ...


class Derived(Base):
    """Derives its options.

    More.
    """

    scale: str = "norm"


def made(seed: int = 0, *, size) -> "list[int]":
    """Make something."""
'''


@pytest.fixture
def things(tmp_path, monkeypatch) -> Registry:
    """A table of what stands in a module that cannot be imported."""
    (tmp_path / "unimportable.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    preset = ("unimportable:Derived", {"c": 2.0})
    return Registry("things", {"class": "unimportable:Derived", "preset": preset, "made": "unimportable:made"})


def options(things: Registry, name: str) -> list[tuple[str, str, str | None]]:
    return [(option.name, option.annotation, option.default) for option in describe(things.find(name)).options]


def test_a_class_is_described_without_importing_it(things):
    """First docstring line, constants, and the keyword options of the constructor, be it a base class's."""
    found = describe(things.find("class"))
    assert found.summary == "Derives its options."
    assert found.constants == {"scale": "'norm'"}
    assert options(things, "class") == [("c", "float", "0.5"), ("mode", "str", "'soft'")]


def test_a_preset_shows_its_own_defaults(things):
    """An option that the preset fixes has that value for its default."""
    assert options(things, "preset") == [("c", "float", "2.0"), ("mode", "str", "'soft'")]


def test_a_function_is_described_by_its_parameters(things):
    """Those with a default, and keyword-only ones without; and what it returns."""
    assert describe(things.find("made")).returns == "'list[int]'"
    assert options(things, "made") == [("seed", "int", "0"), ("size", "", None)]


@pytest.mark.parametrize("target", ["nowhere:thing", "unimportable:missing", "unimportable.deeper:thing"])
def test_no_source_is_an_empty_description(things, target):
    """A listing goes on past what cannot be read."""
    assert describe(Registry("things", {"x": target}).find("x")).options == ()
