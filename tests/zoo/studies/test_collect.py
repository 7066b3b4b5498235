"""Finished runs as cells: which runs are one cell, the labels that tell cells apart, and their settings."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from zoo.api import identity_of
from zoo.errors import RunError
from zoo.recipe.load import load
from zoo.runs.folder import RunFolder, place
from zoo.runs.record import Environment
from zoo.runs.run import Run
from zoo.studies.cells import Cell, EvaluationSetting
from zoo.studies.collect import SELECTION, cells_of_runs, labels, setting_of

RANDOM = {"name": "random", "rule": "random, train 0.6, val 0.2, the rest test"}
DRAWN = {"name": "geom-gcn", "rule": "geom-gcn, number 3 of 10, from the run's seed", "index": 3}
FIXED = {"name": "geom-gcn", "rule": "geom-gcn, number 3 of 10", "index": 3}


def setting(cell: Cell) -> EvaluationSetting:
    assert cell.setting is not None
    return cell.setting


@pytest.fixture
def finished(tmp_path: Path, a_record) -> Callable[..., Path]:
    """Writes a finished run of `recipe` with overrides, as training does, and returns its folder."""

    def make(
        overrides: Any = (),
        seed: int = 0,
        recipe: str = "smoke/res-gcn",
        root: str = "runs",
        environment: dict[str, Any] | None = None,
        **result: Any,
    ) -> Path:
        resolved = load(recipe, overrides)
        identity = identity_of(resolved)
        folder = RunFolder(place(tmp_path / root, resolved, identity, seed))
        facts = {"zoo": "0.1", "split": {**RANDOM, "seed": seed}, **(environment or {})}
        record = a_record(
            **{"recipe": recipe, "identity": identity, "seed": seed, "test": 0.5 + seed / 10, **result},
            environment=Environment(**facts),
        )
        folder.describe(resolved, record.environment)
        folder.finish({"weight": torch.zeros(1)}, record)
        if "split" not in result:  # as version 0.1.0 wrote it, which read the split from the environment
            values = json.loads((folder.path / "result.json").read_text())
            del values["split"], values["schema_version"]
            (folder.path / "result.json").write_text(json.dumps(values))
        return folder.path

    return make


def axes_of(paths) -> list[dict[str, str]]:
    return [dict(cell.axes) for cell in cells_of_runs(paths)]


def test_trained_runs_are_compared(tmp_path):
    """Runs as they are trained: a cell for each recipe and change, seeds in order, figures those of the runs."""
    runs = [
        zoo.train("smoke/karate", {"model.depth": depth, "training.duration": "2 epochs"}, seed=seed, runs=tmp_path)
        for seed in (1, 0)
        for depth in (2, 3)
    ]
    assert all(run.result["higher_is_better"] is True for run in runs)
    shallow, deep = cells_of_runs([tmp_path])
    shallow, deep = sorted((shallow, deep), key=lambda cell: cell.axes["model.depth"])
    assert dict(deep.axes) == {"recipe": "smoke/karate", "model.depth": "3"}
    assert [score.seed for score in shallow.scores] == [0, 1]
    assert shallow.tests == (runs[2].test, runs[0].test)
    assert [score.path for score in deep.scores] == [str(runs[3].path), str(runs[1].path)]
    assert deep.setting is not None
    assert (deep.setting.metric, deep.setting.selection) == ("accuracy", SELECTION)
    assert deep.setting.dataset == "karate"  # a data set without options is its name


def test_a_data_set_that_changed_is_another_setting(finished, tmp_path):
    """A recipe and seed trained on two contents of its data set are two cells, and never one table."""
    for root in ("a", "b"):
        finished(root=root, environment={"data": {"digest": f"blake2b:{root * 10}"}})
    cells = cells_of_runs([tmp_path / "a", tmp_path / "b"])
    assert len(cells) == 2
    assert {setting(cell).dataset.partition(", content ")[2] for cell in cells} == {"a" * 8, "b" * 8}
    (alone,) = cells_of_runs([tmp_path / "a"])
    assert "content" not in setting(alone).dataset


def test_folders_and_folders_above_them(finished, tmp_path):
    """Named themselves or found below, each once, seeds in the order of their numbers."""
    paths = [finished(seed=seed) for seed in (10, 2)]
    for given in ([tmp_path], paths, [*paths, tmp_path / "runs", tmp_path], [paths[0].parent]):
        (cell,) = cells_of_runs(given)
        assert [(score.seed, score.path) for score in cell.scores] == [(2, str(paths[1])), (10, str(paths[0]))]
        assert dict(cell.axes) == {"recipe": "smoke/res-gcn"}
    with pytest.raises(RunError, match=r"compare .*nowhere — no finished run in it or below — expected run folders"):
        cells_of_runs([tmp_path, tmp_path / "nowhere"])


def test_runs_moved_aside_are_passed_over(finished, tmp_path):
    """A run that was trained again counts once, as it is now; the old one can be named."""
    old = finished(test=0.1)
    new = finished(test=0.2)
    assert new == old
    (cell,) = cells_of_runs([tmp_path])
    assert cell.tests == (0.2,)
    aside = old.with_name("seed-0.previous-1")
    assert cells_of_runs([aside])[0].tests == (0.1,)
    assert len(cells_of_runs([aside.parent])[0].scores) == 1


def test_a_run_found_twice_is_refused(finished, tmp_path):
    """A copy would make the spread look smaller than it is."""
    first, second = finished(seed=1), finished(seed=1, root="copy")
    with pytest.raises(RunError) as caught:
        cells_of_runs([first, second])
    assert f"compare — {first} and {second} are the same run (smoke/res-gcn, identity " in str(caught.value)


def test_axes_are_the_fields_that_differ(finished):
    """An option that not all have stands in the label of its component; what changes no result is left out."""
    paths = [
        finished({"normalizer": "none", "execution.threads": 1, "probes": "none"}),
        finished({"normalizer": {"name": "frobenius", "c": 0.5}, "training.save": "50%"}, seed=1),
        finished({"normalizer": {"name": "frobenius", "c": 1.0}}, seed=2),
    ]
    assert axes_of(paths) == [
        {"recipe": "smoke/res-gcn", "normalizer": "none"},
        {"recipe": "smoke/res-gcn", "normalizer": "frobenius c=0.5"},
        {"recipe": "smoke/res-gcn", "normalizer": "frobenius c=1.0"},
    ]


def test_recipes_of_several_names(finished):
    """All have the axes that tell runs of one name apart, each with its own value there."""
    paths = [
        finished(recipe="smoke/gcn"),
        finished({"model.depth": 3}),
        finished({"model.depth": 5, "optimizer.lr": 0.5}),
    ]
    assert axes_of(paths) == [
        {"recipe": "smoke/gcn", "model.depth": "4", "optimizer.lr": "0.01"},
        {"recipe": "smoke/res-gcn", "model.depth": "3", "optimizer.lr": "0.01"},
        {"recipe": "smoke/res-gcn", "model.depth": "5", "optimizer.lr": "0.5"},
    ]


def test_cells_come_in_the_order_of_their_labels(finished):
    """Numbers as they grow, names as they are found, whatever the folders are called."""
    paths = [
        finished({"model.depth": depth, "normalizer": name}) for name in ("none", "layer") for depth in (16, 4, 64)
    ]
    assert [(axes["model.depth"], axes["normalizer"]) for axes in axes_of(paths)] == [
        *[("4", "none"), ("4", "layer"), ("16", "none"), ("16", "layer"), ("64", "none"), ("64", "layer")],
    ]


def test_lists_of_components(finished):
    """Several normalisers are named together, with their options by place where not all have them."""
    paths = [
        finished({"normalizer": ["layer", {"name": "frobenius", "c": c}]}, seed=seed) for seed, c in enumerate((1, 2))
    ]
    paths.append(finished({"normalizer": ["batch", "frobenius"]}))
    assert [axes["normalizer"] for axes in axes_of(paths)] == ["layer + frobenius"] * 2 + ["batch + frobenius"]
    assert [axes["normalizer.1.c"] for axes in axes_of(paths)][:2] == ["1.0", "2.0"]
    paths.append(finished({"normalizer": "none"}))
    assert [axes["normalizer"] for axes in axes_of(paths)] == [
        *("layer + frobenius 1.c=1.0", "layer + frobenius 1.c=2.0"),
        *("batch + frobenius", "none"),
    ]


def test_what_only_some_have_tells_apart_at_last(finished):
    """An option that one recipe has and the other has not, with nothing else between them."""
    paths = [finished(), finished({"optimizer.groups": {"head": {"lr": 0.1}}})]
    plain, grouped = (axes["optimizer"] for axes in axes_of(paths))
    assert plain == "adam groups={}"
    assert grouped.startswith("adam groups.head.lr=0.1")


def test_other_versions_and_code_are_other_cells(finished):
    """The same recipe by another version of the zoo; at last the identity, where nothing else is known."""
    newer = finished(environment={"zoo": "0.2"}, identity="aaaaaaaaaaaa", root="newer")
    assert axes_of([finished(), newer]) == [
        {"recipe": "smoke/res-gcn", "zoo": "0.1"},
        {"recipe": "smoke/res-gcn", "zoo": "0.2"},
    ]
    unknown = finished(identity="bbbbbbbbbbbb", root="unknown")
    last = axes_of([finished(root="again"), unknown])[1]
    assert last == {"recipe": "smoke/res-gcn", "identity": "bbbbbbbbbbbb"}


def test_numbers_of_a_split_are_keys_of_runs(finished):
    """Recipes that differ in the number of their split alone are one cell, with runs by split and seed."""
    paths = [
        finished({"split": {"name": "geom-gcn", "index": index}}, seed=seed, environment={"split": FIXED})
        for index in (3, 0)
        for seed in (1, 0)
    ]
    (cell,) = cells_of_runs(paths)
    assert [(score.split, score.seed) for score in cell.scores] == [(0, 0), (0, 1), (3, 0), (3, 1)]
    assert dict(cell.axes) == {"recipe": "smoke/res-gcn"}


@pytest.mark.parametrize(
    ("overrides", "facts", "rule"),
    [
        ({}, RANDOM, "random, train 0.6, val 0.2, the rest test"),
        (
            {"split": {"name": "random", "seed": 7}},
            RANDOM,
            "random, train 0.6, val 0.2, the rest test, of a fixed number",
        ),
        ({"split": "geom-gcn"}, DRAWN, "geom-gcn, one of 10"),
        ({"split": {"name": "geom-gcn", "index": 3}}, FIXED, "geom-gcn, one of 10, of a fixed number"),
        ({"split": "default"}, {"name": "mine", "rule": "by year"}, "mine, by year"),
        ({"split": {"name": "random", "train": 0.5}}, {}, "random train=0.5 val=0.2"),
    ],
)
def test_the_split_without_what_the_seed_decides(finished, overrides, facts, rule):
    """Runs of several seeds share their setting; a number that the recipe fixes makes another one."""
    run = Run(finished(overrides, environment={"split": facts}))
    assert setting_of(run).split == rule


def test_settings_in_words(finished):
    """Task, data set with its options, metric with its direction; older runs are of higher is better."""
    loss = setting_of(Run(finished(metric="mae", higher_is_better=False)), "tuned")
    assert (loss.metric, loss.higher_is_better, loss.selection) == ("mae", False, "tuned")
    assert loss.task == "nodes"
    assert loss.dataset.startswith("block-model nodes=")
    assert " seed=0" in loss.dataset
    assert setting_of(Run(finished(seed=1))).higher_is_better is True


def test_runs_of_different_settings_are_different_cells(finished):
    """As where the default split was another one while files were missing: never in one mean, each with its setting."""
    paths = [
        finished(),
        finished(seed=1, environment={"split": {"name": "public", "rule": "public, number 0 of 1", "index": 0}}),
    ]
    assert [(setting(cell).split, len(cell.scores)) for cell in cells_of_runs(paths)] == [
        ("random, train 0.6, val 0.2, the rest test", 1),
        ("public, one of 1", 1),
    ]


def test_runs_on_the_folds_of_one_deal_are_one_cell(tmp_path):
    """The run's seed chooses a fold, or a number does; either way they are runs of one cell with one setting."""
    short = {"split": "folds", "training.duration": "1 epochs"}
    for seed in (0, 1):
        zoo.train("smoke/graphs", short, seed=seed, runs=tmp_path / "seeds")
        zoo.train("smoke/graphs", {**short, "split.fold": 3 + seed}, seed=0, runs=tmp_path / "numbers")
    (cell,) = cells_of_runs([tmp_path / "seeds"])
    assert [(score.split, score.seed) for score in cell.scores] == [(None, 0), (None, 1)]
    assert cell.setting and cell.setting.split == "folds, one of 10, dealt with seed 0; the next validates"
    (cell,) = cells_of_runs([tmp_path / "numbers"])
    assert [(score.split, score.seed) for score in cell.scores] == [(3, 0), (4, 0)]
    assert cell.setting and cell.setting.split.endswith("of a fixed number")


