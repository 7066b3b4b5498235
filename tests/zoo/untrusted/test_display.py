"""Text as an object of rich."""

from rich.console import Console
from rich.table import Table

from zoo.untrusted.display import plain


def test_no_markup_no_emoji_no_control_characters():
    """A table shows brackets, names of emoji and escapes as they are written."""
    table = Table(title=plain(":warning: [link=http://x]y[/link]"))
    table.add_column(plain("[red]x[/red]"))
    table.add_row(plain("\x1b]0;title\x07 [/]"))
    console = Console(width=120, force_terminal=True, color_system="truecolor")
    with console.capture() as capture:
        console.print(table)
    shown = capture.get()
    for text in ("[red]x[/red]", ":warning:", "[link=http://x]y[/link]", "\\x1b]0;title\\x07 [/]"):
        assert text in shown
    assert "\x1b]" not in shown and "\x07" not in shown
