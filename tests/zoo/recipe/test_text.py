"""Recipe text: numbers as people write them, no surprises, no objects."""

import pytest
import yaml

from zoo.errors import RecipeError
from zoo.recipe import text


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-3", 1e-3),
        ("5E4", 5e4),
        ("1.5e+2", 150.0),
        ("-2e-1", -0.2),
        (".5e1", 5.0),
        ("0.5", 0.5),
        ("7", 7),
        ("'1e-3'", "1e-3"),
    ],
)
def test_numbers_are_read_as_people_write_them(written, value):
    """YAML 1.1 reads 1e-3 as text; here it is the number, and quotes still make text."""
    read = text.parse(written)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("word", ["e5", "1e", "relu", "deadbeef", "1.2.3e4"])
def test_words_stay_words(word):
    """What only looks a little like a number stays text."""
    assert text.parse(word) == word


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: 1\na: 2\n", r"line 2, column 1 — not valid YAML: the key 'a' is given twice"),
        ("a: [1, 2\n", r"line 2, column 1 — not valid YAML"),
        ("- a\n- b\n", "expected a mapping"),
        ("a: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
    ],
)
def test_bad_text_is_refused_with_its_place(tmp_path, content, said):
    """Duplicate keys, broken YAML, lists and object tags are errors that say where."""
    file = tmp_path / "bad.yaml"
    file.write_text(content)
    with pytest.raises(RecipeError, match=said):
        text.read(file)


def test_an_unreadable_file_is_named(tmp_path):
    """A file that is not text is an error about that file."""
    file = tmp_path / "binary.yaml"
    file.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(RecipeError, match=r"binary\.yaml.*\n.*cannot be read"):
        text.read(file)


def test_writing_reads_back():
    """What is written is read back the same, in the same order."""
    tree = {"model": {"name": "gcn", "depth": 64}, "rate": 1e-7, "list": [1, "1e-3", None, True]}
    again = text.parse(text.write(tree))
    assert again == tree
    assert list(again) == list(tree)


def test_mappings_may_be_merged_by_yamls_own_key():
    """`<<` lays an anchored mapping beneath, whose keys may be given again; a key given twice besides is refused."""
    assert text.parse("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}") == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}}
    with pytest.raises(yaml.YAMLError, match="twice"):
        text.parse("a: &a {x: 1}\nb: {<<: *a, y: 3, y: 4}")