def test_another_deal_of_folds_is_another_setting(tmp_path):
    """Its folds overlap with those of the first deal."""
    short = {"split": {"name": "folds"}, "training.duration": "1 epochs"}
    for deal in (0, 1):
        zoo.train("smoke/graphs", {**short, "split.seed": deal}, runs=tmp_path)
    assert len({cell.setting for cell in cells_of_runs([tmp_path])}) == 2


def test_older_runs_on_folds_are_read(finished):
    """Their records have words for the fold, which is left out of the family; new runs stand beside them."""
    folds = {"split": {"name": "folds", "folds": 10}}
    facts = {"name": "folds", "seed": 0}
    paths = [
        finished(
            folds,
            seed=seed,
            environment={
                "split": {**facts, "rule": f"fold {seed} of 10 tests, from the run's seed; the next validates"}
            },
        )
        for seed in (0, 1)
    ]
    family = "folds, one of 10, dealt with seed 0; the next validates"
    new = {**facts, "family": family, "number": 2, "fixed": False, "option": "fold"}
    paths.append(finished(folds, seed=2, environment={"split": new}))
    (cell,) = cells_of_runs(paths)
    assert [score.seed for score in cell.scores] == [0, 1, 2]
    assert cell.setting and cell.setting.split == family


def test_runs_without_a_figure_are_scores_without_one(finished):
    """They are counted, with how they ended."""
    (cell,) = cells_of_runs([finished(), finished(seed=1, test=None, val=None, status="non-finite")])
    assert (cell.tests, [score.status for score in cell.scores]) == ((0.5,), ["finished", "non-finite"])
    assert isinstance(cell.setting, EvaluationSetting)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("recipe.yaml", "- no mapping\n", "expected the recipe that the run wrote"),
        ("recipe.yaml", "model: gcn\n", "has no dataset with a name — expected the recipe that the run wrote"),
        (
            "result.json",
            '{"recipe": "a", "seed": 0}',
            "'identity': missing — expected a value, as the run wrote it",
        ),
        ("environment.json", "{", "cannot be read"),
    ],
)
def test_a_damaged_run_is_named(finished, file, content, message):
    """What cannot be read is not compared around."""
    path = finished()
    (path / file).write_text(content, encoding="utf-8")
    with pytest.raises(RunError, match=message) as caught:
        cells_of_runs([path])
    assert str(path / file) in str(caught.value)


