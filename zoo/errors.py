"""Exception hierarchy: user errors, data errors, bugs.

Exception
├── ZooError              a mistake in what the user gave; printed without a trace, exit code 2
│   ├── RecipeError       a recipe, with every problem in it
│   ├── DataError         a data set cannot be had or read
│   │   ├── DataMissing   files are not there: says which go where
│   │   └── DataBroken    files are there, but truncated, tampered with or not what they should be
│   ├── BuildError        recipe is well-formed, but its parts do not fit together
│   ├── ComponentError    a plug-in's code fails, or what it returns is not what its table's objects return
│   ├── RunError          a run folder is not there, unfinished or not readable
│   │   └── RunBusy       another process is training that run
│   └── TrainingError     training cannot start or continue on this machine (device, memory)
└── registry.RegistryError (UnknownName, DuplicateName, BrokenEntry, PluginError)   also the user's

Each message reads: where — what is wrong — what was expected — the nearest right thing. An error in a plug-in's code is
reported as the plug-in's (`zoo.plugin_errors`), with its own lines in place of a trace, exit code 2. Anything else
that is raised is a bug of the zoo: it keeps its trace, exit code 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from registry.name_errors import RegistryError
from zoo.untrusted import escape_controls

_LINES = "\n\t"


class ZooError(Exception):
    """Base of every mistake that the user can mend."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a recipe: the dotted path to it, and what to do."""

    path: str
    text: str

    def __str__(self) -> str:
        return escape_controls(f"{self.path} — {self.text}" if self.path else self.text, keep=_LINES)


class RecipeError(ZooError):
    """A recipe, or a study of recipes, cannot be read or does not hold together; carries all its problems."""

    def __init__(self, recipe: str, problems: Sequence[Problem], what: str = "recipe") -> None:
        self.recipe, self.what = recipe, what
        self.problems = tuple(problems)
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        super().__init__(
            "\n".join([f"{what} {escape_controls(recipe)} — {count}:", *(f"  {problem}" for problem in problems)])
        )

    def __reduce__(self) -> tuple[type["RecipeError"], tuple[str, Sequence[Problem], str]]:
        return type(self), (self.recipe, self.problems, self.what)  # else unpickling would call it with the message


class DataError(ZooError):
    """A data set cannot be had or read."""


class DataMissing(DataError):
    """Files of a data set are not on this machine, and could not be fetched."""


class DataBroken(DataError):
    """A file of a data set is truncated, tampered with, or not what it should be."""


class BuildError(ZooError):
    """The parts that a recipe names do not fit together."""


class ComponentError(ZooError):
    """A component, mostly a plug-in's, fails or does not keep to the contract of its table; its author's to mend."""


class RunError(ZooError):
    """A run folder is missing, unfinished or not readable."""


class RunBusy(RunError):
    """Another process is training the run."""


class TrainingError(ZooError):
    """Training cannot start or continue on this machine."""


USER_ERRORS = (ZooError, RegistryError)
