"""The verbs from Python: train, build, load."""

import json
import math
import warnings
from functools import partial

import numpy as np
import pytest
import torch

import zoo
from registry import datasets
from zoo.errors import RecipeError, RunError, TrainingError
from zoo.graphs.graph import Graph
from zoo.identity import OtherData
from zoo.recipe import recipe_files
from zoo.runs.checkpoints import Unreadable
from zoo.runs.run import Run

SMOKE = [name for name in recipe_files.names() if name.startswith("smoke/")]


@pytest.mark.parametrize("name", SMOKE)
def test_smoke_recipes_train(name, tmp_path):
    """Every smoke recipe trains to its end and leaves a whole run folder."""
    run = zoo.train(name, runs=tmp_path)
    assert run.status in ("finished", "stopped early")
    assert run.test is not None
    assert 0 <= run.test <= (1 if run.result["higher_is_better"] else math.inf)
    assert {file.name for file in run.path.iterdir()} >= {
        "recipe.yaml",
        "environment.json",
        "metrics.jsonl",
        "model.safetensors",
        "result.json",
    }
    assert run.metrics["loss"].notna().all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
@pytest.mark.parametrize("name", [name for name in SMOKE if name not in ("smoke/dgl-conv", "smoke/bf16")])
def test_smoke_recipes_on_cuda_equal_cpu(name, tmp_path):
    """On a GPU every smoke recipe's first loss equals the CPU's within float32 tolerance."""
    losses = [zoo.train(name, runs=tmp_path / device, device=device).metrics["loss"] for device in ("cpu", "cuda")]
    assert losses[1][0] == pytest.approx(losses[0][0], rel=1e-4)


def test_the_same_recipe_and_seed_give_bitwise_the_same_metrics(tmp_path):
    """Two runs with dropout on the CPU differ in nothing but their time; another seed differs."""
    first, second, other = (
        zoo.train("smoke/gat", seed=seed, runs=tmp_path / folder).metrics
        for seed, folder in ((1, "a"), (1, "b"), (2, "a"))
    )
    columns = ["epoch", "step", "loss", "val", "best_val", "lr"]
    assert first[columns].equals(second[columns])
    assert not first["loss"].equals(other["loss"])


def test_a_finished_run_is_returned_and_again_moves_it_aside(tmp_path):
    """A second call does no work; `again` trains anew and keeps the older run under another name."""
    first = zoo.train("smoke/mlp", runs=tmp_path)
    stamp = (first.path / "result.json").stat().st_mtime_ns
    assert (zoo.train("smoke/mlp", runs=tmp_path).path / "result.json").stat().st_mtime_ns == stamp
    again = zoo.train("smoke/mlp", runs=tmp_path, again=True)
    assert (again.path / "result.json").stat().st_mtime_ns > stamp
    assert (again.path.parent / "seed-0.previous-1" / "result.json").stat().st_mtime_ns == stamp


def test_the_resolved_recipe_runs_by_itself(tmp_path):
    """recipe.yaml in the run folder gives the same figures and the same identity as the recipe it came from."""
    run = zoo.train("smoke/res-gin", {"model.depth": 3}, runs=tmp_path)
    again = zoo.train(run.path / "recipe.yaml", runs=tmp_path / "again")
    assert again.metrics["loss"].equals(run.metrics["loss"])
    assert again.result["identity"] == run.result["identity"]


@pytest.mark.parametrize("name", ["smoke/res-gat", "smoke/gin", "smoke/res-sage", "smoke/mlp"])
def test_a_loaded_network_scores_what_the_run_reports(name, tmp_path):
    """`load` gives the best weights: their accuracy on the test part is the run's figure."""
    run = zoo.train(name, runs=tmp_path)
    network = zoo.load(run.path)
    built = zoo.build(run.path / "recipe.yaml", seed=run.seed)
    with torch.no_grad():
        logits = network(built.graph, built.data.features)
    right = (logits.argmax(dim=1) == built.data.labels)[built.split.test]
    assert float(right.double().mean()) == run.test


