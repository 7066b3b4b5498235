"""Paths as people write them: `~` as a shell has it, and a file by the name that it was given."""

from pathlib import Path


def expanded(path: str | Path) -> Path:
    """The path with `~` and `~user` in place; of a user that there is not it stays, as in a shell."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def with_split_number(path: str | Path) -> Path:
    """The whole path of a file. Links above it are followed, and it keeps its own name and folder if it is one.

    Stores of large files, and of versions, keep a link under the name, to a file that is called by its digest.
    """
    file = expanded(path)
    return file.parent.resolve() / file.name
