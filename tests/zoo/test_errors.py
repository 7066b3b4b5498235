"""The exception tree: one base for the user's mistakes, and messages that hold every problem."""

import pickle

import pytest

from registry import BrokenEntry, DuplicateName, PluginError, RegistryError, UnknownName
from zoo import errors
from zoo.errors import USER_ERRORS, Problem, RecipeError, ZooError

OWN = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, ZooError)]


@pytest.mark.parametrize(
    "error", [*OWN, UnknownName, DuplicateName, BrokenEntry, PluginError], ids=lambda e: e.__name__
)
def test_every_mistake_of_the_user_is_caught_as_one(error):
    """`USER_ERRORS` catches each, and nothing that is a bug."""
    assert issubclass(error, USER_ERRORS)
    assert not issubclass(error, ValueError | OSError | RuntimeError)


def test_bugs_are_not_the_users():
    """What Python and PyTorch raise is none of them."""
    assert not any(issubclass(error, USER_ERRORS) for error in (ValueError, KeyError, RuntimeError, OSError, TypeError))


def test_the_tree_is_drawn_as_it_is():
    """The docstring's drawing has every class once, below its parent."""
    assert errors.__doc__ is not None
    drawn: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in errors.__doc__.splitlines():
        words = line.replace("│", " ").replace("├──", "   ").replace("└──", "   ")
        if ("──" in line or line == "Exception") and words.split():
            depth, name = len(words) - len(words.lstrip()), words.split()[0]
            while above and above[-1][0] >= depth:
                above.pop()
            drawn[name] = above[-1][1] if above else ""
            above.append((depth, name))
    parents = {error.__name__: error.__base__.__name__ for error in OWN if error.__base__}
    assert {name: parent for name, parent in drawn.items() if name in parents} == parents
    assert drawn["registry.RegistryError"] == "Exception"
    assert RegistryError.__base__ is Exception


def test_a_recipes_problems_are_all_in_the_message():
    """One line each, under a head that counts them; they can be had one by one, too."""
    problems = [Problem("model.depth", "0 is too small — expected 1 to 1024"), Problem("", "cannot be read")]
    error = RecipeError("mine.yaml", problems)
    assert str(error).splitlines() == [
        "recipe mine.yaml — 2 problems:",
        "  model.depth — 0 is too small — expected 1 to 1024",
        "  cannot be read",
    ]
    assert (error.recipe, error.problems) == ("mine.yaml", tuple(problems))
    assert str(RecipeError("mine", problems[:1])).startswith("recipe mine — 1 problem:\n")
    assert str(RecipeError("mine", problems[:1], "study")).startswith("study mine — 1 problem:\n")


@pytest.mark.parametrize("error", [error for error in OWN if error is not RecipeError], ids=lambda e: e.__name__)
def test_messages_survive_the_way_from_a_worker_process(error):
    """Errors are pickled between processes: type and message stay."""
    again = pickle.loads(pickle.dumps(error("here — wrong — expected right")))
    assert (type(again), str(again)) == (error, "here — wrong — expected right")


def test_a_recipes_problems_survive_it_too():
    """All that it was made of comes back, not its message alone."""
    error = RecipeError("mine", [Problem("tune.trials", "0 is too few")], "study")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.problems, str(again)) == (RecipeError, error.problems, str(error))


def test_messages_show_no_control_characters():
    """A name or a value from a file is text in a message; its lines are the message's own."""
    error = RecipeError("a\x1b[2J\n", [Problem("b\x9b", "two\nlines\u202e")])
    assert str(error) == "recipe a\\x1b[2J\\x0a — 1 problem:\n  b\\x9b — two\nlines\\u202e"
