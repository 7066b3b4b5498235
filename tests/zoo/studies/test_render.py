"""Tables in four formats, read back by other programs where there are some."""

import csv
import io
import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt
from rich.console import Console
from rich.text import Text

from zoo.errors import RunError
from zoo.studies.render import FORMATS, render
from zoo.studies.table import Table, grid_table, long_table
from zoo.untrusted import escape_controls

PLAIN = Table(
    title="test [accuracy]",
    head=("norm|x", "test", "p"),
    rows=(("a_b & 50%", "0.823 ± 0.007", "<0.001"), ("[bold]*c*", "−0.001", "–")),
    align=("left", "right", "right"),
    notes=("Δ is a difference.", "50 % of {all}"),
)


def printed(drawn) -> str:
    """What a wide console shows, and with colours what it emphasises."""
    console = Console(width=160, force_terminal=False)
    with console.capture() as capture:
        console.print(drawn)
    return capture.get()


def cells_of(markdown: str) -> list[list[str]]:
    """The entries of a GitHub table by its rule: split at bars that no backslash masks, then unmasked."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [
        [re.sub(r"\\(.)", r"\1", part.strip()) for part in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in lines
        if not re.fullmatch(r"[|\-: ]+", line)
    ]


def test_rich_shows_names_as_they_are():
    """Square brackets are no markup, in title, heads, entries and notes."""
    drawn = render(PLAIN, "rich")
    shown = printed(drawn)
    for text in ("test [accuracy]", "norm|x", "[bold]*c*", "0.823 ± 0.007", "Δ is a difference."):
        assert text in shown
    assert next(iter(drawn.columns[1].cells)) == Text("0.823 ± 0.007")
    assert [column.justify for column in drawn.columns] == ["left", "right", "right"]
    assert list(drawn.columns[0].cells)[1] == Text("[bold]*c*")


def test_markdown_reads_back():
    """The same entries after GitHub's rules, columns of one width, alignment in the rule, notes as a list."""
    text = render(PLAIN, "markdown")
    assert cells_of(text) == [
        ["norm|x", "test", "p"],
        ["a_b & 50%", "0.823 ± 0.007", "<0.001"],
        ["[bold]*c*", "−0.001", "–"],
    ]
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(line) for line in table}) == 1
    assert re.fullmatch(r"\| -+ \| -+: \| -+: \|", table[1])
    assert text.startswith("**test [accuracy]**\n\n|")
    assert text.endswith("\n\n- Δ is a difference.\n- 50 % of {all}\n")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("c=0.5", "c=0.5"),
        ("res_gcn", "res_gcn"),
        ("_base/x_", r"\_base/x\_"),
        ("a*b|c`d~e\\", r"a\*b\|c\`d\~e\\"),
        ("<b>, <0.001", r"\<b>, <0.001"),
        ("[a](b) [0.1, 0.2]", r"\[a](b) [0.1, 0.2]"),
        ("two\nlines", "two lines"),
    ],
)
def test_markdown_masks_what_would_be_markup(text, masked):
    """And nothing else, so that the text stays readable."""
    assert render(Table("", ("h",), ((text,),), ("left",)), "markdown").splitlines()[2] == f"| {masked:<3} |"


def test_csv_has_the_numbers_and_not_their_text(cell):
    """Every figure reads back to the same float; None is empty; text with commas is quoted."""
    tests = [0.1 + 0.2, 1 / 3, None]
    table = long_table([cell(tests, norm="a, b"), cell([0.5], norm='"q"')], values=True)
    rows = list(csv.DictReader(io.StringIO(render(table, "csv"))))
    assert [row["norm"] for row in rows] == ["a, b", '"q"']
    assert [rows[0][f"test.run {seed}"] for seed in range(3)] == [repr(0.1 + 0.2), repr(1 / 3), ""]
    assert float(rows[0]["test.mean"]) == (tests[0] + tests[1]) / 2
    assert rows[0]["ground.split"] == "random, train 0.6"
    assert (rows[1]["test.sd"], rows[1]["test.low"]) == ("", "")
    assert render(table, "csv").count("\r") == 0


def test_csv_of_a_grid_is_one_row_a_cell(cell):
    """However the text is laid out."""
    table = grid_table([cell(a=a, b=b) for a in "xy" for b in "12"], ["a"], ["b"])
    rows = list(csv.DictReader(io.StringIO(render(table, "csv"))))
    assert [(row["a"], row["b"]) for row in rows] == [("x", "1"), ("x", "2"), ("y", "1"), ("y", "2")]


def test_csv_of_a_table_of_text_alone():
    """A table without numbers behind it gives its text."""
    assert render(PLAIN, "csv").splitlines()[:2] == ["norm|x,test,p", "a_b & 50%,0.823 ± 0.007,<0.001"]