def placed(*fields: dict[str, str], names: tuple[str, ...] = ()) -> list[dict[str, str]]:
    named = names or ("r",) * len(fields)
    found = labels(named, fields, [f"id{index}" for index in range(len(fields))])
    return [{axis: label for axis, label in place.items() if axis != "recipe"} for place in found]


NONE, HALF, ONE = {"n": "none"}, {"n": "frobenius", "n.c": "0.5"}, {"n": "frobenius", "n.c": "1"}


def test_an_option_of_all_is_an_axis():
    """Where each recipe has it, differences can be taken along it."""
    assert placed(HALF, ONE) == [{"n.c": "0.5"}, {"n.c": "1"}]


def test_an_option_of_some_stands_in_the_label_of_its_component():
    """So that a baseline without it is equal but for one axis; of one value alone it tells nothing and is left out."""
    assert placed(NONE, HALF, ONE) == [{"n": "none"}, {"n": "frobenius c=0.5"}, {"n": "frobenius c=1"}]
    assert placed(NONE, HALF) == [{"n": "none"}, {"n": "frobenius"}]
    one = {"n": "spectral", "n.c": "1", "n.steps": "5"}
    assert placed(NONE, HALF, ONE, one)[-1] == {"n": "spectral"}


def test_components_within_components():
    """The nearest one above that all recipes have; an option that no component above has stays an axis."""
    gat, deep = (
        {"m": "stack", "m.conv": "gat", "m.conv.heads": "2"},
        {"m": "stack", "m.conv": "gat", "m.conv.heads": "4"},
    )
    assert placed(gat, deep, {"m": "stack", "m.conv": "gcn"})[1] == {"m.conv": "gat heads=4"}
    assert placed(gat, deep, {"m": "mlp"}) == [
        {"m": "stack conv.heads=2"},
        {"m": "stack conv.heads=4"},
        {"m": "mlp"},
    ]
    assert placed({"t.x": "1"}, {"t.x": "2"}, {"y": "3"}) == [{"t.x": "1"}, {"t.x": "2"}, {"t.x": "–"}]


def test_recipes_of_several_names_have_the_same_axes():
    """What differs within one name is said of all, each with its own value; what differs between names alone is not."""
    shallow, deep = {"depth": "2", "lr": "1"}, {"depth": "4", "lr": "1"}
    assert placed(shallow, deep, {"depth": "2", "lr": "9"}, names=("a", "a", "b")) == [
        {"depth": "2"},
        {"depth": "4"},
        {"depth": "2"},
    ]


def test_what_no_field_tells_apart_is_told_by_its_identity():
    """Recipes of one name with the same fields, as by other code."""
    assert placed({"a": "1"}, {"a": "1"}) == [{"identity": "id0"}, {"identity": "id1"}]
    assert placed({"a": "1"}, {"a": "1", "b": "2"}) == [{"b": "–"}, {"b": "2"}]
