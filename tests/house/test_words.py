"""Names and docstrings are the standard ones, and said once."""

import ast
import re
from collections import Counter

from source import SOURCES, Source

# A module may share its name with another of these kinds.
FREE = re.compile(r"base|__init__|__main__")
RIDDLES = ("What", "Who", "Whose", "Where", "How", "Whether", "When", "Why", "Which")
# Words of this project's own for things that have a name; `def thinned` is the name of before, which plug-ins may call.
PRIVATE_WORDS = re.compile(
    r"\b(said|(?<!def )thinned|numbered through|by and by|had back|goes? on (?:from|with|where)|all alike)\b"
    r"|hello: right"
)


def docstrings(source: Source) -> list[tuple[int, str]]:
    """The docstrings of a file, each with its line."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(source.tree) if isinstance(node, kinds)]
    return [(node.body[0].lineno, text) for node in nodes if (text := ast.get_docstring(node))]


def test_every_module_has_a_name_of_its_own():
    """A tab of an editor, or a line of a trace, says which file it is; a verb's file in zoo/cli has the verb's."""
    names = [
        (source.file.stem, source.place)
        for source in SOURCES
        if not FREE.fullmatch(source.file.stem) and not source.place.startswith("zoo/cli/")
    ]
    counts = Counter(name for name, _ in names)
    assert [place for name, place in names if counts[name] > 1] == []


def test_docstrings_begin_with_a_noun_or_a_verb():
    """No summary is a riddle that begins with What, Who, Where, How or Whether."""
    offenders = [
        f"{source.place}:{line}: {text.splitlines()[0]}"
        for source in SOURCES
        for line, text in docstrings(source)
        if text.split()[0].strip(",;:") in RIDDLES
    ]
    assert offenders == []


def test_words_are_those_of_the_field():
    """No private word is left in the code for what PyTorch, DGL or statistics have a word for."""
    offenders = [
        f"{source.place}:{number}: {line.strip()}"
        for source in SOURCES
        for number, line in enumerate(source.text.splitlines(), 1)
        if PRIVATE_WORDS.search(line)
    ]
    assert offenders == []
