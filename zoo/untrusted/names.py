"""Names that become folders and files: they have to stay where they are put."""

import re

from zoo.untrusted.text import escape_controls, first_control

LONGEST = 200  # bytes; file systems end at 255, and endings are added
_SEPARATORS = re.compile(r"[/\\\x00]")


def check_name(name: str) -> None:
    """Refuse a name that cannot be a folder's, or would be one outside the folder that it is put into.

    name: parts with `/` between them, as `smoke/res-gcn`; each becomes a folder.
    Raises: ValueError, saying what is wrong and what is expected.
    """
    expected = "letters, digits, '-', '_' and '.', with '/' between parts at most"
    if sign := first_control(name.replace("\n", "\x00").replace("\t", "\x00")):
        raise ValueError(
            f"the name {escape_controls(name)!r} has the control character {sign} in it — expected {expected}"
        )
    for part in name.split("/"):
        if part in ("", ".", "..") or _SEPARATORS.search(part):
            raise ValueError(f"the name {name!r} would leave its folder — expected {expected}")
        if len(part.encode()) > LONGEST:
            raise ValueError(f"the name {name[:20]!r}… is too long — expected at most {LONGEST} bytes")


def as_file_name(text: object) -> str:
    """A text as the name of one file, whatever is in it: separators and control characters become `-`."""
    name = _SEPARATORS.sub("-", escape_controls(text)).lstrip(".")
    return name.encode()[:LONGEST].decode(errors="ignore") or "-"
