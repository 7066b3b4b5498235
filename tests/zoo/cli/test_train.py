"""`zoo train` from the outside."""

import json
import statistics

NORMALIZER = '''
from registry import normalizers
from zoo.normalizers import WeightNormalizer

@normalizers.register("rms")
class RMS(WeightNormalizer):
    """W divided by the root mean square of its entries, and by its width."""
    def normalize(self, weight):
        return weight / weight.square().mean((-2, -1), keepdim=True).sqrt() / weight.shape[-1]
'''


def test_json_is_a_list_for_one_run_too(zoo):
    """`--json` prints a list of one object with the promised keys and nothing else on standard output."""
    done = zoo("train", "smoke/mlp", "--json")
    (row,) = json.loads(done.stdout)
    assert {"recipe", "metric", "val", "test", "best_epoch", "seconds", "status", "seed"} <= set(row)
    assert (row["recipe"], row["status"], row["seed"]) == ("smoke/mlp", "finished", 0)


def test_several_seeds_are_a_list_and_a_mean(zoo):
    """`--seeds 0..2` trains three runs; the table shows their mean and sample standard deviation."""
    rows = json.loads(zoo("train", "smoke/mlp", "--seeds", "0..2", "--json").stdout)
    assert [row["seed"] for row in rows] == [0, 1, 2]
    tests = [row["test"] for row in rows]
    table = zoo("train", "smoke/mlp", "--seeds", "0..2").stdout
    assert f"{statistics.mean(tests):.3f} ± {statistics.stdev(tests):.3f} (3)" in table


def test_a_normaliser_of_ones_own_is_trained_and_listed(zoo, tmp_path):
    """A file outside the project, a class under ten lines: trained by name and shown in the list."""
    plugin = tmp_path / "mine.py"
    plugin.write_text(NORMALIZER)
    done = zoo("train", "smoke/res-gcn", "normalizer=rms", "--plugin", plugin, "--json")
    assert json.loads(done.stdout)[0]["status"] == "finished", done.stderr
    listing = zoo("list", "normalizers", "--plugin", plugin).stdout
    assert "rms" in listing
    assert "W divided by the root mean square" in listing


def test_recipes_are_compared_in_one_table(zoo):
    """Two recipes give one table with both normalisers and both gradient figures, and folders below --runs."""
    done = zoo("train", "smoke/res-gcn", "smoke/res-mlp", "--runs", "here", "--quiet")
    assert done.stderr == ""
    assert done.stdout.count("finished") == 2
    assert "frobenius c=0.5" in done.stdout
    assert "μ(G) first block" in done.stdout


def test_every_mistake_is_found_before_the_first_run(zoo, tmp_path):
    """A wrong second recipe keeps the first from being trained."""
    done = zoo("train", "smoke/res-gcn", "smoke/res-gcnn")
    assert done.returncode == 2
    assert "did you mean 'smoke/res-gcn'" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_missing_data_is_one_clear_error(zoo, tmp_path):
    """Without the files and without a network, the error lists the files and where to put them."""
    done = zoo("train", "cora-gcn", env={"ZOO_DATA": "", "ZOO_CACHE": str(tmp_path / "cache")})
    assert done.returncode == 2
    assert "ind.cora_v2.allx" in done.stderr
    assert "ZOO_DATA" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_written_outside_the_run_folder(zoo, tmp_path):
    """A run leaves its folder and nothing in the home folder."""
    zoo("train", "smoke/res-gcn")
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "home"}
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]


def test_the_same_run_asked_for_twice_counts_once(zoo, tmp_path):
    """By name and by path it is one run: a spread over copies would look smaller than it is."""
    zoo("copy", "smoke/mlp", "mlp.yaml")
    done = zoo("train", "mlp.yaml", "./mlp.yaml", "--json")
    assert [row["recipe"] for row in json.loads(done.stdout)] == ["mlp"], done.stderr


def test_seeds_side_by_side_are_the_same_runs(zoo_here):
    """`--together` writes a run for each seed, with the figures that they have one after the other."""
    rows = [
        json.loads(zoo_here("train", "smoke/mlp", "probes=none", "--seeds", "0..2", "--json", *more).out)
        for more in (["--together", "--runs", "a"], ["--runs", "b"])
    ]
    assert [row["seed"] for row in rows[0]] == [0, 1, 2]
    assert [row["best_epoch"] for row in rows[0]] == [row["best_epoch"] for row in rows[1]]


def test_together_says_what_each_run_did(zoo_here):
    """All members are trained now, and none is said to have been there."""
    done = zoo_here("train", "smoke/mlp", "probes=none", "--seeds", "0..1", "--together")
    assert done.err.count("finished →") == 2
    assert "earlier" not in done.err


def test_together_cannot_resume(zoo_here):
    """Nothing is saved to go on from; the command says so before it starts."""
    done = zoo_here("train", "smoke/mlp", "--together", "--resume")
    assert done.code == 2
    assert "--together saves nothing" in done.err
