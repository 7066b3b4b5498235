"""Every problem of a recipe at once, each with its path and the nearest right thing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import models
from zoo.errors import RecipeError
from zoo.recipe.check import check
from zoo.recipe.load import load
from zoo.recipe.overrides import put
from zoo.recipe.recipe import Component, Recipe

GOOD = {"dataset": "karate", "model": {"name": "res-gcn", "depth": 4}}


def problems_of(tree: dict) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        check("test", tree)
    return [str(problem) for problem in caught.value.problems]


def test_a_minimal_recipe_is_completed():
    """Data set and model are enough; everything else gets its default, nested components too."""
    recipe = check("test", GOOD)
    assert [component.name for component in recipe.normalizer] == ["none"]
    assert [component.name for component in recipe.regularizer] == ["none"]
    assert recipe.initializer.name == "default"
    assert (recipe.split.name, recipe.optimizer.name, recipe.seeds) == ("default", "adam", (0,))
    options = recipe.model.options
    assert (options["depth"], options["width"]) == (4, 64)
    assert options["conv"] == Component(name="gcn", options={"bias": True, "norm": "both"})
    assert options["activation"].name == "relu"


def test_a_complete_recipe_reads_back_to_itself():
    """The resolved form, written and checked again, is the same recipe with the same identity."""
    recipe = check(
        "test", {**GOOD, "normalizer": [{"name": "frobenius", "c": "auto"}, "layer"], "training": {"patience": "5%"}}
    )
    again = check("test", recipe.plain())
    assert again == recipe
    assert again.identity() == recipe.identity()


def test_seven_mistakes_are_seven_lines():
    """One answer names seven different mistakes: key, name, option, type, range, choice, nested option."""
    said = problems_of(
        {
            "dataset": "crora",
            "modle": "gcn",
            "model": {"name": "res-gcn", "depht": 3, "width": "wide", "dropout": 1.5, "conv": {"norm": "bot"}},
            "training": {"duration": "ten epochs"},
        }
    )
    assert len(said) == 7
    for start, middle in (
        ("modle", "did you mean 'model'?"),
        ("dataset", "unknown name 'crora' in datasets"),
        ("model.depht", "did you mean 'depth'?"),
        ("model.width", "'wide' is not valid — expected a valid integer"),
        ("model.dropout", "1.5 is not valid — expected less than 1"),
        ("model.conv.norm", "'bot' is not valid — expected 'both' or 'right' — did you mean 'both'?"),
        ("training.duration", "expected a duration"),
    ):
        assert any(line.startswith(f"{start} — ") and middle in line for line in said), (start, said)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"dataset": None}, "dataset — missing"),
        ({"normalizer": "frobenus"}, "normalizer — unknown name 'frobenus' in normalizers"),
        ({"normalizer": []}, "normalizer — an empty list"),
        ({"regularizer": "drop-edg"}, "regularizer — unknown name 'drop-edg' in regularizers"),
        ({"regularizer": ["none", {"name": "drop-edge", "p": 1}]}, "regularizer.1.p — 1 is not valid — expected less"),
        ({"regularizer": []}, "regularizer — an empty list"),
        ({"initializer": ["g-init"]}, "initializer — ['g-init'] is not a component"),
        ({"initializer": {"name": "critical-variance", "sigma_w2": "crit"}}, "initializer.sigma_w2 — 'crit' is not"),
        ({"normalizer": ["layer", {"c": 1}]}, "normalizer.1 — the component has no name"),
        ({"normalizer": {"name": "frobenius", "c": -1}}, "normalizer.c — -1 is not valid — expected greater than 0"),
        ({"normalizer": {"name": "frobenius", "c": "atuo"}}, "normalizer.c — 'atuo' is not valid"),
        ({"model": {"name": "res-gcn", "conv": "gat"}}, "model.conv — is fixed to 'gcn' by the name of the model"),
        ({"model": 7}, "model — 7 is not a component"),
        ({"model": {"name": "stack", "residual": "add"}}, "model.conv — missing — 'stack' needs this option"),
        ({"model": {"name": "stack", "conv": "dgl.nn.GraphCon", "residual": "add"}}, "model.conv — unknown name"),
        (
            {"model": {"name": "stack", "conv": "dgl.nn.RelGraphConv", "residual": "add"}},
            "model.conv — conv dgl.nn.Rel",
        ),
        ({"training": {"precison": "bf16"}}, "training.precison — unknown key"),
        ({"training": 5}, "training — 5 is not valid"),
        ({"prepare": {"self_loops": "ad"}}, "prepare.self_loops — 'ad' is not valid"),
        ({"seeds": [0, -1]}, "seeds.1 — -1 is not valid"),
        ({"seeds": []}, "seeds — "),
        (
            {"execution": {"device": "tpu"}},
            "execution.device — 'tpu' is not valid — expected auto, cpu, cuda or cuda:N",
        ),
        ({"seeds": [1, 2, 1]}, "seeds — [1, 2, 1] is not valid — expected each seed once"),
        (
            {"optimizer": {"name": "adam", "groups": {"blocks": {"wd": 1}}}},
            "optimizer.groups.blocks.wd — unknown key — expected one of: lr, weight_decay",
        ),
    ],
)
def test_each_mistake_is_named(change, line):
    """One mistake, one line, with its dotted path first."""
    said = problems_of({**GOOD, **change})
    assert len(said) == 1
    assert said[0].startswith(line), said


def test_options_without_a_name_refine_the_default():
    """`conv: {heads: 4}` keeps the convolution that the model's name fixes."""
    recipe = check("test", {"dataset": "karate", "model": {"name": "res-gat", "conv": {"heads": 4}}})
    conv = recipe.model.options["conv"]
    assert (conv.name, conv.options["heads"]) == ("gat", 4)


