"""Where compiled loops are kept between processes, also between those that start at one time."""

import hashlib
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache
from numba.core.sigutils import normalize_signature

from zoo.system.lock import Held, locked

# How loops are compiled, and what they prefetch with: numba itself looks at a loop's own file alone.
_ENGINE = hashlib.sha256(Path(__file__).with_name("numba_compile.py").read_bytes()).hexdigest()
_PATIENCE = 10.0  # seconds; what another process does with the lock takes milliseconds


class SharedCache(FunctionCache):
    """numba's cache of one loop, in which one process at a time reads or writes.

    numba replaces files whole, but not the index together with the code: two processes that compile one loop for
    different types at one time may leave an index that names the code of the other, and that is then run on arrays of
    the wrong type. What cannot be read is compiled anew; what cannot be written is done without.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The machine code for these types, or None."""
        try:
            with self._turn():
                found = super().load_overload(sig, target_context)
        except Exception:  # a damaged file; what unpickling it raises may be anything
            return None
        wanted, _ = normalize_signature(sig)
        return found if found is None or tuple(found.signature.args) == tuple(wanted) else None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep machine code, if there is where to."""
        try:
            with self._turn():
                try:
                    super().save_overload(sig, data)
                except OSError:
                    raise
                except Exception:  # a damaged index
                    self.flush()
                    super().save_overload(sig, data)
        except (OSError, Held):  # no room, or not ours to write to
            return

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return *super()._index_key(sig, codegen), _ENGINE

    def _turn(self) -> ExitStack:
        """The folder's lock; without one where none can be made, as in a folder that can only be read."""
        turn = ExitStack()
        with suppress(OSError):
            turn.enter_context(locked(Path(self.cache_path) / ".zoo.lock", patience=_PATIENCE))
        return turn
