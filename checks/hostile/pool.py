"""Attempts spread over processes: forked when all is imported, replaced when one dies or hangs for good."""

import multiprocessing
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, TimeoutError
from dataclasses import dataclass
from typing import Any

from pebble import ProcessExpired, ProcessPool
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

PATIENCE = 120.0  # seconds until a process is taken for stuck in code that no signal reaches
FAILED = "FAILED"


@dataclass(frozen=True)
class Verdict:
    """What became of one attempt. kind: what was tried; outcome: in a word, `FAILED` if a promise is broken.

    why: of a failure, all of it. alike: the same for failures that have most likely the same cause.
    """

    number: int
    kind: str
    outcome: str
    why: str = ""
    alike: str = ""


def over(
    attempt: Callable[[int], Verdict],
    numbers: Sequence[int],
    *,
    workers: int,
    begin: Callable[..., None],
    given: Sequence[Any] = (),
    title: str = "",
) -> Iterator[Verdict]:
    """The verdicts of attempts by number, in order. begin(*given) is called once in each process, before the first."""
    context = multiprocessing.get_context("fork")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        ProcessPool(max_workers=workers, initializer=begin, initargs=list(given), context=context) as pool,
        Progress(*columns, console=Console(stderr=True), transient=True) as progress,
    ):
        bar = progress.add_task(title, total=len(numbers))
        futures = [(number, pool.schedule(attempt, args=[number], timeout=PATIENCE)) for number in numbers]
        for number, future in futures:
            yield _verdict(number, future)
            progress.advance(bar)


def _verdict(number: int, future: "Future[Verdict]") -> Verdict:
    try:
        return future.result()
    except TimeoutError:
        return Verdict(number, "?", FAILED, f"its process did not answer for {PATIENCE:g} s")
    except ProcessExpired as error:
        return Verdict(number, "?", FAILED, f"its process died: exit code {error.exitcode}")
    except Exception as error:  # of the check itself: the others go on
        return Verdict(number, "?", FAILED, "".join(traceback.format_exception(error))[-3000:], "the check itself")


def report(verdicts: Sequence[Verdict], again: str, limit: int = 20) -> int:
    """Print a table of what was tried and what came of it, and the failures; the exit code.

    again: the command that repeats one attempt, less its number.
    """
    outcomes = [*sorted({verdict.outcome for verdict in verdicts} - {FAILED}), FAILED]
    counts = Counter((verdict.kind, verdict.outcome) for verdict in verdicts)
    kinds = sorted({verdict.kind for verdict in verdicts})
    table = Table("tried", "count", *outcomes)
    for kind in kinds:
        row = [counts[kind, outcome] for outcome in outcomes]
        table.add_row(escape(kind), str(sum(row)), *map(str, row))
    totals = [sum(counts[kind, outcome] for kind in kinds) for outcome in outcomes]
    table.add_section()
    table.add_row("all", str(len(verdicts)), *map(str, totals))
    console = Console(width=120)
    console.print(table)
    causes: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.outcome == FAILED:
            causes.setdefault(verdict.alike or verdict.why, []).append(verdict)
    for members in list(causes.values())[:limit]:
        first = members[0]
        others = f" ({len(members) - 1} more alike)" if len(members) > 1 else ""
        console.print(f"\n{first.kind}, {again} {first.number}{others}\n{first.why}", markup=False, highlight=False)
    if len(causes) > limit:
        console.print(f"… and failures of {len(causes) - limit} more kinds")
    return 1 if causes else 0