def test_options_without_a_name_refine_a_default_component():
    """`task: {metric: …}` and `optimizer: {lr: …}` need not repeat the default's name."""
    recipe = check("test", {**GOOD, "task": {"metric": "rocauc"}, "optimizer": {"lr": 0.1}})
    assert (recipe.task.name, recipe.task.options["metric"].name) == ("nodes", "rocauc")
    assert (recipe.optimizer.name, recipe.optimizer.options["lr"]) == ("adam", 0.1)


def test_identity_changes_with_what_can_change_the_result_and_nothing_else():
    """Depth and code count; seeds, device, description do not."""
    recipe = check("test", GOOD)
    same = check("other", {**GOOD, "seeds": [3], "description": "words", "execution": {"device": "cpu", "threads": 1}})
    assert same.identity() == recipe.identity()
    assert check("test", {**GOOD, "model": {"name": "res-gcn", "depth": 5}}).identity() != recipe.identity()
    assert recipe.identity(["zoo 0.1"]) != recipe.identity(["zoo 0.2"])


def test_regularizers_and_the_initializer_are_part_of_the_identity():
    """Written at length or not at all, the defaults are one recipe; anything else is another."""
    recipe = check("test", GOOD)
    assert check("test", {**GOOD, "regularizer": ["none"], "initializer": {"name": "default"}}) == recipe
    others = [
        check("test", {**GOOD, **change}).identity()
        for change in (
            {"regularizer": "drop-edge"},
            {"regularizer": {"name": "drop-edge", "p": 0.1}},
            {"regularizer": ["drop-edge", "skip-node"]},
            {"initializer": "g-init"},
            {"initializer": "g-init", "regularizer": "drop-edge"},
        )
    ]
    assert len({recipe.identity(), *others}) == 6
    paths = [path for path, _, _ in check("test", {**GOOD, "regularizer": ["drop-edge", "skip-node"]}).components()]
    assert paths[-2:] == ["regularizer.0", "regularizer.1"] and "initializer" in paths


@pytest.mark.parametrize(
    ("name", "changes", "identity"),
    [
        ("hello", ["training.duration=50"], "1c045b8c8d15"),
        ("hello-without", ["training.duration=50"], "78345e56b30a"),
        ("smoke/gat", [], "81a2db3fae12"),
    ],
)
def test_runs_made_before_a_field_was_added_keep_their_identity(name, changes, identity):
    """These were computed before there were regularisers and initialisers; new options at their defaults change none.

    A new option of a component that these recipes use is named in `_LATER`, with its default.
    """
    assert load(name, changes).identity() == identity


