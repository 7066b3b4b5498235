"""`zoo probe` from the outside."""

import json
import math

import pytest

from zoo.cli.probe import sparkline


def test_recipe_over_depths_and_normalisers(zoo, tmp_path):
    """One row for each depth and normaliser, and nothing is written."""
    done = zoo("probe", "smoke/res-gcn", "--depths", "2,32", "--normalizer", "none,frobenius:auto")
    assert done.returncode == 0, done.stderr
    for word in ("32", "none", "frobenius c=", "healthy", "limit ratio"):
        assert word in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"home"}


def test_the_picture_goes_where_it_is_asked_for(zoo_here, tmp_path):
    """With either ending or none; its files are named on standard error."""
    done = zoo_here("probe", "smoke/res-gcn", "--depths", "2,4", "--plot", "pictures/profiles.png")
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {"profiles.png", "profiles.svg"}
    assert "pictures/profiles.svg" in done.err


def test_json_has_every_block_and_nothing_else_on_standard_output(zoo):
    """`--json` prints one object for each network, with whole profiles and the outlook."""
    done = zoo("probe", "smoke/res-gcn", "--depths", "4,64", "--normalizer", "none", "--json")
    four, many = json.loads(done.stdout)
    assert (four["depth"], four["normalizer"], four["c"]) == (4, "none", None)
    assert [len(row["gradients.mu.plain"]) for row in (four, many)] == [4, 64]
    mu = many["gradients.mu.plain"]
    assert many["ratio"] == pytest.approx(mu[0] / mu[-1], rel=1e-5)
    assert many["outlook"]["verdict"] == "gradient expansion"


def test_finished_run(zoo):
    """A run folder in place of a recipe: the deep set on its best weights, with the verdict; nothing is written."""
    (row,) = json.loads(zoo("train", "smoke/res-gcn", "--json").stdout)
    done = zoo("probe", row["path"])
    assert "representations.rank.effective" in done.stdout
    assert row["diagnosis"]["verdict"] in done.stdout
    (found,) = json.loads(zoo("probe", row["path"], "--probes", "rank", "--json").stdout)
    assert len(found["representations.rank.effective"]) == 4
    refused = zoo("probe", row["path"], "model.depth=2")
    assert refused.returncode == 2
    assert "a finished run is read as it is" in " ".join(refused.stderr.replace("│", "").split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--depths", "2,x"], "expected e.g. 2,8,32"),
        (["--depths", "0"], "expected e.g. 2,8,32"),
        (["--normalizer", "none,frobenus"], "did you mean 'frobenius'"),
        (["--depths", "2,2000"], "less than or equal to 1024"),
        (["--normalizer", "frobenius:["], "is not a YAML value"),
        (["--probes", "rank"], "is for finished runs"),
    ],
)
def test_mistakes_are_found_before_the_first_network(zoo, tmp_path, words, said):
    """One clear error, no trace, nothing written."""
    done = zoo("probe", "smoke/res-gcn", *words)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", "").split())
    assert "Traceback" not in done.stderr
    assert {path.name for path in tmp_path.iterdir()} <= {"home"}


def test_sparkline():
    """Low to high from the lowest to the highest block character; a dot where there is no logarithm."""
    assert sparkline([1e-8, 1.0], -8, 0) == "▁█"
    assert sparkline([0.0, math.nan, math.inf, 1.0], -8, 0) == "···█"
    assert len(sparkline([1.0] * 500, 0, 0)) == 16
