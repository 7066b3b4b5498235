"""What a run's identity holds, and when a finished run is counted."""

import json

import pytest

import zoo
from zoo.api import resolve
from zoo.datasets.sources import source_files
from zoo.identity import OtherData, identity_of, is_current


@pytest.fixture
def finished(tmp_path):
    """A function that makes the folder of a finished run whose record says this of its data."""

    def make(data: dict):
        (tmp_path / "result.json").write_text("{}")
        (tmp_path / "environment.json").write_text(json.dumps({"data": data}))
        return tmp_path

    return make


def test_known_source_files_are_not_read_again(finished, monkeypatch):
    """A run of files whose digests the zoo knows is counted without loading them, wherever they are now."""
    monkeypatch.setattr("zoo.identity.load_data", lambda *_: pytest.fail("the data were loaded"))
    files = {file.path: file.digests[0] for file in source_files("cora")}
    assert is_current(finished({"files": files, "digest": "blake2b:1"}), resolve("cora-gcn", (), None, ()), 0)


def test_runs_of_superseded_files_are_not_counted(finished):
    """A run of Texas's words under Cornell's name is none of Cornell."""
    file = next(file for file in source_files("cornell") if file.superseded)
    (digest, *_) = file.superseded
    recipe = resolve("smoke/res-gcn", {"dataset": "cornell", "split": "public"}, None, ())
    with pytest.warns(OtherData, match="Texas's words and classes"):
        assert not is_current(finished({"files": {file.path: digest}}), recipe, 0)


def test_a_data_set_of_unknown_files_is_loaded_once_for_many_questions(finished, monkeypatch):
    """Digests that were found are kept by who asks; chance is where it was afterwards."""
    loaded = []

    def load(recipe, seed):
        loaded.append(seed)
        return zoo.build("smoke/mlp").data

    monkeypatch.setattr("zoo.identity.load_data", load)
    recipe, digests = resolve("smoke/mlp", (), None, ()), {}
    folder = finished({"files": {"own/file": "sha256:0"}, "digest": zoo.build("smoke/mlp").data.digest})
    assert all(is_current(folder, recipe, 0, digests) for _ in range(3))
    assert loaded == [0]


def test_an_identity_is_of_the_recipe_and_the_code_it_runs():
    """Shipped recipes have no code besides the zoo's: the identity is that of the recipe and the version."""
    recipe = resolve("smoke/mlp", (), None, ())
    assert identity_of(recipe) == recipe.identity([f"zoo {zoo.__version__}"])