def test_latex_is_written_out():
    """Rules of booktabs, formulas for figures, LaTeX's own characters masked."""
    assert render(PLAIN, "latex").splitlines() == [
        r"\begin{table}",
        r"\centering",
        r"\caption{test {[}accuracy]}",
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r"norm\textbar{}x & test & p \\",
        r"\midrule",
        r"a\_b \& 50\% & $0.823 \pm 0.007$ & $<0.001$ \\",
        r"{[}bold]{*}c{*} & $-0.001$ & -- \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\smallskip\footnotesize",
        r"$\Delta$ is a difference.\par",
        r"50 \% of \{all\}\par",
        r"\end{table}",
    ]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("64", "$64$"),
        ("frobenius c=0.5", "frobenius c=0.5"),
        ("0.823 ± 0.007 (2 of 3)", r"$0.823 \pm 0.007$ (2 of 3)"),
        ("+0.012 [−0.001, +0.025]", "$+0.012$ $[-0.001, +0.025]$"),
        ("0: 0.823, 1: – (non-finite)", "0: 0.823, 1: -- (non-finite)"),
        (r"\x^~#$", r"\textbackslash{}x\textasciicircum{}\textasciitilde{}\#\$"),
        ("μ(G) → 0", r"$\mu$(G) $\rightarrow$ 0"),
    ],
)
def test_latex_of_single_entries(text, written):
    """Figures are formulas, names are text."""
    line = render(Table("", ("h",), ((text,),), ("left",)), "latex").splitlines()[6]
    assert line == rf"{written} \\"


def test_formats():
    """Those that are known, and the error that lists them."""
    assert FORMATS == ("rich", "markdown", "csv", "latex")
    with pytest.raises(RunError, match="no format 'html' — expected one of: rich, markdown, csv, latex"):
        render(PLAIN, "html")  # pyright: ignore


def test_tables_without_rows_title_or_notes():
    """Nothing to show is no error in any format."""
    for to in FORMATS:
        render(Table("", (), (), ()), to)
        assert render(long_table([]), to)


HOSTILE = [
    "<script>alert(1)</script>",
    "[red]x[/red]",
    "$x$",
    "a|b",
    "_%&#{}~^",
    "\x1b[31mred\x1b[0m",
    "![i](http://x/y.png)",
    "[l](http://x)",
    "[l][r]",
    "[^1]",
    "&lt;b&gt;",
    "a\nb\r\n\n# c",
    "# heading",
    "- [ ] item",
    "1. item",
    "> quote",
    "    code",
    "---",
    "`` ` ``",
    "<http://x>",
    "\\input{/etc/passwd}",
    "\\\\ [1cm]",
    "*bold*",
    "^^41",
    "=cmd",
    "\u202egnp.exe",
    ":warning:",
]
TABLE = Table(
    title=HOSTILE[0],
    head=("recipe", "test"),
    rows=tuple((text, "0.823 ± 0.007") for text in HOSTILE),
    align=("left", "right"),
    notes=tuple(HOSTILE),
)
ALL_AS = pytest.mark.parametrize("form", FORMATS)


class Tags(HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        """Note the tag."""
        self.tags.add(tag)

    def handle_data(self, data):
        """Note the text."""
        self.text.append(data)


@ALL_AS
def test_no_control_character_comes_out(form):
    """Neither escapes nor turns of direction reach a terminal or a page; lines are the table's own."""
    made = render(TABLE, form)
    text = made if isinstance(made, str) else printed(made)
    assert not set(text) & set("\x1b\x07\r\u202e")
    assert "\\x1b[31mred" in text or "x1b" in text


def test_markdown_is_inert():
    """What GitHub would make of it has the table's own tags alone, a row for each entry, and the texts as written."""
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(render(TABLE, "markdown"))
    assert Tags(page).tags == {"p", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    assert page.count("<tr>") == 1 + len(HOSTILE)
    assert page.count("<td") == 2 * len(HOSTILE)
    assert page.count("<li>") == len(HOSTILE)
    shown = "".join(Tags(page).text)
    for text in HOSTILE:
        assert shown.count(escape_controls(" ".join(text.splitlines())).strip()) >= 2, text


def test_a_formula_is_none_in_markdown():
    """A dollar is masked, as GitHub sets formulas."""
    assert "\\$x\\$" in render(TABLE, "markdown")


def test_latex_is_inert():
    """Every sign that means something stands behind a backslash or in braces, but for those of the table itself."""
    for text in HOSTILE:
        line = render(Table("", ("h",), ((text,),), ("left",)), "latex").splitlines()[6]
        left = re.sub(
            r"(?<!\\)\$[^$]*(?<!\\)\$", "", line.removesuffix(r" \\")
        )  # figures and signs that the table sets as formulas
        left = re.sub(r"\\(?:text\w+|ldots)\{\}", "", left)
        left = re.sub(r"\\[&%$#_{}]", "", left)
        left = left.replace("{[}", "").replace("{*}", "")
        assert not set(left) & set("\\$&%#_{}~^[*\n"), (text, line)


def test_csv_reads_back():
    """As many rows and entries as there are, whatever stands in them."""
    rows = list(csv.reader(io.StringIO(render(TABLE, "csv"))))
    assert [len(row) for row in rows] == [2] * (1 + len(HOSTILE))
    assert [row[0] for row in rows[1:]] == list(map(escape_controls, HOSTILE))


def test_rich_is_inert():
    """No markup, no emoji by name, nothing folded away: every text is seen as it is written."""
    shown = printed(render(TABLE, "rich"))
    for text in HOSTILE:
        assert escape_controls(text) in shown
