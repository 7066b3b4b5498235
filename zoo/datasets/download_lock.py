"""One process at a time fills a folder of the cache; the others wait, say so, and then find it filled."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from zoo.system.disk import said_of
from zoo.system.lock import locked

PATIENCE = 0.5  # seconds until it is said that another process is waited for


@contextmanager
def in_turn(locks: Iterable[Path], what: str) -> Iterator[None]:
    """Hold these lock files, whose folders are made, for the life of the `with`; wait for who holds them.

    what: that is waited for, for the message on standard error.
    Raises: OSError, whose text says what to do, if a lock cannot be made there.
    """
    with ExitStack() as held:
        for file in sorted(set(locks)):  # in one order: two processes that need several never wait for each other
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                held.enter_context(locked(file, patience=PATIENCE, wait=partial(_say, what)))
            except OSError as error:
                raise OSError(error.errno, said_of(error, file.parent), str(file.parent)) from error
        yield


def _say(what: str, owner: str) -> None:
    print(f"{what}: another process brings it, and is waited for: {owner}", file=sys.stderr, flush=True)
