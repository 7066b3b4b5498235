"""A value in an error message: enough of it to be recognised, however much of it there is."""

import reprlib
from typing import Any

_SHORT = reprlib.Repr()
_SHORT.maxlevel = 4
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxset = _SHORT.maxdict = 8
_SHORT.maxstring = _SHORT.maxother = 120
_SHORT.maxlong = 60


def shown(value: Any) -> str:
    """The value as Python writes it, with dots for what is left out of a long or a deep one."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return f"a {type(value).__name__} of very many digits"
