"""What to say when a run's folder takes no more."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import RunError, ZooError
from zoo.system.os_errors import explained, os_error_of


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a system's error of writing into a run folder, also as other libraries tell it, into a RunError."""
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        cause = os_error_of(error)
        if cause is None:
            raise
        raise RunError(
            f"run folder {path} — cannot be written: {explained(cause, path)} — expected a folder that takes the run's "
            "records; what it has is whole — then 'zoo train … --resume' goes on from the state saved last"
        ) from error
