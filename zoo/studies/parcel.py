"""A run folder as bytes, for machines that share no file system."""

import shutil
import zipfile
import zlib
from io import BytesIO
from pathlib import Path

from zoo.errors import RunError
from zoo.identity import recorded_data
from zoo.runs import folder
from zoo.runs.run_lock import claim
from zoo.untrusted import check_members

_MEMBERS = 10_000  # files of one run: records, plug-ins, pictures


def pack(path: Path) -> bytes:
    """All files of a run folder."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path.rglob("*")):
            archive.write(file, file.relative_to(path))
    return stream.getvalue()


def unpack(parcel: bytes, path: Path) -> None:
    """Make the run folder that was packed, all of it at once: nobody sees half of it.

    A finished run of the same data that is there already is left as it is; anything else is moved aside.
    Raises: RunBusy while another process trains that run; RunError if the folder cannot be made.
    """
    with claim(path):
        draft = path.with_name(f".{path.name}.arriving")
        try:
            if draft.exists():  # left by a process that died here
                shutil.rmtree(draft)
            draft.mkdir()
            with zipfile.ZipFile(BytesIO(parcel)) as archive:
                check_members(archive.infolist(), most=_MEMBERS)
                archive.extractall(draft)
            if folder.is_finished(path) and recorded_data(path).get("digest") == recorded_data(draft).get("digest"):
                shutil.rmtree(draft)
                return
            folder.move_aside(path)
            draft.rename(path)
        except (ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise RunError(
                f"run folder {path} — what came for it cannot be unpacked: {error} — train it again"
            ) from error
        except OSError as error:
            raise RunError(
                f"run folder {path} — cannot be made: {error.strerror} — expected a folder to write to (--runs DIR)"
            ) from error
