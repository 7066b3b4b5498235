import pytest

from compared.points import SWEEPS, Point
from compared.records import Records
from compared.tables import document

WHERE = {
    "processor": "P",
    "cores": 2,
    "threads": 1,
    "python": "3",
    "versions": {"torch": "2"},
    "code": "c",
    "date": "d",
}


@pytest.fixture
def records(tmp_path):
    """Times and memory that grow as known powers of the number of blocks, and one point that did not fit."""
    made = Records(tmp_path / "figures.json")
    for point in SWEEPS["blocks"]:
        seconds = {"zoo": [point.depth / 1e3] * 3, "dgl.nn": [point.depth / 4e2] * 3}
        fastest = {name: times[0] for name, times in seconds.items()}
        ratio = {"dgl.nn": [0.3, 0.4, 0.5]}
        shared = {"point": point.plain, "environment": WHERE, "nodes": 10, "left_out": {}}
        timed = {"seconds": seconds, "fastest": fastest, "ratio": ratio, "losses_apart": {"dgl.nn": 1e-6}}
        made.put("times", str(point), {**shared, **timed})
        for name, grown in {"dgl.nn": point.depth << 20, "zoo:checkpoint": int(point.depth**0.5) << 20}.items():
            made.put("memory", f"{point} {name}", {**shared, "name": name, "growth": grown, "peak": 0, "fresh": True})
    left_out = {"dgl.nn": "needs about 90 GiB of 20"}
    made.put("times", "large", {"point": Point("x", "gat", 8).plain, "left_out": left_out, "environment": WHERE})
    return made


def test_a_document_says_what_was_measured(records):
    """Times, ratios with their spread, memory as shares of dgl.nn's, exponents, and what was left out."""
    text = document(records, "python benchmarks/side_by_side.py")
    assert "| cora | gcn | 64 | 64 | 64.0 ms | 160 ms | **0.40** (0.30–0.50) | 1e-06 |" in text
    assert "| cora | gcn | 64 | 64 | 8 MiB, 0.12 × | 64 MiB |" in text
    assert "| blocks | 64 – 512 | dgl.nn | 1.00 | 1.00 |" in text
    assert "| blocks | 64 – 512 | zoo:checkpoint | – | 0.49 |" in text
    assert "| x | gat | 8 | 64 | times | dgl.nn | needs about 90 GiB of 20 |" in text
    assert "d · P, 2 cores, 1 thread(s)" in text


def test_tables_are_square(records):
    """Every line of a table has as many cells as its head."""
    tables = [block for block in document(records, "x").split("\n\n") if block.startswith("|")]
    assert len(tables) == 4
    for block in tables:
        assert len({line.count("|") for line in block.splitlines()}) == 1
