"""Tables: three ways in, one lookup, nothing imported before its time."""

import subprocess
import sys
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import BrokenEntry, DuplicateName, Registry, UnknownName
from registry.core import Target


def table(**builtin: Target) -> Registry:
    return Registry("things", builtin)


def test_get_imports_the_target_of_a_builtin_name():
    """A catalog line resolves to the object it names."""
    from fractions import Fraction

    assert table(frac="fractions:Fraction").get("frac") is Fraction


def test_listing_and_finding_import_nothing():
    """Names, find and describe leave the target's module unimported."""
    code = (
        "import sys; from registry import Registry, describe;"
        "t = Registry('things', {'w': 'wave:Wave_read'}); t.names(); describe(t.find('w')); t.find('w').preset;"
        "sys.exit('wave' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_registry_needs_the_standard_library_only():
    """Importing the registry brings in no module from outside the standard library."""
    code = (
        "import sys; before = set(sys.modules); import registry;"
        "new = {m.split('.')[0] for m in set(sys.modules) - before} - {'registry'};"
        "print([m for m in new if m not in sys.stdlib_module_names and not m.startswith('_')])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_unknown_name_names_the_nearest():
    """A misspelled name is an error that lists what there is and suggests the nearest."""
    with pytest.raises(UnknownName, match=r"things — unknown name 'frobenus' .*did you mean 'frobenius'\?"):
        table(frobenius="a:b", spectral="a:c").get("frobenus")


def test_a_name_is_taken_once():
    """A second, different target under a taken name is refused, and both are shown."""
    things = table(wave="wave:Wave_read")
    with pytest.raises(DuplicateName, match=r"wave:Wave_read \(built-in\).*registered at"):

        @things.register("wave")
        def other():
            """Something else."""

    assert things.get("wave").__module__ == "wave"


def test_registering_the_same_object_again_replaces_it():
    """A notebook cell that is run twice is no duplicate: the newer object counts."""
    things = table()
    for answer in (1, 2):

        def mine(answer=answer):
            return answer

        things.register("mine")(mine)
    assert things.get("mine")() == 2


def test_a_preset_fixes_options():
    """A pair of target and options loads as the object with these applied, and reads as a call."""
    numbers = table(binary=("builtins:int", {"base": 2}))
    assert numbers.find("binary").target == "builtins:int(base=2)"
    loaded = numbers.get("binary")
    assert isinstance(loaded, partial)
    assert loaded("101") == 5


def test_a_family_is_called_with_the_rest_of_the_name():
    """`prefix.*` stands for every name that begins so, and nothing shorter."""
    things = table(**{"math.*": "operator:attrgetter"})
    import math

    assert things.get("math.pi")(math) == math.pi
    assert "math.pi" in things
    with pytest.raises(UnknownName):
        things.find("math.")


@pytest.mark.parametrize("target", ["no_such_module:x", "math:no_such_thing"])
def test_a_broken_target_says_what_failed(target):
    """A target that cannot be imported names itself, where it comes from, and the reason."""
    with pytest.raises(BrokenEntry, match=rf"things.bad — {target} \(built-in\) cannot be loaded: \w+Error"):
        table(bad=target).get("bad")


@pytest.fixture
def installed_package(tmp_path, monkeypatch):
    """A fake installed distribution with an entry point, without an install step."""

    def install(group: str, name: str, value: str, distribution: str = "other-package"):
        info = tmp_path / f"{distribution.replace('-', '_')}-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {value}\n")
        monkeypatch.syspath_prepend(str(tmp_path))

    return install


def test_an_installed_package_brings_names_through_entry_points(installed_package):
    """The group `zoo.<table>` of any installed distribution is looked up like a built-in."""
    installed_package("zoo.things", "theirs", "fractions:Fraction")
    things = table()
    assert things.names() == ["theirs"]
    assert things.find("theirs").source == "package other-package 1.5"
    assert things.get("theirs").__name__ == "Fraction"


def test_a_package_cannot_shadow_a_builtin(installed_package):
    """A package that claims a built-in name is an error when the name is asked for, not a silent change."""
    installed_package("zoo.things", "wave", "fractions:Fraction")
    with pytest.raises(
        DuplicateName, match=r"wave:Wave_read \(built-in\) and fractions:Fraction \(package other-package"
    ):
        table(wave="wave:Wave_read").get("wave")


def test_a_broken_package_breaks_only_its_own_name(installed_package):
    """An entry point that cannot be imported leaves the others alone."""
    installed_package("zoo.things", "theirs", "no_such_module:x")
    things = table(frac="fractions:Fraction")
    assert things.get("frac").__name__ == "Fraction"
    with pytest.raises(BrokenEntry, match=r"package other-package 1\.5"):
        things.get("theirs")


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(
    builtin=st.dictionaries(NAMES, st.just("fractions:Fraction"), max_size=4),
    registered=st.lists(NAMES, max_size=4),
    asked=NAMES,
)
def test_any_names_are_found_or_refused_with_advice(builtin, registered, asked):
    """Whatever names are entered and asked for: what is in the listing is found, nothing else is."""
    things = Registry("things", builtin)
    for name in registered:
        if name not in builtin:
            things.register(name)(str.upper)
    assert things.names() == sorted({*builtin, *registered})
    for name in {*builtin, *registered}:
        assert things.get(name) is not None
    if asked in things.names():
        assert things.find(asked).name == asked
    elif asked not in things:
        with pytest.raises(UnknownName) as caught:
            things.get(asked)
        assert repr(asked) in str(caught.value)


@given(target=st.text(max_size=20), name=NAMES)
def test_any_target_loads_or_is_broken(target, name):
    """A catalog line that is no module and object is an error that names it, and nothing else is raised."""
    things = Registry("things", {name: target})
    try:
        things.get(name)
    except BrokenEntry as error:
        assert f"things.{name}" in str(error)


def test_the_nearest_is_found_in_capitals_too():
    """Who types a name in capitals is told how it is written."""
    with pytest.raises(UnknownName, match=r"did you mean 'frobenius'\?"):
        table(frobenius="a:b", spectral="a:c").get("FROBENIUS")
