"""Numbers as they stand in a table: so many decimals for all, a real minus sign, a dash where there is none."""

from collections.abc import Iterable, Sequence

NONE = "–"
MINUS = "\N{MINUS SIGN}"
DIGITS = 3


def score(value: float | None, digits: int = DIGITS) -> str:
    """`0.823`."""
    return NONE if value is None else _minus(f"{value:.{digits}f}")


def spread(mean: float | None, sd: float | None, digits: int = DIGITS) -> str:
    """`0.823 ± 0.007`, or the mean alone where there is no spread."""
    return score(mean, digits) if sd is None else f"{score(mean, digits)} ± {score(sd, digits)}"


def interval(low: float | None, high: float | None, digits: int = DIGITS) -> str:
    """`[0.810, 0.836]`."""
    return NONE if low is None or high is None else f"[{score(low, digits)}, {score(high, digits)}]"


def signed(value: float | None, digits: int = DIGITS) -> str:
    """`+0.012`, `−0.012`."""
    return NONE if value is None else _minus(f"{value:+.{digits}f}")


def signed_interval(low: float | None, high: float | None, digits: int = DIGITS) -> str:
    """`[−0.001, +0.025]`."""
    return NONE if low is None or high is None else f"[{signed(low, digits)}, {signed(high, digits)}]"


def p_value(p: float | None) -> str:
    """`0.012`, or `<0.001`."""
    return NONE if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def percent(share: float) -> str:
    """`95 %`."""
    return f"{100 * share:.6g} %"


def numbers(values: Iterable[int]) -> str:
    """`0–9`, `0, 3, 7–9`."""
    runs: list[list[int]] = []
    for value in sorted(set(values)):
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ", ".join(_range(run) for run in runs)


def several(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 run`, `3 runs`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def is_number(label: str) -> bool:
    """Whether a label is a number, to be set right or drawn along an axis."""
    try:
        float(label)
    except ValueError:
        return False
    return True


def _range(run: Sequence[int]) -> str:
    return f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run))


def _minus(text: str) -> str:
    return text.replace("-", MINUS)
