"""Writing a picture: whole or not at all, and the same bytes for the same picture."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from zoo.errors import RunError

# What a format would say about when and by which version it was drawn, and is told not to.
_SILENT = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
FORMATS = tuple(_SILENT)


def save(figure: Figure, stem: Path, formats: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Write `<stem>.<format>` for each format, over an older one; returns the files.

    Raises: RunError if the folder cannot be made or written to.
    """
    files = []
    for name in formats:
        file = stem.with_name(f"{stem.name}.{name}")
        draft = file.with_name(f"{file.name}.part")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                with rc_context({"svg.hashsalt": "zoo"}):  # names inside the file are random otherwise
                    figure.savefig(draft, format=name, metadata=_SILENT[name])
                draft.replace(file)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            reason = error.strerror or error
            raise RunError(
                f"picture {file} — cannot be written: {reason} — expected a folder to write to (--to DIR)"
            ) from error
        files.append(file)
    return files
