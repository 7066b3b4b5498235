"""Writing a picture: whole or not at all, and the same bytes for the same picture."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from zoo.disk import said_of
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
            draft.unlink(missing_ok=True)  # a link that somebody put there is not written through
            try:
                # names inside the file are random without the salt
                with rc_context({"svg.hashsalt": "zoo"}), draft.open("xb") as stream:
                    figure.savefig(stream, format=name, metadata=_SILENT[name])
                draft.replace(file)
            finally:
                with suppress(OSError):
                    draft.unlink()
        except OSError as error:
            raise RunError(
                f"picture {file} — cannot be written: {said_of(error, file)} — expected a folder to write to (--to DIR)"
            ) from error
        files.append(file)
    return files
