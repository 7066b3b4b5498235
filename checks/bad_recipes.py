"""What the zoo says of bad recipes: a message that names the place, and never a trace, a hang or a stray file.

    python checks/bad_recipes.py [--count 10000] [--seed 0] [--workers 2] [--one NUMBER]

Shipped recipes and studies are spoiled, each by a number that gives the same again, and asked of `zoo validate`,
`show`, `train`, `copy` and `study`, in processes of their own with 5 s of the processor and 3 GiB of memory for each.
The zoo has to accept what turned out harmless, or to end with exit code 2 and a message that names what is wrong.
Anything else is a failure, printed with the number that repeats it; then the exit code is 1. A training that was
accepted and has not ended after its 5 s "trains on", which is no failure.
"""

import argparse
import os
import random
import re
import sys
import tempfile
from pathlib import Path

from hostile.guard import Ended, Hang, attempt, command, limit_memory, obeyed
from hostile.pool import FAILED, Verdict, over, report
from hostile.recipes import Bad, bad, prepare
from hostile.sandbox import Sandbox, changes

ROOM = 3 << 30  # bytes of memory beside what the libraries take
LONGEST = 40_000  # characters of a message that somebody may still read
TOO_LONG = "trains on"
Judged = tuple[str, str, str]  # outcome, why it is a failure, and what failures of the same cause have in common
_world: "list[tuple[Sandbox, int]]" = []


def begin(root: str, seed: int) -> None:
    """Give this process its sandbox and limits."""
    import torch

    torch.set_num_threads(1)
    sandbox = Sandbox(Path(root, str(os.getpid())))
    _world[:] = [(sandbox, seed)]
    limit_memory(ROOM)


def judged(number: int) -> Verdict:
    """Spoil by a number, ask, and judge."""
    (sandbox, seed) = _world[0]
    sandbox.clear()
    made = bad(random.Random(f"{seed}/{number}"), sandbox.files)
    before = sandbox.listing()
    with sandbox.entered():
        outcome, why, alike = _asked(made, sandbox)
    if strayed := changes(before, sandbox.listing()):
        outcome, why = FAILED, f"outside the run folder: {', '.join(strayed)}\n{why}"
        alike = f"{made.kind} {re.sub('[0-9]+', '#', strayed[0])}"
        sandbox.reset()
    said = f"zoo {' '.join(map(ascii, made.words))[:600]}\n{why}" if why else ""
    return Verdict(number, made.kind, outcome, said, alike)


def _asked(made: Bad, sandbox: Sandbox) -> Judged:
    words = made.words
    if words[0] == "train":  # what is to be trained is looked at first: that has to be quick, training need not
        judged = _said(["validate", words[1]], made)
        if judged[0] != "accepted":
            return judged
        words = [*words, "--runs", str(sandbox.runs)]
    elif words[0] == "study":
        words = [*words, "--runs", str(sandbox.runs)]
    return _said(words, made if words[0] != "train" else Bad(made.kind, words))  # another thing may be in the way there


def _said(words: list[str], made: Bad) -> Judged:
    ended: list[Ended] = []
    outcome = attempt(lambda: ended.append(command(words)))
    if outcome.error is Hang and words[0] == "train":
        return TOO_LONG, "", ""
    if outcome.error is not None:
        return FAILED, outcome.trace, outcome.place
    code, message = ended[0].code, ended[0].stderr
    if code == 0:
        return "accepted", "", ""
    if code != 2:
        return FAILED, f"exit code {code}\n{message}", "exit code"
    if message.startswith("Usage:"):
        return "refused", "", ""
    if not message.startswith("error: ") or "—" not in message:
        return FAILED, f"a message that says neither what nor where\n{message}", "message"
    if obeyed(message):
        return FAILED, f"a message that a terminal would obey\n{message!a}", f"{made.kind} terminal"
    if len(message) > LONGEST:
        return FAILED, f"a message of {len(message)} characters\n{message[:2000]}", f"{made.kind} long"
    placed = re.search(r"line \d+, column \d+ — not valid YAML", message)
    if made.named and not placed and not any(name in message for name in made.named):
        return FAILED, f"a message that names none of {', '.join(made.named)}\n{message}", f"{made.kind} {made.named}"
    return "refused", "", ""


def main(arguments: list[str] | None = None) -> int:
    """Try so many, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--one", type=int, metavar="NUMBER", help="this one alone")
    given = parser.parse_args(arguments)
    import zoo.api
    import zoo.builder
    import zoo.cli.main  # noqa: F401 - before processes are forked

    prepare()
    numbers = range(given.count) if given.one is None else [given.one]
    with tempfile.TemporaryDirectory(prefix="bad-recipes-") as root:
        verdicts = list(
            over(judged, numbers, workers=given.workers, begin=begin, given=(root, given.seed), title="bad recipes")
        )
    if given.one is not None:
        print(verdicts[0].why or verdicts[0].outcome)
    return report(verdicts, f"again: python checks/bad_recipes.py --seed {given.seed} --one")


if __name__ == "__main__":
    sys.exit(main())
