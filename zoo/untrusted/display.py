"""Text of unknown origin as an object of rich: no markup, no emoji by name, no control characters."""

from rich.text import Text

from zoo.untrusted.text import escape_controls


def plain(text: object, style: str = "", *, keep: str = "") -> Text:
    r"""The text as it is, to be put into a table or printed. keep: control characters that are let pass, "\n"."""
    return Text(escape_controls(text, keep), style=style)