def test_load_refuses_what_is_no_run(tmp_path):
    """A folder without a finished run, and weights that do not fit, are errors that say so."""
    with pytest.raises(RunError, match="there is no run in it"):
        zoo.load(tmp_path)
    run = zoo.train("smoke/mlp", runs=tmp_path)
    (run.path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(RunError, match="has changed: digest"):
        zoo.load(run.path)


def test_build_gives_the_objects(tmp_path):
    """`build` makes every part, and the network runs on the graph."""
    built = zoo.build("smoke/res-gcn", {"model.depth": 7})
    assert len(built.network.blocks) == 7
    assert built.network(built.graph, built.data.features).shape == (200, 3)
    assert len(built.initial["gradients.mu.plain"]) == 7
    assert {choice.what for choice in built.choices} >= {"device", "kernel"}


def test_building_is_reproducible_whatever_was_drawn_before():
    """The seed alone decides the weights."""
    weights = []
    for draws in (0, 100):
        torch.rand(draws)
        weights.append(zoo.build("smoke/res-gcn", seed=5).network.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_record_says_what_was_chosen_and_why(tmp_path):
    """environment.json has versions, device and kernel with reasons, split sizes and what was done to the graph."""
    environment = zoo.train("smoke/res-gat", runs=tmp_path).environment
    reasons = {choice["what"]: choice["why"] for choice in environment["choices"]}
    assert set(reasons) == {"device", "kernel", "threads", "split", "metric", "embedding", "c"}
    assert all(reasons.values())
    assert environment["versions"]["dgl"]
    assert environment["split"]["name"] == "random"
    assert environment["data"]["prepared"]


def test_a_non_finite_run_is_kept(tmp_path):
    """A learning rate that blows up leaves a finished record that names the block, with null for missing figures."""
    run = zoo.train(
        "smoke/res-gcn", {"normalizer": "none", "optimizer.lr": 1e30, "training.duration": 30}, runs=tmp_path
    )
    assert run.status == "non-finite"
    assert run.result["non_finite"]["block"] >= 1
    json.loads((run.path / "result.json").read_text(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_training_leaves_the_number_of_threads_as_it_was(tmp_path):
    """A run computes with the threads that suit it; the process has its own again afterwards."""
    before = torch.get_num_threads()
    zoo.train("smoke/mlp", {"execution.threads": before + 1}, runs=tmp_path)
    assert torch.get_num_threads() == before


def test_mistakes_come_before_any_folder(tmp_path):
    """A wrong recipe or device leaves nothing behind."""
    with pytest.raises(RecipeError):
        zoo.train("smoke/gcn", {"model.depth": 0}, runs=tmp_path)
    with pytest.raises(TrainingError):
        zoo.train("smoke/gcn", device="cuda:99", runs=tmp_path)
    assert not list(tmp_path.iterdir())


def test_calibrated_c_is_saved_with_the_network(tmp_path):
    """`c: auto` is found once, recorded, and comes back with the loaded weights."""
    run = zoo.train("smoke/res-gat", runs=tmp_path)
    network = zoo.load(run.path)
    assert network.normalization is not None
    (normalizer,) = network.normalization.bounded()[:1]
    assert float(normalizer.c.flatten()[0]) == pytest.approx(run.result["c"], rel=1e-4)


PLUGIN = '''
from registry import normalizers
from zoo.normalizers import WeightNormalizer


@normalizers.register("halve")
class Halve(WeightNormalizer):
    """Half of every weight."""

    def normalize(self, weight):
        return weight / 2
'''


def test_a_plugin_run_is_loaded_from_its_folder_alone(tmp_path):
    """The run keeps a copy of its plug-in, so it can be loaded, once that is allowed, after the original is gone."""
    plugin = tmp_path / "mine.py"
    plugin.write_text(PLUGIN)
    run = zoo.train("smoke/res-gcn", {"normalizer": "halve"}, plugins=[plugin], runs=tmp_path / "runs")
    assert zoo.load(run.path, plugins=[plugin]).normalization is not None
    plugin.unlink()
    with pytest.raises(RecipeError, match=r"plugins/mine\.py — expected --allow-plugins"):
        zoo.load(run.path)
    assert zoo.load(run.path, allow_plugins=True).normalization is not None


def test_the_normaliser_makes_64_blocks_train_on_real_cora(zoo_data, tmp_path):
    """On Cora 64 residual blocks learn with the shipped normaliser and do not without: the point of the project."""
    short = {"training.duration": 50}
    bounded = zoo.train("cora-res-gcn-64", short, runs=tmp_path)
    without = zoo.train("cora-res-gcn-64", {**short, "normalizer": "none"}, runs=tmp_path)
    assert bounded.test is not None
    assert without.test is not None
    assert bounded.test > 0.8
    assert without.test < 0.45
    assert 0.5 < bounded.result["gradient_similarity"]["ratio"] < 2
    assert without.result["gradient_similarity"]["ratio"] > 1.2**63


def test_plain_depth_starves_and_smooths_the_first_block_on_real_cora(zoo_data):
    """64 blocks without skips, public split: ‖G‖ vanishes, plain μ/‖G‖ sees nothing else, the limit ratio falls."""
    built = zoo.build("cora-gcn-64")
    assert built.split.facts["rule"]
    norm, plain, limit = (built.initial[f"gradients.{name}"] for name in ("norm", "ratio.plain", "ratio.limit"))
    assert norm[-1] > 1e-3
    assert norm[0] < 1e-9
    assert plain.min() > 0.95
    assert limit[-1] > 0.9
    assert limit[0] < 0.3


def test_identity_smooths_without_vanishing_on_real_cora(zoo_data):
    """Without activation the limit ratio falls to a third while ‖G‖ stays within a factor of 10."""
    reading = zoo.build("cora-gcn-64", {"model.activation": "identity"}).initial
    norm, limit = reading["gradients.norm"], reading["gradients.ratio.limit"]
    assert norm.max() / norm.min() < 10
    assert limit[-1] > 0.9
    assert limit[0] < 0.5 * limit[-1]


@pytest.mark.parametrize("depth", [8, 64, 128, 512])
def test_auto_keeps_the_gradient_over_any_depth_on_real_cora(zoo_data, depth):
    """Frobenius with c: auto leaves μ(G_1)/μ(G_L) within [0.2, 5]; without it 64 blocks grow by over 1.2 each."""
    changes = {"model.depth": depth, "normalizer": {"name": "frobenius", "c": "auto"}}
    assert 0.2 < zoo.build("cora-res-gcn-64", changes).initial.ratio < 5
    if depth == 64:
        without = zoo.build("cora-res-gcn-64", {"normalizer": "none"}).initial
        assert without.number("expansion_rate.plain") > math.log(1.2)


def test_calibration_shrinks_c_with_depth_on_real_cora(zoo_data):
    """`c: auto` at 64 blocks is several times that at 512, and both ratios lie in the band."""
    found = {}
    for depth in (64, 512):
        built = zoo.build("cora-res-gcn-512", {"model.depth": depth})
        found[depth] = float(next(choice.chosen for choice in built.choices if choice.what == "c"))
        assert 0.5 <= built.initial.ratio <= 1.5
    assert found[64] > 4 * found[512]


class Unplugged(Exception):
    """Stands for whatever ends a process."""


@pytest.mark.parametrize("name", ["smoke/gat", "smoke/bf16", "smoke/res-sage", "smoke/gin"])
@pytest.mark.parametrize("step", [7, 13, 20])
def test_a_resumed_run_ends_bitwise_like_an_uninterrupted_one(name, step, tmp_path):
    """Broken off after any step and resumed, metrics and weights are those of the run that went through."""
    changes = {"training.duration": 24, "training.save": "5 epochs", "training.patience": None}
    whole = zoo.train(name, changes, runs=tmp_path / "whole")

    class Watcher:
        def measured(self, row):
            if row["step"] >= step:
                raise Unplugged

        def probed(self, row):
            pass

    with pytest.raises(Unplugged):
        zoo.train(name, changes, runs=tmp_path / "broken", watch=lambda built: Watcher())
    resumed = zoo.train(name, changes, runs=tmp_path / "broken", resume=True)
    columns = ["epoch", "step", "loss", "val", "best_val", "lr"]
    assert resumed.metrics[columns].equals(whole.metrics[columns])
    assert (resumed.path / "model.safetensors").read_bytes() == (whole.path / "model.safetensors").read_bytes()
    assert not (resumed.path / "state.pt").exists()
    assert not list(resumed.path.parent.glob("*unfinished*"))


def test_without_resume_an_unfinished_run_is_moved_aside(tmp_path):
    """One that saved nothing to go on from: nothing of the broken run is lost, and nothing of it is used."""

    class Watcher:
        def measured(self, row):
            raise Unplugged

        def probed(self, row):
            pass

    with pytest.raises(Unplugged):
        zoo.train("smoke/mlp", "training.save=100%", runs=tmp_path, watch=lambda built: Watcher())
    run = zoo.train("smoke/mlp", "training.save=100%", runs=tmp_path)
    assert len(run.metrics) == 5
    assert (run.path.parent / "seed-0.unfinished-1" / "metrics.jsonl").is_file()


def test_a_run_that_could_be_resumed_is_not_left_without_a_word(tmp_path):
    """The same call again says at which epoch it was broken off; what becomes of it is the caller's word."""

    class Watcher:
        def measured(self, row):
            if row["epoch"] == 4:
                raise Unplugged

        def probed(self, row):
            pass

    changes = {"training.save": "1 epoch"}
    with pytest.raises(Unplugged):
        zoo.train("smoke/mlp", changes, runs=tmp_path, watch=lambda built: Watcher())
    before = sorted(tmp_path.rglob("*"))
    said = r"an interrupted run is there, saved after step (\d), at epoch \1 — expected --resume .*--again"
    with pytest.raises(RunError, match=said):
        zoo.train("smoke/mlp", changes, runs=tmp_path)
    with pytest.raises(RunError, match=said):
        zoo.train_together("smoke/mlp", {**changes, "probes": "none"}, seeds=0, runs=tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
    run = zoo.train("smoke/mlp", changes, runs=tmp_path, again=True)
    assert len(run.metrics) == 5
    assert (run.path.parent / "seed-0.unfinished-1" / "state.pt").is_file()


def test_a_runs_own_recipe_has_its_name(tmp_path):
    """What is trained from the recipe.yaml of a run is that run, and lies where it lay; a copy has its own name."""
    run = zoo.train("smoke/res-gcn", ["training.duration=2"], runs=tmp_path)
    assert zoo.train(run.path / "recipe.yaml", runs=tmp_path).path == run.path
    changed = zoo.train(run.path / "recipe.yaml", ["training.duration=3"], runs=tmp_path)
    assert changed.path.relative_to(tmp_path).parts[:2] == ("smoke", "res-gcn")
    (tmp_path / "child.yaml").write_text(f"extends: {run.path / 'recipe.yaml'}\n")
    assert zoo.build(tmp_path / "child.yaml").recipe.name == "child"


OWN = """
import torch
from pathlib import Path
from registry import datasets
from zoo.datasets.base import NodeData

@datasets.register("own")
def own(store):
    y = torch.tensor([int(word) for word in Path(__file__).with_name("labels.txt").read_text().split()])
    src = torch.arange(40)
    return NodeData("own", src, (src + 1) % 40, torch.eye(40), y, 2)
"""


@pytest.fixture
def own(tmp_path):
    """A plug-in whose data set is read from labels.txt beside it, and what trains on it in little time."""
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "labels.txt").write_text("0 1 " * 20)
    changes = {"dataset": "own", "split": "random", "training.duration": 4, "training.save": 1, "probes": "none"}
    yield partial(zoo.train, "smoke/mlp", changes, plugins=[tmp_path / "own.py"], runs=tmp_path / "runs")
    datasets.unregister("own")


def test_a_run_is_not_resumed_on_other_data(own, tmp_path):
    """What was changed between a state and its resumption is named; the data of before are resumed on."""

    class Watcher:
        def measured(self, row):
            if row["step"] == 2:
                raise Unplugged

        def probed(self, row):
            pass

    with pytest.raises(Unplugged):
        own(watch=lambda built: Watcher())
    (tmp_path / "labels.txt").write_text("1 0 0 1 " * 10)
    with pytest.raises(TrainingError, match=r"resume — the data set has changed .* train without --resume"):
        own(resume=True)
    (tmp_path / "labels.txt").write_text("0 1 " * 20)
    assert own(resume=True).status == "finished"


def test_a_run_of_other_data_is_not_finished(own, tmp_path):
    """Data that changed are trained on, with a word, and the older run is kept; the same data are shown."""
    first = own()
    assert own().path == first.path
    assert not list(first.path.parent.glob("*previous*"))
    (tmp_path / "labels.txt").write_text("1 0 0 1 " * 10)
    with pytest.warns(OtherData, match="not counted as finished: its data set has changed since"):
        again = own()
    assert again.path == first.path
    before = Run(first.path.parent / "seed-0.previous-1")
    assert before.environment["data"]["digest"] != again.environment["data"]["digest"]
    assert own().result["test"] == again.result["test"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own()


def test_runs_of_before_digests_count_where_the_zoo_knows_the_data(own, tmp_path):
    """Without a digest in the record a shipped data set is what it was; of the user's own that cannot be told."""

    def forget(run):
        record = {**run.environment, "data": {**run.environment["data"]}}
        del record["data"]["digest"]
        (run.path / "environment.json").write_text(json.dumps(record))
        return (run.path / "result.json").stat().st_mtime_ns

    stamp = forget(zoo.train("smoke/mlp", runs=tmp_path))
    assert (zoo.train("smoke/mlp", runs=tmp_path).path / "result.json").stat().st_mtime_ns == stamp
    forget(own())
    with pytest.warns(OtherData, match="before runs noted what their data held"):
        own()


def test_an_evaluation_on_other_data_says_so(own, tmp_path):
    """A run is opened on the data of now, which may not be those that it was trained on."""
    run = own()
    (tmp_path / "labels.txt").write_text("1 0 0 1 " * 10)
    with pytest.warns(OtherData, match="its data set has changed since it was trained"):
        zoo.evaluate(run, plugins=[tmp_path / "own.py"])


def test_states_that_cannot_be_read_are_refused(tmp_path):
    """Without one that can be read, the error names the way on; the folder stays as it is."""

    class Watcher:
        def measured(self, row):
            if row["step"] == 3:
                raise Unplugged

        def probed(self, row):
            pass

    with pytest.raises(Unplugged):
        zoo.train("smoke/mlp", {"training.save": 1}, runs=tmp_path, watch=lambda built: Watcher())
    (state,) = tmp_path.glob("**/state.pt")
    previous, whole = state.with_name("state.previous.pt"), state.read_bytes()
    previous.write_bytes(previous.read_bytes()[:100])
    state.write_bytes(whole[:100])
    with pytest.raises(RunError, match=r"state\.pt cannot.*state\.previous\.pt cannot.* train without --resume"):
        zoo.train("smoke/mlp", {"training.save": 1}, runs=tmp_path, resume=True)
    assert state.exists()
    state.write_bytes(whole)
    (state.parent / "metrics.jsonl").write_text("no JSON\n")
    with pytest.raises(RunError, match=r"metrics\.jsonl.* train without --resume"):
        zoo.train("smoke/mlp", {"training.save": 1}, runs=tmp_path, resume=True)


def test_what_a_kill_at_the_very_end_left_is_removed(tmp_path):
    """A finished run has no state to resume from; one that was not removed any more is when the run is asked for."""
    run = zoo.train("smoke/mlp", runs=tmp_path)
    names = {file.name for file in run.path.iterdir()}
    for name in ("state.pt", "state.previous.pt", "state.pt.part"):
        (run.path / name).write_bytes(b"state")
    assert zoo.train("smoke/mlp", runs=tmp_path).path == run.path
    assert {file.name for file in run.path.iterdir()} == names


def test_where_a_run_goes_on_is_said(tmp_path):
    """Who watches is told the step and the file; a state that cannot be read is named."""

    class Watcher:
        def measured(self, row):
            if row["step"] == 3 and not said:
                raise Unplugged

        def probed(self, row):
            pass

    said: list[str] = []

    def watch(built):
        said.extend(str(choice) for choice in built.choices if choice.what == "resume")
        return Watcher()

    with pytest.raises(Unplugged):
        zoo.train("smoke/mlp", {"training.save": 1}, runs=tmp_path, watch=watch)
    (state,) = tmp_path.glob("**/state.pt")
    state.write_bytes(b"")
    with pytest.warns(Unreadable):
        zoo.train("smoke/mlp", {"training.save": 1}, runs=tmp_path, resume=True, watch=watch)
    assert said == ["resume: after step 2 (from state.previous.pt; state.pt cannot be read: File is not a zip file)"]


def test_a_loaded_network_says_of_links_and_new_graphs_what_it_learned(tmp_path):
    """Rows and decoder give the logits of the task; of graphs put together each has the output that it has alone."""
    run = zoo.train("smoke/links", runs=tmp_path)
    network, built = zoo.load(run.path), zoo.build(run.path / "recipe.yaml")
    found = zoo.evaluate(run).arrays
    with torch.no_grad():
        rows = network(built.graph, built.data.features)
        assert network.decoder is not None
        logits = network.decoder(rows[found["source"]], rows[found["target"]])
    np.testing.assert_allclose(logits.numpy(), found["score"], rtol=1e-5, atol=1e-6)
    run = zoo.train("smoke/graphs", runs=tmp_path)
    network, width = zoo.load(run.path), zoo.build(run.path / "recipe.yaml").data.features.shape[1]
    path, ring = [[0, 1], [1, 2]], [[0, 1], [1, 2], [2, 3], [3, 0]]
    both = torch.tensor([*path, *[[a + 3, b + 3] for a, b in ring]]).T
    x = torch.randn(7, width)
    with torch.no_grad():
        together = network(Graph.from_edges(both[0], both[1], 7, sizes=torch.tensor([3, 4])), x)
        for row, (edges, nodes) in enumerate(((path, slice(0, 3)), (ring, slice(3, 7)))):
            ends = torch.tensor(edges).T
            graph = Graph.from_edges(ends[0], ends[1], len(x[nodes]), sizes=torch.tensor([len(x[nodes])]))
            alone = network(graph, x[nodes])
            torch.testing.assert_close(together[row], alone[0], rtol=1e-5, atol=1e-5)


def test_one_of_what_may_be_several_needs_no_list(tmp_path):
    """A depth, a normaliser and an override by themselves are one each; a depth in quotes is no number."""
    (found,) = zoo.probe("smoke/res-gcn", "model.width=8", depths=3, normalizers="none")
    assert (found.depth, found.normalizer) == (3, "none")
    with pytest.raises(RecipeError, match=r"model\.depth — '3' is not valid"):
        zoo.probe("smoke/res-gcn", depths="3")  # pyright: ignore[reportArgumentType]
    run = zoo.train("smoke/res-gcn", "training.duration=2", runs=tmp_path)
    assert {*zoo.probe_run(run, ["quick", "dirichlet"])} > {*zoo.probe_run(run, "quick")}
