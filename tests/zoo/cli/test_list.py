"""`zoo list`."""

import json

import pytest
from typer.testing import CliRunner

from registry import TABLES
from zoo.cli.main import app_of
from zoo.recipe import recipe_files


def test_the_overview_has_every_table(zoo):
    """Recipes and all tables, with the names that the registry knows."""
    content = {row["table"]: row["names"] for row in json.loads(zoo("list", "--json").stdout)}
    assert content["recipes"] == recipe_files.names()
    assert content["normalizers"] == TABLES["normalizers"].names()
    assert content["studies"] == recipe_files.studies()
    assert set(content) == {"recipes", "studies", *TABLES}


def test_studies_are_listed_with_their_forms(zoo):
    """Each study with its description, and whether it has a quick form."""
    rows = {row["name"]: row for row in json.loads(zoo("list", "studies", "--json").stdout)}
    assert rows["depth"]["forms"] == ["full", "quick"]
    assert rows["depth"]["description"]


@pytest.mark.parametrize("table", sorted(TABLES))
def test_each_table_lists_source_and_options(table):
    """Every name of a table is shown with where it comes from."""
    rows = json.loads(CliRunner().invoke(app_of(["list"]), ["list", table, "--json"]).stdout)
    assert [row["name"] for row in rows] == TABLES[table].names()
    assert all(row["source"] == "built-in" for row in rows)


def test_options_are_shown_with_defaults(zoo):
    """The listing reads options from the source: frobenius has c and mode."""
    rows = {row["name"]: row for row in json.loads(zoo("list", "normalizers", "--json").stdout)}
    assert rows["frobenius"]["options"]["c"] == "1.0"
    assert rows["frobenius"]["summary"]


def test_an_installed_package_is_listed_and_trained(zoo, tmp_path):
    """A third-party distribution's entry point is there by name, with the package that brought it."""
    site = tmp_path / "site"
    info = site / "other_norms-2.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-norms\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[zoo.normalizers]\nthirds = other_norms:Thirds\n")
    (site / "other_norms.py").write_text(
        "from zoo.normalizers import WeightNormalizer\n\n\nclass Thirds(WeightNormalizer):\n"
        '    """A third of every weight."""\n\n    def normalize(self, weight):\n        return weight / 3\n'
    )
    env = {"PYTHONPATH": str(site)}
    listing = zoo("list", "normalizers", env=env).stdout
    assert "package other-norms 2.0" in listing
    assert "A third of every weight." in listing
    done = zoo("train", "smoke/res-gcn", "normalizer=thirds", "--json", env=env)
    assert json.loads(done.stdout)[0]["status"] == "finished", done.stderr


def test_an_unknown_table_suggests_the_nearest(zoo):
    """`zoo list normaliser` is a mistake with a suggestion."""
    done = zoo("list", "normaliser")
    assert done.returncode == 2
    assert "did you mean 'normalizers'" in done.stderr


def test_data_sets_say_what_they_are_for(zoo):
    """The tasks that each can be given to, read from the source like all else."""
    tasks = {row["name"]: row["tasks"] for row in json.loads(zoo("list", "datasets", "--json").stdout)}
    assert {tasks[name] for name in ("cora", "ogbn-arxiv", "overlapping-blocks")} == {"nodes, links"}
    assert {tasks[name] for name in ("mutag", "ogbg-molhiv")} == {"graphs"}
    assert tasks["ogbl-ddi"] == "links"
    assert all(tasks.values())