def test_a_model_of_a_plugin_is_checked_by_its_own_signature():
    """What a constructor annotates is what a recipe may say, with no other schema."""

    @models.register("tiny")
    def tiny(in_width, out_width, feature_norms, *, size: int, kind: str = "a"):
        """A model of one's own."""

    assert check("test", {**GOOD, "model": {"name": "tiny", "size": 3}}).model.options == {"size": 3, "kind": "a"}
    assert problems_of({**GOOD, "model": {"name": "tiny"}}) == ["model.size — missing — 'tiny' needs this option"]


def probes_of(written: object) -> list[dict]:
    """The probes of a recipe as they are dumped."""
    plain = load("smoke/res-gcn", {"probes": written}).plain()["probes"]
    return [] if plain == "none" else plain if isinstance(plain, list) else [plain]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("none", []),
        ("standard", [{"name": "standard", "every": "1%"}]),
        ({"name": "deep", "every": 5, "start": "10%"}, [{"name": "deep", "every": "5 epochs", "start": "10%"}]),
        (
            ["quick", {"name": "rank", "of": "gradients", "precision": "float64"}],
            [
                {"name": "quick", "every": "1%"},
                {"name": "rank", "of": "gradients", "every": "1%", "precision": "float64"},
            ],
        ),
    ],
)
def test_probes_have_their_schedule_beside_their_options(written, expected):
    """A name, a mapping, a list or none; what is dumped reads back to itself."""
    found = probes_of(written)
    assert found == expected
    assert probes_of(found or "none") == expected


def test_probes_are_quick_unless_something_else_is_said():
    """Every run has a gradient profile over time."""
    assert load("smoke/res-gcn").plain()["probes"] == {"name": "quick", "every": "1%"}


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ({"name": "quick", "evry": 3}, "probes.evry"),
        ([{"name": "similarity", "subspace": "limits"}], "probes.0.subspace"),
        ([{"name": "quick", "every": "often"}], "probes.0.every"),
        (["quick", 3], "probes.1"),
        ("quik", "probes"),
    ],
)
def test_mistakes_in_probes_have_their_path(written, path):
    """Options, schedules and names are checked alike."""
    with pytest.raises(RecipeError) as caught:
        load("smoke/res-gcn", {"probes": written})
    assert path in [problem.path for problem in caught.value.problems]


def test_probes_do_not_change_what_a_run_is():
    """They change nothing, so a run with others has the same identity."""
    assert load("smoke/res-gcn", {"probes": "deep"}).identity() == load("smoke/res-gcn").identity()


@pytest.mark.parametrize(
    "c", ["adaptive", {"adaptive": None}, {"adaptive": {}}, {"name": "adaptive"}, {"name": "adaptive", "high": 1.1}]
)
def test_a_controller_may_stand_where_c_stands(c):
    """By name, as `{adaptive: {…}}` or with its options; all are one and the same recipe."""
    plain = load("smoke/res-gcn", {"normalizer": {"name": "frobenius", "c": c}}).plain()["normalizer"]
    assert plain["c"]["name"] == "adaptive"
    assert (plain["c"]["high"], plain["c"]["per"]) == (1.1, "network")
    assert load("smoke/res-gcn", {"normalizer": plain}).plain()["normalizer"] == plain


@pytest.mark.parametrize(
    ("c", "path", "said"),
    [
        ({"adaptive": {"pre": "block"}}, "normalizer.c.pre", "did you mean 'per'"),
        ("adaptve", "normalizer.c", "did you mean 'adaptive'"),
        ("autoo", "normalizer.c", "a number above 0, 'auto'"),
        (-1, "normalizer.c", "greater than 0"),
        ([1], "normalizer.c", "not valid"),
    ],
)
def test_mistakes_in_c_say_what_c_may_be(c, path, said):
    """A number, auto, or a controller."""
    with pytest.raises(RecipeError) as caught:
        load("smoke/res-gcn", {"normalizer": {"name": "frobenius", "c": c}})
    (problem,) = caught.value.problems
    assert problem.path == path
    assert said in problem.text


