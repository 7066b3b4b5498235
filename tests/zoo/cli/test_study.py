"""`zoo study`: run, status, table and plot, and what becomes of a study that is killed."""

import csv
import io
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zoo.cli.study import print_failures
from zoo.recipe.load import load
from zoo.runs import folder
from zoo.runs.run_lock import claim
from zoo.studies.processes import JobResult, train_job
from zoo.studies.study_file import read_study
from zoo.studies.study_plan import PlannedRun, StudyPlan

DEPTHS = {"vary": {"model.depth": [2, 3]}, "seeds": [0, 1]}


@pytest.fixture
def filled(study_file, tmp_path, result):
    """A study whose runs below `runs` are finished: test = depth/10 + seed/100."""

    def fill(**keys) -> Path:
        file = study_file(**{**DEPTHS, **keys})
        for run in StudyPlan(read_study(file), tmp_path / "runs").runs():
            test = run.recipe.model.options["depth"] / 10 + run.seed / 100
            result(run.path, run.recipe, run.seed, test=test)
        return file

    return fill


def test_run_trains_what_is_missing_and_prints_the_table(study_file, inline, zoo_here):
    """Progress goes to standard error, the table to standard output; asked again, only the table comes."""
    file, made = study_file(**DEPTHS), inline()
    done = zoo_here("study", "run", file)
    assert done.code == 0, done.err
    assert done.err.startswith("study tiny: 4 runs, 0 of them finished before\n")
    assert done.err.count(": finished, val 0.") == 4
    assert "model.depth" in done.out
    again = zoo_here("study", "run", file, "--quiet")
    assert (again.code, again.out, again.err) == (0, done.out, "")
    assert [len(executor.started) for executor, _ in made] == [4, 0]


def test_options_reach_the_executor(study_file, inline, zoo_here):
    """Device, workers and cluster are the executor's; it is closed at the end."""
    made = inline()
    options = ["--workers", 3, "--device", "cpu", "--executor", "ray", "--address", "ray://head:1", "--seeds", "7"]
    assert zoo_here("study", "run", study_file(), *options, "model.depth=2").code == 0
    ((executor, how),) = made
    assert how == {"name": "ray", "device": "cpu", "workers": 3, "address": "ray://head:1"}
    assert [(job.seed, job.tree["model"]["depth"]) for job in executor.started] == [(7, 2)]


def test_failures_are_shown_and_tried_again(study_file, inline, zoo_here):
    """`status` has the reason, `--retry` another try; the table counts them meanwhile."""
    broken = [True]

    def act(job):
        if broken and job.seed == 1:
            folder.note_failure(Path(job.path), "out of luck")
            return JobResult("failed", "out of luck")
        return train_job(job, "cpu", 1)

    file = study_file(**DEPTHS)
    inline(act)
    done = zoo_here("study", "run", file)
    assert done.code == 1
    assert "model.depth 2, seed 1: failed — out of luck" in done.err
    assert "model.depth" in done.out
    assert done.err.endswith(
        "2 runs failed:\n  model.depth 2, seed 1 — out of luck\n  model.depth 3, seed 1 — out of luck\n"
        f"more: zoo study status {file}\nagain: zoo study run {file} --retry\n"
    )
    assert "1 of 2; 1 failed" in zoo_here("study", "table", file, "--format", "markdown").out
    status = zoo_here("study", "status", file).out
    assert status.startswith("study tiny: 2 finished, 0 running, 0 waiting, 2 failed\n")
    assert status.count("         out of luck\n") == 2
    assert "'zoo study run … --retry' tries failed runs again" in status
    broken.clear()
    again = zoo_here("study", "run", file)  # nothing is tried, and the study is not whole
    assert (again.code, "2 failed" in again.err, "2 runs failed:" in again.err) == (1, True, True)
    assert zoo_here("study", "run", file, "--retry").code == 0
    assert zoo_here("study", "status", file).out == "study tiny: 4 finished, 0 running, 0 waiting, 0 failed\n"


