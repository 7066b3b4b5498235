"""Text of unknown origin made harmless where it is shown."""

import re

# Controls of C0 and C1, DEL, halves of surrogate pairs, line and paragraph separators, and what turns the direction of
# writing around, so that a text reads otherwise than it is stored.
_KEPT = "\n\t"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def escape_controls(text: object, keep: str = "") -> str:
    r"""The text with every control character written out (`\x1b`), so that a terminal or a page shows it only.

    keep: those that stay as they are, such as "\n".
    """
    return _CONTROL.sub(lambda found: found[0] if found[0] in keep else _written_out(found[0]), str(text))


def first_control(text: str) -> str | None:
    r"""The first control character in a text, written out; line ends and tabs are let pass. None if there is none."""
    return next((_written_out(found[0]) for found in _CONTROL.finditer(text) if found[0] not in _KEPT), None)


def _written_out(sign: str) -> str:
    return f"\\x{ord(sign):02x}" if ord(sign) < 0x100 else f"\\u{ord(sign):04x}"
