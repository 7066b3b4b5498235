"""Writing a picture: whole or not at all, and the same bytes for the same picture."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from zoo.errors import RunError
from zoo.recipe.values import as_list
from zoo.system.files import replacing
from zoo.system.os_errors import explained

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
    for name in as_list(formats):
        file = stem.with_name(f"{stem.name}.{name}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            # names inside the file are random without the salt
            with rc_context({"svg.hashsalt": "zoo"}), replacing(file) as stream:
                figure.savefig(stream, format=name, metadata=_SILENT[name])
        except OSError as error:
            raise RunError(
                f"picture {file} — cannot be written: {explained(error, file)} — expected a writable folder (--to DIR)"
            ) from error
        files.append(file)
    return files