def test_status_says_how_it_stands(filled, tmp_path, zoo_here):
    """Finished, running in whatever process, waiting; of a search, how many are not chosen yet."""
    file = filled()
    runs = list(StudyPlan(read_study(file, changes={"seeds": [0, 1, 2]}), "runs").runs())
    with claim(tmp_path / runs[2].path):
        status = zoo_here("study", "status", file, "--seeds", "0..2").out
    assert status.startswith("study tiny: 4 finished, 1 running, 1 waiting, 0 failed\n")
    assert f"running  model.depth 2, seed 2 → {runs[2].path}\n" in status
    tuned = filled(tune={"method": "grid", "space": {"optimizer.lr": [0.1, 0.2]}})
    assert "0 failed\n" in zoo_here("study", "status", tuned).out
    waiting = zoo_here("study", "status", tuned, "--runs", "none").out
    assert waiting == "study tiny: 0 finished, 0 running, 4 waiting, 0 failed, up to 4 not chosen yet\n"
    assert not (tmp_path / "none").exists()


def test_an_interrupted_run_closes_the_executor(study_file, inline, zoo_here):
    """Ctrl-C ends with 130, the executor is closed, and the same command goes on."""

    def interrupted(job):
        if job.seed == 1:
            raise KeyboardInterrupt
        return train_job(job, "cpu", 1)

    file, made = study_file(**DEPTHS), inline(interrupted)
    assert zoo_here("study", "run", file).code == 130
    ((executor, _),) = made
    assert (executor.open, len(executor.started)) == ([], 3)
    inline()
    assert zoo_here("study", "run", file).code == 0
    assert "4 finished" in zoo_here("study", "status", file).out


@pytest.mark.parametrize(
    ("form", "sign"), [("rich", "┃"), ("markdown", "| ---"), ("csv", "model.depth,ground"), ("latex", r"\toprule")]
)
def test_formats(form, sign, filled, zoo_here):
    """Each is on standard output alone."""
    done = zoo_here("study", "table", filled(), "--format", form)
    assert (done.code, done.err) == (0, "")
    assert sign in done.out


def test_csv_is_one_table_whatever_the_layout(filled, zoo_here):
    """Other programs get the numbers of all cells once, at full precision."""
    report = {"columns": ["model.depth"], "baseline": {"model.depth": 2}}
    file = filled(report=report)
    rows = list(csv.DictReader(io.StringIO(zoo_here("study", "table", file, "--format", "csv").out)))
    assert [float(row["test.run 1"]) for row in rows] == [2 / 10 + 0.01, 3 / 10 + 0.01]
    assert float(rows[1]["delta.mean"]) == pytest.approx(0.1)
    assert zoo_here("study", "table", file, "--format", "markdown").out.count("Selection:") == 2
    assert zoo_here("study", "table", file, "--format", "markdown", "--flat", "--values").out.count("Selection:") == 1


def test_quick_seeds_and_changes_choose_the_runs(filled, zoo_here):
    """The table is of the runs that the same words would train."""
    file = filled(quick={"seeds": [0]})
    assert "seeds 0, 1" in zoo_here("study", "table", file, "--format", "markdown").out
    assert "of one run (seed 0)" in zoo_here("study", "table", file, "--quick", "--format", "markdown").out
    assert "of one run (seed 1)" in zoo_here("study", "table", file, "--seeds", "1", "--format", "markdown").out
    assert "2 not finished" in zoo_here("study", "table", file, "model.width=8", "--format", "markdown").out


def test_plot_writes_pictures(filled, tmp_path, zoo_here):
    """One file for each picture and format, named after the study."""
    done = zoo_here("study", "plot", filled(), "--to", "pictures", "--format", "png,svg")
    assert done.code == 0, done.err
    assert done.out.split() == ["pictures/tiny-sweep.png", "pictures/tiny-sweep.svg"]
    assert (tmp_path / "pictures" / "tiny-sweep.png").read_bytes().startswith(b"\x89PNG")
    assert zoo_here("study", "plot", "tiny.yaml").out == "tiny-sweep.png\n"


