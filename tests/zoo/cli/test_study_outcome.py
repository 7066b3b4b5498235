"""What is said of runs that failed."""

import json
import shlex
from pathlib import Path

from zoo.cli.study_outcome import say_failures
from zoo.recipe.load import load
from zoo.studies.processes import JobResult, train_job
from zoo.studies.study_plan import PlannedRun

DEPTHS = {"vary": {"model.depth": [2, 3]}, "seeds": [0, 1]}


def failed(count: int, reason: str) -> list[tuple[PlannedRun, str]]:
    recipe = load("smoke/res-gcn")
    return [
        (PlannedRun(f"run {number}", recipe, number, None, Path(f"runs/{number}")), reason) for number in range(count)
    ]


def test_each_is_a_line_up_to_ten(capsys):
    """Of many failures ten are named, and how many more there are; several lines of a reason become one."""
    say_failures(
        failed(12, "recipe x — 1 problem:\n  model.depth — is [bold]not[/bold] right"), "zoo more", "zoo again"
    )
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0] == "12 runs failed:"
    assert lines[1] == "  run 0 — recipe x — 1 problem: model.depth — is [bold]not[/bold] right"
    assert lines[11:] == ["  and 2 more", "more: zoo more", "again: zoo again"]


def test_a_long_reason_is_cut(capsys):
    """At two hundred characters, and a terminal's codes in it are written out."""
    say_failures(failed(1, f"\x1b[31m{'word ' * 100}"), "", "")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "1 run failed:"
    assert lines[1].startswith("  run 0 — \\x1b[31mword word") and lines[1].endswith(" …")
    assert len(lines[1]) < 220


def test_nothing_is_said_of_nothing(capsys):
    """Where all went well."""
    say_failures([], "", "")
    assert capsys.readouterr() == ("", "")


def test_json_has_every_run(study_file, inline, zoo_here):
    """One object on standard output: counts, figures of what finished, why others failed; `status` has one, too."""

    def act(job):
        if job.seed == 1:
            return JobResult("failed", "a disk that takes no word of it")  # so that the run's folder does not tell
        return train_job(job, "cpu", 1)

    file = study_file(**DEPTHS)
    inline(act)
    done = zoo_here("study", "run", file, "--json")
    assert done.code == 1
    assert done.err.startswith("2 runs failed:\n")
    found = json.loads(done.out)
    counts = {key: value for key, value in found.items() if key not in ("study", "runs")}
    assert counts == {"finished": 2, "running": 0, "waiting": 0, "failed": 2, "unknown": 0}
    assert found["study"] == "tiny"
    first, second, *_ = found["runs"]
    assert (first["state"], first["failure"], first["run"]) == ("finished", None, "model.depth 2, seed 0")
    assert 0 <= first["test"] <= 1
    assert (second["state"], second["failure"]) == ("failed", "a disk that takes no word of it")
    status = zoo_here("study", "status", file, "--json")
    assert (status.code, status.err) == (0, "")
    assert [run["state"] for run in json.loads(status.out)["runs"]] == ["finished", "waiting"] * 2
    assert json.loads(status.out)["runs"][0] == first


def test_a_run_that_diverged_is_a_result(study_file, inline, scored, zoo_here):
    """It is counted in the table as one without a figure, and is no failure."""
    file = study_file(**DEPTHS)
    inline(scored(lambda recipe, seed: (None, None) if seed else (0.5, 0.5)))
    done = zoo_here("study", "run", file)
    assert (done.code, "failed" in done.err) == (0, False)
    assert "1 of 2" in done.out


def test_the_commands_that_are_advised_name_the_same_runs(study_file, inline, zoo_here, tmp_path):
    """With every option that chooses runs, quoted where needed, and none that does not."""
    file = study_file(quick={"seeds": [5]}, seeds=[0])
    inline(lambda job: JobResult("failed", "so"))
    (tmp_path / "mine.py").write_text(
        "from registry import normalizers\nfrom zoo.normalizers import WeightNormalizer\n"
        "@normalizers.register('advised')\nclass Mine(WeightNormalizer):\n    pass\n"
    )
    words = ["--quick", "--seeds", "0,1", "--plugin", "mine.py", "--workers", "3", "--device", "cpu"]
    done = zoo_here("study", "run", file, "model.depth=2", *words, "--runs", "my runs")
    assert done.code == 1, done.err
    more, again = done.err.splitlines()[-2:]
    named = f"{file} model.depth=2 --quick --seeds 0,1 --runs 'my runs' --plugin mine.py"
    assert (more, again) == (f"more: zoo study status {named}", f"again: zoo study run {named} --retry")
    assert zoo_here(*shlex.split(more)[2:]).out.startswith("study tiny-quick: 0 finished, 0 running, 2 waiting")
