"""From a study to its cells."""

import pytest
import torch

import zoo
from zoo.errors import RecipeError
from zoo.recipe.load import load
from zoo.studies.grid import label, outermost_first, variants, with_split_number
from zoo.studies.study_schema import Range, Study, Tuning


def study(**keys) -> Study:
    return Study.model_validate({"name": "s", "base": "smoke/res-gcn", **keys})


def test_the_last_axis_changes_fastest():
    """Cells come in the order in which one would read the file, each with its label on every axis."""
    found = variants(study(vary={"m": {"A": {}, "B": {"model": "gcn"}}, "model.depth": [2, 3]}))
    assert [list(cell.axes.items()) for cell in found] == [
        [("m", "A"), ("model.depth", "2")],
        [("m", "A"), ("model.depth", "3")],
        [("m", "B"), ("model.depth", "2")],
        [("m", "B"), ("model.depth", "3")],
    ]
    models = [(cell.recipe.model.name, cell.recipe.model.options["depth"]) for cell in found]
    assert models == [("res-gcn", 2), ("res-gcn", 3), ("gcn", 2), ("gcn", 3)]


def test_a_study_without_axes_is_one_cell():
    """Its place has no axes, and its recipe is the base with the changes."""
    (only,) = variants(study(change={"model.depth": 7}))
    assert (dict(only.axes), only.recipe.model.options["depth"], dict(only.space)) == ({}, 7, {})


@pytest.mark.parametrize("turned", [False, True], ids=["model first", "depth first"])
def test_no_axis_undoes_another(turned):
    """An axis of models does not put the depth of another axis back, in whichever order they stand."""
    axes = [("m", {"GAT": {"model": {"name": "res-gat", "width": 8}}}), ("model.depth", [2, 3])]
    found = variants(study(vary=dict(reversed(axes) if turned else axes), change={"model.depth": 9}))
    assert [cell.recipe.model.options["depth"] for cell in found] == [2, 3]
    assert {(cell.recipe.model.name, cell.recipe.model.options["width"]) for cell in found} == {("res-gat", 8)}


def test_axes_come_after_changes():
    """What the study changes everywhere gives way to what an axis says; a model of an axis is a whole one."""
    change = {"model.depth": 9, "normalizer": {"name": "frobenius", "c": 2}}
    found = variants(
        study(change=change, vary={"normalizer.c": [0.25, 4], "model": ["gcn", {"name": "gcn", "depth": 3}]})
    )
    assert [cell.recipe.normalizer[0].options["c"] for cell in found] == [0.25, 0.25, 4, 4]
    own = load("smoke/res-gcn", {"model": "gcn"}).model.options["depth"]
    assert [cell.recipe.model.options["depth"] for cell in found] == [own, 3, own, 3]


def test_alternatives_change_recipe_and_search():
    """`base` replaces the study's recipe, `space` adds to what is tuned, ranges in it are ranges."""
    found = variants(
        study(
            tune=Tuning(space={"optimizer.lr": (0.1, 0.01)}),
            vary={
                "m": {
                    "plain": {},
                    "GAT": {"base": "smoke/gat", "space": {"model.dropout": {"low": 0, "high": 0.5}}},
                    "own lr": {"space": {"optimizer.lr": [1, 2, 3]}},
                }
            },
        )
    )
    assert [cell.recipe.name for cell in found] == ["smoke/res-gcn", "smoke/gat", "smoke/res-gcn"]
    assert [dict(cell.space) for cell in found] == [
        {"optimizer.lr": (0.1, 0.01)},
        {"optimizer.lr": (0.1, 0.01), "model.dropout": Range(low=0, high=0.5)},
        {"optimizer.lr": (1, 2, 3)},
    ]


def test_a_list_of_cells_is_no_grid():
    """Each has its name, or is called by what it changes."""
    cells = [{"name": "deep", "model.depth": 9}, {"model.depth": 2, "normalizer": {"name": "frobenius", "c": 1}}, {}]
    found = variants(study(vary=cells))
    assert [dict(cell.axes) for cell in found] == [
        {"variant": "deep"},
        {"variant": "model.depth=2 normalizer=frobenius c=1"},
        {"variant": ""},
    ]
    assert [cell.recipe.model.options["depth"] for cell in found] == [9, 2, 4]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (64, "64"),
        (0.5, "0.5"),
        ("none", "none"),
        (None, "none"),
        ({"name": "frobenius", "c": "auto"}, "frobenius c=auto"),
        ({"c": 1, "name": "frobenius"}, "frobenius c=1"),
        (["layer", {"name": "frobenius"}], "layer + frobenius"),
        ({"name": "frobenius", "c": {"name": "adaptive", "per": "block"}}, "frobenius c=adaptive per=block"),
        ({"width": 8}, "width=8"),
    ],
    ids=str,
)
def test_labels_are_short(value, said):
    """A value is called as one would say it."""
    assert label(value) == said


def test_the_outermost_path_comes_first():
    """Paths of one level stay in their order."""
    assert list(outermost_first({"b.c.d": 1, "b.c": 2, "a": 3, "b": 4})) == ["a", "b", "b.c", "b.c.d"]


@pytest.mark.parametrize(
    ("split", "option"),
    [
        *[("random", "seed"), ("balanced", "seed"), ("links", "seed")],
        *[("public", "index"), ("geom-gcn", "index"), ("folds", "fold")],
    ],
)
def test_the_number_of_a_split_goes_where_it_belongs(split, option):
    """Whatever the option is called, the recipe is on that split; without a number it stays as it is."""
    recipe = load("smoke/res-gcn", {"split": split})
    assert with_split_number(recipe, 3).split.options[option] == 3
    assert with_split_number(recipe, 3).name == recipe.name
    assert with_split_number(recipe, None) is recipe


def test_the_deal_of_folds_is_left_alone():
    """A number chooses one of the folds, so that their test parts share nothing; another deal would overlap."""
    recipe = load("smoke/graphs", {"split": {"name": "folds", "seed": 5}})
    parts = [zoo.build(with_split_number(recipe, number)).split.test for number in range(10)]
    assert with_split_number(recipe, 4).split.options["seed"] == 5
    together = torch.cat(parts)
    assert len(together.unique()) == len(together) == zoo.build(recipe).data.labels.shape[0]


def test_a_split_without_a_number_is_refused():
    """Which is said with those that have one, from their own declarations."""
    with pytest.raises(RecipeError) as caught:
        with_split_number(load("smoke/res-gcn", {"split": "default"}), 0)
    assert "'default' has no number — expected one of: balanced, folds, geom-gcn, links, public, random" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("depths", "places"),
    [
        ([1, 2, 3], ["model.depth: 1", "model.depth: 2", "model.depth: 3"]),
        ([1, 2, 3, 4, 5], ["model.depth: 1 and 4 more cells"]),
    ],
)
def test_a_problem_of_many_cells_is_said_once(depths, places):
    """What is wrong with the change of a study is one line, and not one for each of a hundred cells."""
    with pytest.raises(RecipeError) as caught:
        variants(study(vary={"model.depth": depths}, change={"Training": 1}))
    assert [problem.path for problem in caught.value.problems] == [f"{place} · Training" for place in places]
    assert "did you mean 'training'?" in caught.value.problems[0].text
