"""A folder in which nothing may change but what is allowed to."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

Listing = dict[str, tuple[int, int, int]]


class Sandbox:
    """The working directory, home, cache and temporary folder of attempts, with a look at what they left there.

    `files` is for the input of an attempt and `runs` for what it may write; all else has to stay as it is.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files, self.runs = root / "files", root / "runs"
        self.around = {name: root / name for name in ("work", "home", "tmp", "cache")}
        for folder in (self.files, self.runs, *self.around.values()):
            folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Work in it: current directory, HOME, TMPDIR, the zoo's cache; the network is switched off."""
        names = {
            "HOME": "home",
            "TMPDIR": "tmp",
            "XDG_CACHE_HOME": "cache",
            "ZOO_CACHE": "cache",
            "MPLCONFIGDIR": "cache",
            "TORCHINDUCTOR_CACHE_DIR": "cache",  # made by torch when it is first asked for an optimizer
        }
        changed = {name: str(self.around[folder]) for name, folder in names.items()} | {"ZOO_OFFLINE": "1"}
        before = Path.cwd()
        with mock.patch.dict(os.environ, changed), mock.patch.object(tempfile, "tempdir", None):
            os.chdir(self.around["work"])
            try:
                yield
            finally:
                os.chdir(before)

    def listing(self) -> Listing:
        """Every file outside `files` and `runs`, but for the cache's, with what changes when it is written to."""
        watched = [self.root, *(self.around[name] for name in ("work", "home", "tmp"))]
        found: Listing = {}
        for folder in watched:
            for entry in os.scandir(folder):
                about = entry.stat(follow_symlinks=False)
                size, changed = (0, 0) if entry.is_dir(follow_symlinks=False) else (about.st_size, about.st_mtime_ns)
                found[os.path.relpath(entry.path, self.root)] = (about.st_ino, size, changed)
        return found

    def reset(self) -> None:
        """Begin anew after something strayed."""
        shutil.rmtree(self.root, ignore_errors=True)
        for folder in (self.files, self.runs, *self.around.values()):
            folder.mkdir(parents=True, exist_ok=True)

    def clear(self) -> None:
        """Empty `files` and `runs`."""
        for folder in (self.files, self.runs):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)


def changes(before: Listing, after: Listing) -> list[str]:
    """What appeared, vanished or was written to, in words."""
    return [
        f"{name} {'appeared' if name not in before else 'vanished' if name not in after else 'was written to'}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def digests(root: Path) -> dict[str, str]:
    """The sha256 of every file below a folder, and where links point to, by relative path."""
    found = {}
    for place, folders, files in os.walk(root):
        for name in (*files, *folders):
            path = Path(place, name)
            key = path.relative_to(root).as_posix()
            if path.is_symlink():
                found[key] = f"link to {path.readlink()}"
            elif path.is_file():
                found[key] = hashlib.sha256(path.read_bytes()).hexdigest()
            elif path.is_dir():
                found[f"{key}/"] = "folder"
    return found