@pytest.mark.parametrize("verb", ["run", "status", "table", "plot"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["helo"], "did you mean 'hello'"),
        (["cora-gcn"], "is a recipe — expected a study — to train it: zoo train cora-gcn"),
        (["hello", "--quick"], "no quick form"),
        (["hello", "model.depth=3"], "is an axis of the study"),
        (["hello", "model.dpth=3"], "did you mean 'depth'"),
        (["hello", "model.width=[1"], "is not a YAML value"),
        (["hello", "depth"], "expected one study"),
        (["model.width=3"], "expected at least one study"),
        (["hello", "--seeds", "1..0"], "counts down"),
    ],
    ids=str,
)
def test_mistakes_have_exit_code_2(verb, words, said, zoo_here, tmp_path):
    """Every verb says what is wrong, without a trace, and makes nothing."""
    done = zoo_here("study", verb, *words)
    assert done.code == 2
    assert said in " ".join(done.err.replace("│", " ").split())
    assert "Traceback" not in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["table", "--format", "html"], "expected one of: rich, markdown, csv, latex"),
        (["table", "--interval", "normal"], "expected t or bootstrap"),
        (["plot", "--format", "gif"], "'gif'"),
        (["plot", "--runs", "none"], "nothing to draw"),
        (["run", "--executor", "threads"], "expected processes or ray"),
        (["run", "--workers", "0"], "Invalid value for '--workers'"),
        (["run", "--address", "ray://x"], "expected --executor ray"),
    ],
    ids=str,
)
def test_wrong_options_have_exit_code_2(words, said, filled, zoo_here):
    """With what there is."""
    done = zoo_here("study", words[0], filled(), *words[1:])
    assert done.code == 2
    assert said in " ".join(done.err.replace("│", " ").split())
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], ["run", "status", "table", "plot"]),
        (["run"], ["--quick", "--workers", "--executor", "--address", "--retry", "zoo study run hello"]),
        (["status"], ["--runs", "--seeds"]),
        (["table"], ["--format", "--interval", "--values", "--flat", "zoo study table hello"]),
        (["plot"], ["--to", "--format"]),
    ],
    ids=str,
)
def test_help_says_how(words, said, zoo_here):
    """Every verb has its options and examples."""
    done = zoo_here("study", *words, "--help")
    assert done.code == 0
    assert all(word in done.out for word in said)


# What follows is about processes, and starts some.

ACCEPTANCE = {
    "change": {"training": {"duration": "40 epochs", "save": "2 epochs"}},
    "vary": {"model.depth": [2, 4], "normalizer": ["none", {"name": "frobenius", "c": 0.5}]},
    "seeds": [0, 1, 2],
    "report": {"rows": ["model.depth"], "columns": ["normalizer"], "baseline": {"normalizer": "none"}},
}


