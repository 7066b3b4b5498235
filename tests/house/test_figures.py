"""Figures in documents are those of recipes' headers and of studies' records."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from zoo.recipe import recipe_files
from zoo.recipe.load import load
from zoo.recipe.recipe import Figure, Measured
from zoo.studies.formatting import numbers, spread
from zoo.studies.render import render
from zoo.studies.results import read_results, tables_of
from zoo.studies.study_file import read_study

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "docs" / "recipes.md"]
RESULTS = ROOT / "docs" / "results"
RECORDS = sorted((RESULTS / "records").glob("*.json"))  # zoo study table NAME --quick --format json
HEADERS = {name: found for name in recipe_files.names() if (found := load(name).measured)}
# Columns of tables with a row for each recipe, by what stands in their heads.
FIGURE, SEEDS, WITHOUT = ("test accuracy", "test"), ("seeds",), ("same without normaliser", "without the normaliser")


def tables(document: Path) -> Iterator[tuple[list[str], list[str]]]:
    """Every row of every table of a document: its heads and its cells."""
    heads: list[str] | None = None
    for line in document.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else None
        if cells is None or heads is None:
            heads = cells
        elif not set("".join(cells)) <= set("-: "):
            yield heads, cells


def column(heads: list[str], cells: list[str], names: tuple[str, ...]) -> str | None:
    return next((cell for head, cell in zip(heads, cells, strict=True) if head in names), None)


def figure(found: Figure) -> str:
    return spread(found.test, found.sd)


def without(name: str) -> Figure | None:
    """The figure without the normaliser, in the header or in that of the recipe that leaves it out."""
    return HEADERS[name].without or HEADERS.get(f"{name}-without")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_tables_of_recipes_have_the_figures_of_their_headers(document):
    """Figure, seeds, and the same without the normaliser; of several recipes in a row each in turn."""
    seen = set()
    for heads, cells in tables(document):
        names = re.findall(r"`([\w-]+)`", cells[0])
        found = column(heads, cells, FIGURE)
        if not names or found is None or not all(name in recipe_files.names() for name in names):
            continue
        seen |= set(names)
        figures, *left_out = re.split(r" \(without: |\)$", found)
        assert figures == ", ".join(figure(HEADERS[name]) for name in names), cells
        if left_out:
            assert left_out[0] == ", ".join(figure(HEADERS[f"{name}-without"]) for name in names), cells
        assert column(heads, cells, SEEDS) in {None, *(numbers_of(HEADERS[name]) for name in names)}, cells
        if (other := column(heads, cells, WITHOUT)) is not None:
            own = without(names[0])
            assert other == (figure(own) if own else ""), cells
    assert seen


def numbers_of(found: Measured) -> str:
    """Seeds as tables have them; `0–1` where there are two."""
    first, last = min(found.seeds), max(found.seeds)
    return f"{first}–{last}" if len(found.seeds) == 2 == last - first + 1 else numbers(found.seeds)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_commands_in_tables_have_the_figures_of_their_headers(document):
    """A row with `zoo train NAME`, nothing changed, has the figure of the header of that recipe."""
    for heads, cells in tables(document):
        found = re.fullmatch(r"`zoo train ([\w-]+)`", column(heads, cells, ("command",)) or "")
        if found:
            assert column(heads, cells, FIGURE) == figure(HEADERS[found[1]]), cells


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_figures_in_sentences_are_those_of_headers(document):
    """As in "solubility (`ogbg-molesol-gin`) an RMSE of 1.127 ± 0.003", or "`name`: ROC-AUC 0.990 ± 0.003"."""
    text = " ".join(document.read_text(encoding="utf-8").split())
    shown = re.findall(r"`([\w-]+)`\)? (?:reaches )?an? [\w-]+ of (\d\.\d{3}(?: ± \d\.\d{3})?)", text)
    shown += re.findall(r"`([\w-]+)`: [\w-]+ (\d\.\d{3}(?: ± \d\.\d{3})?)", text)
    for name, said in shown:
        assert said == figure(HEADERS[name]), name


@pytest.mark.parametrize("record", RECORDS, ids=lambda file: file.stem)
def test_tables_of_studies_are_made_from_their_records(record):
    """Each table of a study stands in its page as the record gives it, with title and notes, to the letter."""
    command = shlex.split(json.loads(record.read_text(encoding="utf-8"))["command"])
    study = read_study(command[3], quick="--quick" in command)
    page = (RESULTS / f"{command[3]}.md").read_text(encoding="utf-8")
    made = [render(table, "markdown").strip() for table in tables_of(read_results(record), study.report)]
    for text in made:
        assert text in page, f"{command[3]}.md lacks, of '{' '.join(command)} --format markdown':\n{text}"
    titles = {text.splitlines()[0] for text in made}
    shown = [line for line in page.splitlines() if line in titles]
    assert len(shown) == len(made), "a table of that title in the page is not the record's"


def test_one_run_has_no_spread():
    """No header of one run has a standard deviation, and every other one has."""
    for name, header in HEADERS.items():
        runs = len(header.seeds) * len(header.splits or (0,))
        assert (header.sd is None) == (runs == 1), name
