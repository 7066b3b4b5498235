"""Figures as Markdown."""

from collections.abc import Iterable, Sequence

from compared.cases import CHECKPOINT, PEERS, STEPPED, ZOO
from compared.environment import words
from compared.points import SWEEPS, Point
from compared.ratios import exponent
from compared.records import Record, Records

_NOT = "–"
_ORDER = [ZOO, STEPPED, CHECKPOINT, *PEERS]


def document(records: Records, command: str) -> str:
    """All tables that there are figures for."""
    parts = [
        f"Made by `{command}`.",
        _section("Time of an epoch, validation included", times(records.of("times"))),
        _section("Memory that an epoch adds", memory(records.of("memory"))),
        _section("Growth", growth(records.of("times"), records.of("memory"))),
        _section("Left out", left_out([*records.of("times"), *records.of("memory")])),
        _where(records.found.values()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def times(records: Sequence[Record]) -> str:
    """For each point the zoo's time, and for each peer its time and the zoo's over it: median and quartiles."""
    names = _names(records, "seconds")
    if not names:
        return ""
    first, *others = names
    heads = [f"{first}", *(f"{name} | {first} / {name}" for name in others)]
    rows = []
    for record in _by_point(records):
        if "seconds" not in record:
            continue
        cells = [_ms(record, first)]
        for name in others:
            cells += [_ms(record, name), _ratio(record["ratio"].get(name))]
        rows.append([*_point(record), *cells, _apart(record)])
    return table(["data", "conv", "blocks", "width", *heads, "losses apart"], rows)


def memory(records: Sequence[Record]) -> str:
    """For each point what every contestant adds, and its share of what `dgl.nn` adds."""
    points: dict[Point, dict[str, Record]] = {}
    for record in records:
        points.setdefault(Point(**record["point"]), {})[record["name"]] = record
    names = sorted({record["name"] for record in records if "growth" in record}, key=_ORDER.index)
    rows = []
    for point, found in sorted(points.items()):
        base = found.get("dgl.nn", {}).get("growth")
        cells = [_mebibytes(found.get(name, {}), base) for name in names]
        if any(cell != _NOT for cell in cells):
            rows.append([point.data, point.conv, str(point.depth), str(point.width), *cells])
    return table(["data", "conv", "blocks", "width", *names], rows) if rows else ""


def growth(timed: Sequence[Record], weighed: Sequence[Record]) -> str:
    """The fitted exponents of time and memory along each sweep."""
    rows = []
    for sweep, points in SWEEPS.items():
        for name in _ORDER:
            seconds = {
                _size(record, sweep): record["fastest"][name]
                for record in timed
                if Point(**record["point"]) in points and name in record.get("fastest", {})
            }
            grown = {
                _size(record, sweep): float(record["growth"])
                for record in weighed
                if Point(**record["point"]) in points and record["name"] == name and record.get("growth", 0) > 0
            }
            if max(len(seconds), len(grown)) >= 3:
                spans = sorted({*seconds, *grown})
                span = f"{spans[0]:,.0f} – {spans[-1]:,.0f}"
                rows.append([sweep, span, name, _exponent(seconds), _exponent(grown)])
    return table(["grows", "from – to", "", "exponent of time", "exponent of memory"], rows) if rows else ""


def left_out(records: Sequence[Record]) -> str:
    """What was not measured, and why."""
    rows = []
    for record in _by_point(records):
        for name, why in record.get("left_out", {}).items():
            rows.append([*_point(record), record["kind"], name, why])
        if "failed" in record:
            rows.append([*_point(record), record["kind"], record.get("name", "all"), record["failed"]])
    return table(["data", "conv", "blocks", "width", "what", "who", "why"], rows) if rows else ""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    columns = sum(head.count("|") + 1 for head in heads)
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * columns, *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}" if text else ""


def _where(records: Iterable[Record]) -> str:
    found = dict.fromkeys(words(record["environment"]) for record in records if "environment" in record)
    return "\n".join(["Measured:", "", *(f"- {each}" for each in found)])


def _by_point(records: Sequence[Record]) -> list[Record]:
    return sorted(records, key=lambda record: Point(**record["point"]))


def _point(record: Record) -> list[str]:
    point = Point(**record["point"])
    return [point.data, point.conv, str(point.depth), str(point.width)]


def _names(records: Sequence[Record], key: str) -> list[str]:
    return sorted({name for record in records for name in record.get(key, {})}, key=_ORDER.index)


def _ms(record: Record, name: str) -> str:
    if name not in record["seconds"]:
        return _NOT
    milliseconds = record["seconds"][name][1] * 1e3
    return f"{milliseconds:.1f} ms" if milliseconds < 100 else f"{milliseconds:,.0f} ms"


def _ratio(quartiles: Sequence[float] | None) -> str:
    if quartiles is None:
        return _NOT
    low, middle, high = quartiles
    return f"**{middle:.2f}** ({low:.2f}–{high:.2f})"


def _apart(record: Record) -> str:
    return f"{max(record['losses_apart'].values(), default=0.0):.0e}" if record["losses_apart"] else _NOT


def _mebibytes(record: Record, base: float | None) -> str:
    if "growth" not in record:
        return _NOT
    grown = record["growth"]
    share = f", {grown / base:.2f} ×" if base and record["name"] != "dgl.nn" else ""
    return f"{grown / 2**20:,.0f} MiB{share}{'' if record['fresh'] else ' (absolute)'}"


def _size(record: Record, sweep: str) -> float:
    return float({"blocks": record["point"]["depth"], "width": record["point"]["width"]}.get(sweep) or record["nodes"])


def _exponent(values: dict[float, float]) -> str:
    return f"{exponent(values):.2f}" if len(values) >= 3 else _NOT