def begun(folder_: Path, *words: object) -> "subprocess.Popen[str]":
    """`zoo study run …` as the leader of a process group of its own."""
    command = [str(Path(sys.executable).with_name("zoo")), "study", "run", *map(str, words)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    # What is started in the background of a script ignores SIGINT, and so would all its children.
    return subprocess.Popen(
        command,
        cwd=folder_,
        env=env,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def finished(runs: Path) -> dict[Path, tuple[int, int]]:
    """Every result file, with what would change if it were written again."""
    return {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in runs.rglob("result.json")}


def wait_for(process: "subprocess.Popen[str]", runs: Path, count: int) -> None:
    """Until so many runs are finished."""
    while len(finished(runs)) < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def tables(zoo_here, file: Path, runs: str) -> list[str]:
    forms = [["--format", "markdown"], ["--format", "csv"], ["--format", "markdown", "--flat", "--values"]]
    made = [zoo_here("study", "table", file, "--runs", runs, *form) for form in forms]
    assert all(done.code == 0 for done in made)
    return [done.out for done in made]


def test_a_study_killed_three_times_ends_as_if_it_had_not_been(study_file, tmp_path, inline, zoo_here):
    """SIGKILL of the whole process group at any moment costs no finished run and changes no digit of any table."""
    file, draw = study_file("killed", **ACCEPTANCE), random.Random(0)
    before: dict[Path, tuple[int, int]] = {}
    for count, workers in ((1, 2), (4, 1), (7, 1)):
        with begun(tmp_path, file, "--workers", workers, "--runs", "killed") as process:
            wait_for(process, tmp_path / "killed", count)
            time.sleep(draw.uniform(0, 0.3))
            assert process.poll() is None
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        now = finished(tmp_path / "killed")
        assert now.items() >= before.items()  # no finished run was begun again
        before = now
    with begun(tmp_path, file, "--workers", 1, "--runs", "killed") as process:
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert f"study killed: 12 runs, {len(before)} of them finished before" in err
    now = finished(tmp_path / "killed")
    assert now.items() >= before.items()
    assert len(now) == 12
    assert not [path for path in (tmp_path / "killed").rglob("seed-*.*") if ".previous-" in path.name]

    inline()
    assert zoo_here("study", "run", file, "--runs", "undisturbed", "--quiet").out == out
    assert tables(zoo_here, file, "killed") == tables(zoo_here, file, "undisturbed")


def test_two_processes_share_a_study(study_file, tmp_path):
    """Each run is trained once in all, by one of them, and both print the same table."""
    file = study_file("shared", change=ACCEPTANCE["change"], vary={"model.depth": [2, 4]})
    with begun(tmp_path, file, "--workers", 1) as first, begun(tmp_path, file, "--workers", 1) as second:
        ended = [process.communicate(timeout=300) for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), ended
    assert ended[0][0] == ended[1][0] != ""
    runs = [path for path in (tmp_path / "runs").rglob("seed-*") if path.is_dir()]
    assert len(runs) == len(finished(tmp_path / "runs")) == 6  # and nothing was moved aside
    for path in runs:
        assert len((path / "metrics.jsonl").read_text().splitlines()) == 40
    assert all("died" not in err and "failed" not in err for _, err in ended)


def test_ctrl_c_is_no_loss(study_file, tmp_path, inline, zoo_here):
    """SIGINT to the process group, as a terminal sends it, exits 130, and the same command completes."""
    file = study_file("broken", **ACCEPTANCE)
    with begun(tmp_path, file, "--workers", 1) as process:
        wait_for(process, tmp_path / "runs", 1)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    before = finished(tmp_path / "runs")
    assert 0 < len(before) < 12
    inline()
    assert zoo_here("study", "run", file, "--quiet").code == 0
    assert finished(tmp_path / "runs").items() >= before.items()
    assert len(finished(tmp_path / "runs")) == 12
    assert not list((tmp_path / "runs").rglob("*.previous-*"))


def failed(count: int, reason: str) -> list[tuple[PlannedRun, str]]:
    recipe = load("smoke/res-gcn")
    return [
        (PlannedRun(f"run {number}", recipe, number, None, Path(f"runs/{number}")), reason) for number in range(count)
    ]


def test_each_is_a_line_up_to_ten(capsys):
    """Of many failures ten are named, and how many more there are; several lines of a reason become one."""
    print_failures(
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
    print_failures(failed(1, f"\x1b[31m{'word ' * 100}"), "", "")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "1 run failed:"
    assert lines[1].startswith("  run 0 — \\x1b[31mword word") and lines[1].endswith(" …")
    assert len(lines[1]) < 220


def test_nothing_is_said_of_nothing(capsys):
    """Where all went well."""
    print_failures([], "", "")
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
