"""Tables in text formats: for a terminal, Markdown, CSV and LaTeX."""

import csv
import io
import re
from typing import Literal, overload

import rich.table
from rich.cells import cell_len

from zoo.errors import RunError
from zoo.studies.formatting import MINUS
from zoo.studies.table import Table
from zoo.untrusted import escape_controls, plain_text

FORMATS = ("rich", "markdown", "csv", "latex")


@overload
def render(table: Table, to: Literal["rich"]) -> rich.table.Table: ...
@overload
def render(table: Table, to: Literal["markdown", "csv", "latex"]) -> str: ...
@overload
def render(table: Table, to: str) -> str | rich.table.Table: ...
def render(table: Table, to: str) -> str | rich.table.Table:
    r"""Return the table in a format.

    rich: to be printed by a rich console. markdown: a GitHub table, padded, with the notes below. csv: the numbers
    behind the table at full precision, those of every run included; the text if there are none. latex: a floating
    table with booktabs' rules (needs `\usepackage{booktabs}`), the notes below it.
    Raises: RunError for another format.
    """
    if to not in FORMATS:
        raise RunError(f"table — no format {to!r} — expected one of: {', '.join(FORMATS)}")
    return {"rich": _rich, "markdown": _markdown, "csv": _csv, "latex": _latex}[to](table)


def _rich(table: Table) -> rich.table.Table:
    drawn = rich.table.Table(title_justify="left", caption_justify="left")
    if table.title:
        drawn.title = plain_text(table.title, "table.title")
    if table.notes:
        drawn.caption = plain_text("\n".join(map(escape_controls, table.notes)), "table.caption", keep="\n")
    for head, side in zip(table.head, table.align, strict=True):
        drawn.add_column(plain_text(head), justify=side, overflow="fold")
    for row in table.rows:
        drawn.add_row(*map(plain_text, row))
    return drawn


def _markdown(table: Table) -> str:
    rows = [[_for_markdown(text) for text in row] for row in (table.head, *table.rows)]
    widths = [max(3, *map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = [
        [
            " " * (width - cell_len(text)) + text if side == "right" else text + " " * (width - cell_len(text))
            for text, width, side in zip(row, widths, table.align, strict=True)
        ]
        for row in rows
    ]
    rule = [
        "-" * (width - 1) + (":" if side == "right" else "-") for width, side in zip(widths, table.align, strict=True)
    ]
    parts = [f"**{_for_markdown(table.title)}**"] if table.title else []
    parts.append("\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:])))
    parts += ["\n".join(f"- {_for_item(note)}" for note in table.notes)] if table.notes else []
    return "\n\n".join(parts) + "\n"


def _csv(table: Table) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    rows = [table.records[0], *(row.values() for row in table.records)] if table.records else [table.head, *table.rows]
    writer.writerows([escape_controls(entry) if isinstance(entry, str) else entry for entry in row] for row in rows)
    return stream.getvalue()


def _latex(table: Table) -> str:
    columns = "".join("r" if side == "right" else "l" for side in table.align)
    head, *rows = (rf"{' & '.join(map(_for_latex, row))} \\" for row in (table.head, *table.rows))
    lines = [
        r"\begin{table}",
        r"\centering",
        *([rf"\caption{{{_for_latex(table.title)}}}"] if table.title else []),
        *(rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"),
        *([r"\par\smallskip\footnotesize"] if table.notes else []),
        *(rf"{_for_latex(note)}\par" for note in table.notes),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


# Markup of Markdown: an underscore within a word is safe, and so is a < before a number. GitHub sets what is between
# dollars as a formula.
_MARKUP = re.compile(r"[\\|*`~$]|(?<!\w)_|_(?!\w)|<(?=[A-Za-z/!?])|\[(?=[^\]]*\][(\[:])|\[(?=\^)|&(?=#?\w+;)")
# The beginning of a heading, a list, a quotation, code or a rule, at the start of a paragraph.
_BEGINNING = re.compile(r"\s*(?:[#>+=-]|\d+(?=[.)]))")


def _for_markdown(text: str) -> str:
    return _MARKUP.sub(lambda found: "\\" + found[0], escape_controls(" ".join(text.splitlines())))


def _for_item(text: str) -> str:
    """Mask the text of a list item, at whose beginning some signs have a meaning that they have nowhere else."""
    masked = _for_markdown(text).strip()
    if found := _BEGINNING.match(masked):
        place = found.end() - (0 if found[0][-1].isdigit() else 1)
        return f"{masked[:place]}\\{masked[place:]}"
    return masked.replace("[", "\\[", 1) if masked.startswith("[") else masked


_PLAIN = re.compile(r"\d+(?:\.\d+)?")
_SIGNED = rf"[+{MINUS}<]{_PLAIN.pattern}"
_NUMBER = rf"[+{MINUS}]?{_PLAIN.pattern}"
_MATH = re.compile(rf"(?<![\w.])(?:{_NUMBER} ± {_NUMBER}|{_SIGNED})|\[{_NUMBER}, {_NUMBER}\]")
_SYMBOLS = {
    "\\": r"\textbackslash{}",
    "[": "{[}",  # a row that begins with one would be taken for the option of \\\\
    "*": "{*}",  # and this for its other form
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "–": "--",
    "…": r"\ldots{}",
    MINUS: r"$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "→": r"$\rightarrow$",
    "·": r"$\cdot$",
    "Δ": r"$\Delta$",
    "μ": r"$\mu$",
    "σ": r"$\sigma$",
    "λ": r"$\lambda$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "ρ": r"$\rho$",
}


def _for_latex(text: str) -> str:
    r"""Mask LaTeX's own characters, and set numbers as formulas: `$0.823 \pm 0.007$`."""
    if _PLAIN.fullmatch(text):
        return f"${text}$"
    parts: list[str] = []
    end = 0
    for found in _MATH.finditer(text):
        formula = found[0].replace("±", r"\pm").replace(MINUS, "-")
        parts += [_masked(text[end : found.start()]), f"${formula}$"]
        end = found.end()
    return "".join([*parts, _masked(text[end:])])


def _masked(text: str) -> str:
    return "".join(
        _SYMBOLS.get(sign, sign) for sign in escape_controls(" ".join(text.splitlines()) if "\n" in text else text)
    )
