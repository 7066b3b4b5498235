"""Recipe text: numbers as people write them, no surprises, no objects."""

import os
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import RecipeError
from zoo.recipe import yaml_text


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
        ("010", 10),
        ("-08", -8),
        ("0o17", 15),
        ("0xff", 255),
        ("1.", 1.0),
        ("-.inf", float("-inf")),
        ("True", True),
    ],
)
def test_numbers_are_read_as_people_write_them(written, value):
    """By YAML 1.2: 1e-3 is a number and 010 is ten, as they are not in 1.1, and quotes still make text."""
    read = yaml_text.parse(written)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "word",
    [
        "e5",
        "1e",
        "relu",
        "deadbeef",
        "1.2.3e4",
        "1:30",
        "1_000",
        "0b11",
        "yes",
        "On",
        "no",
        "y",
        "-0x1",
        "2001-12-14",
        "=",
    ],
)
def test_words_stay_words(word):
    """What only looks a little like a number stays text."""
    assert yaml_text.parse(word) == word


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
        yaml_text.read(file)


def test_an_unreadable_file_is_named(tmp_path):
    """A file that is not text is an error about that file."""
    file = tmp_path / "binary.yaml"
    file.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(RecipeError, match=r"binary\.yaml.*\n.*cannot be read"):
        yaml_text.read(file)


@pytest.mark.parametrize("tagged", ["!!int 1_000", "!!bool yes", "!!float 1:30", "!!int ''"])
def test_a_tag_makes_no_other_word_of_it(tagged):
    """What is tagged has to be written as its kind is."""
    with pytest.raises(yaml.YAMLError, match="not what its tag says"):
        yaml_text.parse(tagged)


@pytest.mark.parametrize(
    "word", ["yes", "010", "08", "1:30", "1_000", "0o17", "1e-3", "true", "~", "2001-12-14", "<<", "="]
)
def test_text_that_is_a_number_to_some_reader_is_quoted(word):
    """A run's recipe says the same to a reader of YAML 1.1 and to one of 1.2."""
    written = yaml_text.write({"a": word})
    assert yaml_text.parse(written) == yaml.safe_load(written) == {"a": word}


def test_writing_reads_back():
    """What is written is read back the same, in the same order."""
    tree = {"model": {"name": "gcn", "depth": 64}, "rate": 1e-7, "list": [1, "1e-3", None, True]}
    again = yaml_text.parse(yaml_text.write(tree))
    assert again == tree
    assert list(again) == list(tree)


def test_mappings_may_be_merged_by_yamls_own_key():
    """`<<` lays an anchored mapping beneath, whose keys may be given again; a key given twice besides is refused."""
    assert yaml_text.parse("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}") == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}}
    with pytest.raises(yaml.YAMLError, match="twice"):
        yaml_text.parse("a: &a {x: 1}\nb: {<<: *a, y: 3, y: 4}")


def laughs(lists: int) -> str:
    """Lists of ten of the one before: each line multiplies by ten what is written out."""
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, lists)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (laughs(9), "more than 10000 values"),
        ("a: &a {" + ", ".join(f"k{n}: 1" for n in range(300)) + "}\nb: [*a, *a, *a, *a]", "more than 1000 keys"),
        ("a: &a [1, *a]", "inside of what it stands for"),
        ("[" * 30_000, "in each other"),
        ("- " * 20_000, "in each other"),
        ("? " * 20_000, "in each other"),
        ("a: " + "9" * 5000, "64 bits"),
        ("a: 0x" + "f" * 5000, "64 bits"),
        ("a: -9223372036854775809", "64 bits"),
        ("a: 1e999", "too large"),
        ("a: -1.0e+400", "too large"),
        ("a: 0." + "1" * 5000, "too long"),
        ('a: "\\e[31m"', r"control character \\x1b"),
        ('"\\0": 1', r"control character \\x00"),
        ('a: "\\ud800"', r"control character \\ud800"),
        ("a: \u202eb", r"control character \\u202e"),
        ("a: \x1bb", "special characters are not allowed"),
        ("? [a, b]\n: 1", "a key is a list"),
        ("~: 1", "a key is null"),
        ("a: {? {b: 1} : 2}", "a key is a dict"),
        ("1: a\n1: b", "given twice"),
        ("k" * 201 + ": 1", "201 characters"),
        ("a: !!binary aGk=", "constructor for the tag"),
        ("a: !!set {b}", "constructor for the tag"),
        ("a: !!timestamp 2001-01-01", "constructor for the tag"),
        ("a: !!python/object/apply:os.system [true]", "constructor for the tag"),
        ("a: !!int x", "not what its tag says"),
        ("a: !!bool x", "not what its tag says"),
        ('a: !!int ""', "not what its tag says"),
        ("x" * 70_000, "at most 65536 bytes"),
        ("é" * 40_000, "at most 65536 bytes"),
    ],
    ids=lambda value: value[:12],
)
def test_what_grows_out_of_hand_is_refused(written, words):
    """Each limit has its own words, all are told as a YAML error, and none takes long."""
    began = time.process_time()
    with pytest.raises(yaml.YAMLError, match=words):
        yaml_text.parse(written)
    assert time.process_time() - began < 5


def test_what_is_within_the_limits_is_read():
    """Aliases and merges of a usual size, infinity by its name, the largest whole number, dates as text."""
    assert yaml_text.parse("a: &a {x: 1}\nb: {<<: *a, y: *a}") == {"a": {"x": 1}, "b": {"x": 1, "y": {"x": 1}}}
    assert yaml_text.parse("[.inf, -.inf, 1.7e308]") == [float("inf"), float("-inf"), 1.7e308]
    assert yaml_text.parse("[9223372036854775807, -9223372036854775808]") == [2**63 - 1, -(2**63)]
    assert yaml_text.parse("2001-01-01") == "2001-01-01" == yaml_text.parse(yaml_text.write("2001-01-01"))
    assert yaml_text.parse('"two\\nlines\\tand μ"') == "two\nlines\tand μ"


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(written):
    """Nothing else comes of it than plain values or a YAML error."""
    try:
        value = yaml_text.parse(written)
    except yaml.YAMLError:
        return
    assert yaml_text.parse(yaml_text.write(value)) == value or value != value or "nan" in repr(value)


def test_files_that_are_no_recipes_are_refused(tmp_path):
    """Too long, not UTF-8, a folder, a pipe that nobody writes to: one error with the path, at once."""
    (tmp_path / "long.yaml").write_bytes(b"#" * (yaml_text.BYTES + 1))
    (tmp_path / "bytes.yaml").write_bytes(b"a: \xff")
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    for name in ("long", "bytes", "folder", "pipe", "absent"):
        with pytest.raises(RecipeError, match=rf"{name}\.yaml — 1 problem"):
            yaml_text.read(tmp_path / f"{name}.yaml")
