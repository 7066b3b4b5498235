"""Ctrl-C and SIGTERM while training: the step is finished and the state saved before the process goes."""

import signal
import threading
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn

TERMINATED = 128 + signal.SIGTERM  # the exit code, as a shell gives it
_ECHO = 5.0  # seconds in which a team may get one Ctrl-C twice: from the terminal, and from torchrun


class Interrupted(KeyboardInterrupt):
    """A Ctrl-C, raised when the state was saved. path: the run folder."""

    path: Path | None = None


class Terminated(SystemExit):
    """A SIGTERM, raised when the state was saved, or at once where nothing is trained; ends the process with 143."""

    path: Path | None = None

    def __init__(self, message: str = "SIGTERM") -> None:
        super().__init__(message)
        self.code = TERMINATED


def terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Leave by an exception, so that all that is open is closed: the commands' handler of SIGTERM."""
    raise Terminated


class Stop:
    """A handler of the first Ctrl-C or SIGTERM in a `with`, kept in `asked` until the training is ready for it.

    A second Ctrl-C raises KeyboardInterrupt at once; further SIGTERMs change nothing. Signals are handled in the main
    thread alone, and only where they have Python's own handler or `terminate`: a caller's own handler, or a signal that
    is ignored, stays so. At the end of the `with` all is as before, and a signal that was not answered is raised again.

    active: whether to handle any signal. echoes: whether a Ctrl-C that soon follows another is the same.
    """

    _OURS: tuple[Any, ...] = (signal.default_int_handler, signal.SIG_DFL, terminate)

    def __init__(self, *, active: bool = True, echoes: bool = False) -> None:
        self.asked: int | None = None
        self._active, self._echoes = active, echoes
        self._before: dict[int, Any] = {}
        self._handled = 0.0

    def __enter__(self) -> "Stop":
        if self._active and threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) in self._OURS:
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
        if error is None and self.asked is not None:
            signal.raise_signal(self.asked)

    def leave(self, message: str) -> NoReturn:
        """Raise what the signal asks for; message: what was saved. It may be a signal that another of a team got."""
        if self.asked == signal.SIGTERM:
            raise Terminated(message)
        raise Interrupted(message)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.asked is None:
            self.asked, self._handled = number, now
        elif number == signal.SIGINT and not (self._echoes and now - self._handled < _ECHO):
            raise KeyboardInterrupt
