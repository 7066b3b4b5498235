from compared.publish import PAGE, publish


def test_a_marked_place_is_filled(tmp_path):
    """Tables replace what stood in their place, a level lower, and leave the rest of the page alone."""
    page, out = tmp_path / "docs.md", tmp_path / "docs" / "quick"
    out.parent.mkdir()
    page.write_text("# Page\n\n<!-- table:quick -->\nold\n<!-- /table:quick -->\n\nafter\n")
    for figures in ("1", "2"):
        publish(out, f"Made.\n\n## Time\n\n{figures}\n", page)
    filled = "Made.\n\n### Time\n\n2"
    assert page.read_text() == f"# Page\n\n<!-- table:quick -->\n\n{filled}\n\n<!-- /table:quick -->\n\nafter\n"
    assert out.with_suffix(".md").read_text() == "Made.\n\n## Time\n\n2\n"


def test_other_figures_leave_the_page_alone(tmp_path):
    """Figures without a place, and those that are written elsewhere, do not reach the page."""
    page, elsewhere = tmp_path / "docs.md", tmp_path / "quick"
    text = "<!-- table:quick -->\n<!-- /table:quick -->\n"
    page.write_text(text)
    publish(elsewhere, "x", page)
    (tmp_path / "docs").mkdir()
    publish(tmp_path / "docs" / "points", "x", page)
    assert page.read_text() == text


def test_the_page_has_its_places():
    """docs/benchmarks.md has an open and closed place for each file of figures that it promises."""
    text = PAGE.read_text(encoding="utf-8")
    for name in ("claims", "memory", "floor", "shares"):
        assert text.count(f"<!-- table:{name} -->\n") == text.count(f"<!-- /table:{name} -->\n") == 1
