"""The same run again, in its short form; the whole of it is in docs/reliability.md."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

import determinism

ROOT = Path(__file__).resolve().parents[2]


def written(folder: Path, weight: float = 1.0, val: float = 0.5, seconds: float = 1.0) -> Path:
    """A folder with what is compared of a run."""
    folder.mkdir()
    save_file({"w": np.array([weight, 2.0], dtype=np.float32)}, folder / "model.safetensors")
    for name in ("metrics.jsonl", "result.json"):
        row = {"val": val, "test": 0.5, "seconds": seconds}
        (folder / name).write_text(json.dumps(row) + "\n", encoding="utf-8")
    return folder


def test_a_run_is_the_same_in_another_process_folder_and_hash_seed():
    """The first three variants, each a process of its own, agree to the last bit on three kinds of recipes."""
    words = ["--variants", "3", "--recipes", "smoke/res-gcn", "smoke/neighbor", "smoke/graphs"]
    ended = subprocess.run(
        [sys.executable, ROOT / "checks" / "determinism.py", *words, "--override", "training.duration=2 epochs"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "3 recipes: equal to the last bit wherever that is promised" in ended.stdout


def test_differences_are_found_and_times_are_not(tmp_path):
    """Weights, figures and records count, and how large their difference is is said; seconds do not count."""
    one = written(tmp_path / "one")
    assert determinism.difference(one, written(tmp_path / "later", seconds=2.0)) == "equal"
    assert determinism.difference(one, written(tmp_path / "other", weight=1.5)) == "weights 2e-01, test 0.5"
    assert determinism.difference(one, written(tmp_path / "val", val=0.6)) == "weights 0e+00, test 0.5"
