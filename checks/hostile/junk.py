"""What does not belong into a recipe: values, words, pieces of YAML, whole documents."""

import copy
import datetime
import math
import random
from collections.abc import Callable
from functools import cache
from typing import Any

from zoo.recipe import recipe_files

Drawn = Callable[[random.Random], Any]


def junk(rng: random.Random) -> Any:
    """A value that belongs nowhere; the caller's own, to be spoiled further."""
    return copy.deepcopy(rng.choice(JUNK)(rng))


@cache
def names() -> list[str]:
    """Every registered name, of whatever table."""
    from registry import TABLES

    return sorted({name for table in TABLES.values() for name in table.names()})


def _deep(levels: int, kind: type) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value] if kind is list else {"name": value}
    return value


def _laughs(levels: int) -> str:
    """Each line names the one before nine times."""
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join([*lines, f"extends: smoke/res-gcn\nmodel: *l{levels - 1}"])


def _merges(levels: int) -> str:
    lines = ["m0: &m0 {a0: 1}"]
    lines += [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 5)}], a{n}: 1}}" for n in range(1, levels)]
    return "\n".join([*lines, f"<<: *m{levels - 1}"])


JUNK: list[Drawn] = [
    *(
        lambda _, value=value: value
        for value in (None, True, False, 0, -1, 1, 0.5, -0.0, 2**31, 2**63, -(2**64), 10**400)
    ),
    *(lambda _, value=value: value for value in (math.nan, math.inf, -math.inf, 1e308, 5e-324, 1e-12, 1.0, 3)),
    *(
        lambda _, value=value: value
        for value in ("", " ", "none", "auto", "x", "None", "null", "~", "0", "1e-3", "-1", "é漢🙈")
    ),
    *(
        lambda _, value=value: value
        for value in ("[red]x[/]", "\x1b[31mred", "a\nb", "\t", "../..", "$x$", "<b>", "| |", "a" * 9999)
    ),
    *(
        lambda _, value=value: value
        for value in ("10 epochs", "-5 epochs", "0 steps", "200%", "1e9 epochs", "9" * 400 + " epochs")
    ),
    *(
        lambda _, value=value: value
        for value in ("1 step", "5 %", "１０ epochs", "1.5 steps", "0.0001 steps", "cuda:99", "cpu:1", "inf")
    ),
    *(
        lambda _, value=value: value
        for value in ([], {}, [[]], [None], {"name": None}, {"name": "none"}, {"name": "none", "x": 1})
    ),
    *(
        lambda _, value=value: value
        for value in ({"name": ["x"]}, {"name": {"name": "gcn"}}, [1, 2, 3], ["none", "none"], {"x": {}})
    ),
    *(
        lambda _, value=value: value
        for value in ({1: 2}, {None: 1}, {True: 1}, {1.5: "x"}, {"": ""}, {"a b": [{}]}, [{"name": "gcn"}])
    ),
    *(
        lambda _, value=value: value
        for value in (datetime.date(2024, 2, 29), b"bytes", {"a", "b"}, datetime.datetime(2024, 1, 1))
    ),
    lambda _: _deep(30, list),
    lambda _: _deep(30, dict),
    lambda _: _deep(60, list),
    lambda rng: rng.choice(recipe_files.names()),
    lambda rng: rng.choice(names()),
    lambda rng: {"name": rng.choice(names())},
    lambda rng: {"name": rng.choice(names()), rng.choice(("c", "depth", "seed", "every")): rng.random() * 10},
    lambda rng: [rng.choice(names()) for _ in range(rng.randrange(4))],
    lambda rng: rng.randrange(-(10 ** rng.randrange(20)), 10 ** rng.randrange(20)),
    lambda rng: rng.gauss(0, 1) * 10 ** rng.randrange(-20, 20),
    lambda rng: "".join(
        chr(rng.choice((rng.randrange(32, 127), rng.randrange(1, 0xD7FF)))) for _ in range(rng.randrange(9))
    ),
]
TOKENS = [
    *(
        ": ",
        "- ",
        "\n",
        "\n  ",
        "\t",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a",
        "*a ",
        "<<: *a",
        "!!python/object:os.system ",
        "!x ",
    ),
    *(
        "'",
        '"',
        "|",
        ">",
        "%",
        "@",
        "`",
        "#",
        "---\n",
        "...\n",
        "? ",
        "!!binary ",
        "!!set ",
        "!!int ",
        "\0",
        "\ufeff",
        "\x1b",
    ),
    *(
        "é",
        "\ud800",
        "\u2028",
        "999999999999",
        "1e999",
        ".nan",
        "-.inf",
        "2024-13-45",
        "2001-01-01 99:99:99",
        "0o9",
        "0x",
        "1:99",
    ),
]
WORDS = [
    *(
        "",
        " ",
        "[",
        "{",
        "{a",
        "[1,",
        "*a",
        "&a x",
        "!!python/name:os.system x",
        "!x y",
        "|",
        "'",
        '"',
        "a: b: c",
        "- - -",
        "\t",
    ),
    *(
        "1e999",
        "-1e999",
        ".nan",
        ".inf",
        "9" * 4000,
        "9" * 5000,
        "0x",
        "=",
        "==",
        "a=b",
        "~",
        "null",
        "{name: }",
        "{name: [}",
        "? x",
    ),
    *(
        "2024-13-45",
        "[" * 200,
        "[" * 5000,
        "{a: " * 500,
        "&a [*a]",
        "&a [*a, *a]",
        "!!binary x",
        "!!set {a, a}",
        "é",
        "\x1b[31m",
        "\ud800",
    ),
    *(
        "10 epochs",
        "5%",
        "0",
        "-1",
        "1.5",
        "true",
        "cuda:99",
        "!!timestamp x",
        "!!int x",
        "!!float x",
        "<<",
        "{<<: 1}",
        "{<<: [1]}",
    ),
]
DOCUMENTS: list[Callable[[random.Random], str]] = [
    *(
        lambda _, text=text: text
        for text in ("", "---\n---\n", "x", "- a\n- b\n", "5", "null", "{}", "[]", "a: b: c", "? {a: b}\n: c\n")
    ),
    *(
        lambda _, text=text: text
        for text in ("!!python/object/apply:os.system ['true']", "!!binary aGVsbG8=", "a: !!int x", "a: !!float x")
    ),
    *(
        lambda _, text=text: text
        for text in ("a: 2024-13-45", "a: !!timestamp x", "a: !x {b: c}", "1: 2", "null: 3", "a: &a [*a]", "&a {b: *a}")
    ),
    *(
        lambda _, text=text: text
        for text in (
            "a: 1\na: 2\n",
            "<<: 5\n",
            "<<: [1]\n",
            "a: &x {b: 1}\n<<: *x\n",
            "a: *x",
            "a: '",
            "a: [",
            "\ta: 1",
        )
    ),
    *(
        lambda _, text=text: text
        for text in (
            "%YAML 9.9\n---\na: 1",
            "%TAG ! x\n---\n!y",
            "a: |\n x\n\ty",
            "[a]: 1",
            "{a: 1}: 2",
            "!!set {a}: 1",
        )
    ),
    *(
        lambda _, text=text: text
        for text in ("extends: smoke/res-gcn\nseeds: &s [0]\nmodel: {name: gcn, depth: *s}\n", "=: 1", "a: =", "\x85")
    ),
    lambda _: f"a: {'9' * 5000}",
    lambda _: f"training: {{duration: {'9' * 6000}}}",
    lambda _: "[" * 2000,
    lambda _: "[" * 300 + "]" * 300,
    lambda _: "a: " + "{b: " * 900 + "1" + "}" * 900,
    lambda _: "\n".join(" " * number + "a:" for number in range(1500)),
    lambda _: "- " * 3000,
    lambda rng: _laughs(rng.choice((3, 6, 9, 20))),
    lambda rng: _merges(rng.choice((3, 8, 25))),
    lambda _: "a: &a\n" + "".join(f"  k{number}: 1\n" for number in range(2000)) + "b: [" + "*a, " * 4000 + "]\n",
    lambda _: "x: '" + "y" * 2_000_000 + "'\n",
    lambda _: "".join(f"key{number}: {number}\n" for number in range(40_000)),
    lambda _: "seeds: [" + ", ".join(map(str, range(60_000))) + "]\nextends: smoke/res-gcn\n",
    lambda rng: "extends: smoke/res-gcn\nprobes: [" + ", ".join(["quick"] * rng.choice((2, 500))) + "]\n",
    lambda rng: "extends: smoke/res-gcn\nnormalizer: [" + ", ".join(["layer"] * rng.choice((2, 500))) + "]\n",
]