def test_memory_is_no_part_of_the_identity():
    """Checkpointed gradients are those of full to the last bit."""
    of = {check("test", {**GOOD, "training": {"memory": kept}}).identity() for kept in ("full", "checkpoint")}
    assert of == {check("test", GOOD).identity()}


def test_reversible_memory_is_refused():
    """Version 0.1.0 had it; the nearest right thing is named."""
    (problem,) = problems_of({**GOOD, "training": {"memory": "reversible"}})
    assert problem.startswith("training.memory") and "memory: checkpoint" in problem


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(
        ["none", "auto", "gcn", "res-gcn", "layer", "frobenius", "adam", "quick", "5%", "10 epochs", "name", "c"]
    )
)
KEYS = st.sampled_from(["name", "c", "depth", "width", "conv", "every", "duration", "seeds", "p", "unknown"]) | st.text(
    max_size=3
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)


@given(tree=st.dictionaries(st.sampled_from([*Recipe.model_fields, "modle"]), VALUES, max_size=4))
def test_any_tree_is_a_recipe_or_a_list_of_problems(tree):
    """Whatever stands where: one RecipeError whose problems name a key of the tree or a missing one, or a recipe that
    reads back to itself.
    """
    try:
        recipe = check("test", {**GOOD, **tree})
    except RecipeError as error:
        assert error.problems
        heads = {problem.path.split(".")[0] for problem in error.problems}
        assert heads <= {*GOOD, *tree, *Recipe.model_fields}
        assert all(len(problem.text) < 2_000 for problem in error.problems)
        return
    assert check("test", recipe.plain()).plain() == recipe.plain()


class Plugged:
    """A block model with options of plain types, as a plug-in's author annotates them."""

    def __init__(self, *, count: int = 1, rate: float = 0.5, on: bool = False, sizes: list[int] | None = None) -> None:
        pass


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        *(("optimizer.weight_decay", wrong) for wrong in (True, "0.5")),
        *(("training.clip", wrong) for wrong in (True, "1")),
        *(("normalizer.c", wrong) for wrong in (True, "0.5")),
        *(("model.depth", wrong) for wrong in (True, "4", 4.5, 4.0)),
        *(("model.count", wrong) for wrong in (True, "4", 1.0)),
        *(("model.rate", wrong) for wrong in (False, "0.5")),
        *(("model.on", wrong) for wrong in (1, 0, "true", "yes", "on")),
        *(("model.sizes", wrong) for wrong in ([True], ["1"])),
        *(("seeds", wrong) for wrong in ([True], ["1"], [1.0])),
        *(("execution.threads", wrong) for wrong in (True, "1")),
        *(("calibration.passes", wrong) for wrong in (True, "1")),
        *(("measured.test", wrong) for wrong in (True, "1")),
    ],
)
def test_a_number_is_a_number_and_a_boolean_a_boolean(path, wrong):
    """In sections, in the zoo's options and in a plug-in's, whatever pydantic would make of the one or the other."""
    tree = {**GOOD, "normalizer": "frobenius", "measured": {"test": 0.5, "seeds": [0], "command": "zoo train x"}}
    if path.split(".")[-1] in ("count", "rate", "on", "sizes"):
        models.register("plugged-numbers")(Plugged)
        tree["model"] = "plugged-numbers"
    try:
        found = problems_of(put(tree, path, wrong))
        assert all(each.startswith(path) for each in found)
        assert f"{wrong if not isinstance(wrong, list) else wrong[0]!r} is not valid" in found[0]
    finally:
        models.unregister("plugged-numbers")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("calibration", {"low": 2.0, "high": 1.0}, "expected low below high, got 2.0 and 1.0"),
        ("calibration", {"low": 1.5}, "expected low below high"),
        ("probes", {"name": "quick", "start": "10 epochs", "stop": "5 epochs"}, "stop — 5 epochs is before start"),
        ("training.evaluate", "150%", "expected at most 100%"),
        ("training.patience", "101%", "expected at most 100%"),
        ("seeds", [], "seeds — [] is not valid"),
    ],
)
def test_settings_that_make_no_sense_together_are_refused(path, value, said):
    """Before anything is built, with the place."""
    assert said in problems_of(put(GOOD, path, value))[0]
