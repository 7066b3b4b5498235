import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_command_measures_and_writes(tmp_path):
    """One command gives a JSON file and a Markdown file, of times and of memory, in processes of their own."""
    script = ROOT / "benchmarks" / "side_by_side.py"
    point = "--data blocks-3000 --conv gcn --depth 8 --width 32"
    words = f"{point} --who zoo dgl.nn --repeats 3 --budget 0".split(" ")
    command = [sys.executable, str(script), *words, "--out", str(tmp_path / "figures")]
    subprocess.run(command, check=True, capture_output=True)
    records = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    kinds = sorted((record["kind"], record.get("name")) for record in records.values())
    assert kinds == [("memory", "dgl.nn"), ("memory", "zoo"), ("times", None)]
    assert not any("failed" in record for record in records.values())
    ours, theirs = (
        next(record["growth"] for record in records.values() if record.get("name") == name)
        for name in ("zoo", "dgl.nn")
    )
    assert 3000 * 32 * 8 * 4 * 0.9 < ours < theirs
    assert "| blocks-3000 | gcn | 8 | 32 |" in (tmp_path / "figures.md").read_text(encoding="utf-8")
