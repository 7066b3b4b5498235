"""Where figures are shown: a Markdown file beside the JSON, and a marked place in docs/benchmarks.md."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "benchmarks"
PAGE = FOLDER.with_suffix(".md")


def publish(out: Path, text: str, page: Path = PAGE) -> None:
    """Write text to `out`.md; if that lies in the page's folder, also into the page's place of its name, if it has one.

    A place lies between the lines `<!-- table:NAME -->` and `<!-- /table:NAME -->`; headings go down a level there.
    """
    out.with_suffix(".md").write_text(text, encoding="utf-8")
    if out.resolve().parent != page.with_suffix("") or not page.exists():
        return
    begin, end = f"<!-- table:{out.stem} -->\n", f"<!-- /table:{out.stem} -->\n"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if found and closed:
        shown = text.replace("\n## ", "\n### ").strip()
        page.write_text(f"{before}{begin}\n{shown}\n\n{end}{after}", encoding="utf-8")
