"""Numbers in sentences and tables: short, and readable whatever their size."""

import math


def readable(value: float, digits: int = 3) -> str:
    """A number with few digits, in powers of ten where it is large or small; `–` for one that is not a number."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0 or 1e-2 <= abs(value) < 1e4:
        return f"{float(f'{value:.{digits}g}'):g}"
    return f"{value:.1e}"


def growth(rate: float) -> str:
    """e^rate, readable; a rate beyond the range of numbers is a power of ten all the same."""
    if not math.isfinite(rate):
        return readable(rate if rate > 0 or math.isnan(rate) else 0.0)
    exponent = rate / math.log(10)
    return readable(math.exp(rate), 4) if abs(exponent) < 300 else f"1e{exponent:+.0f}"
