"""Numbers as text in a table: a fixed number of decimals, a real minus sign, a dash for None."""

from collections.abc import Iterable, Sequence

NONE = "–"
MINUS = "\N{MINUS SIGN}"
DIGITS = 3


def score(value: float | None, digits: int = DIGITS) -> str:
    """Return `0.823`."""
    return NONE if value is None else f"{value:.{digits}f}".replace("-", MINUS)


def signed(value: float | None, digits: int = DIGITS) -> str:
    """Return `+0.012`, `−0.012`."""
    return NONE if value is None else f"{value:+.{digits}f}".replace("-", MINUS)


def spread(mean: float | None, sd: float | None, digits: int = DIGITS) -> str:
    """Return `0.823 ± 0.007`, or the mean alone where there is no spread."""
    return score(mean, digits) if sd is None else f"{score(mean, digits)} ± {score(sd, digits)}"


def interval(low: float | None, high: float | None) -> str:
    """Return `[0.810, 0.836]`."""
    return NONE if low is None or high is None else f"[{score(low)}, {score(high)}]"


def signed_interval(low: float | None, high: float | None, digits: int = DIGITS) -> str:
    """Return `[−0.001, +0.025]`."""
    return NONE if low is None or high is None else f"[{signed(low, digits)}, {signed(high, digits)}]"


def p_value(p: float | None) -> str:
    """Return `0.012`, or `<0.001`."""
    return NONE if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def numbers(values: Iterable[int]) -> str:
    """Return `0–9`, or `0, 3, 7–9`."""
    runs: list[list[int]] = []
    for value in sorted(set(values)):
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)


def several(words: Sequence[str]) -> str:
    """Return `a`, `a and b`, or `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def count(number: int, noun: str) -> str:
    """Return `1 run`, `3 runs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def is_number(label: str) -> bool:
    """Return whether a label is a number, to be aligned right or drawn along an axis."""
    try:
        float(label)
    except ValueError:
        return False
    return True
