"""`zoo doctor`."""

import json


def test_everything_asked_for_is_reported(zoo, tmp_path):
    """Versions, DGL's abilities, device and data folders; a remedy beside everything that is not well."""
    done = zoo("doctor", "--json", env={"ZOO_DATA": str(tmp_path / "nowhere")})
    findings = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert {finding["what"] for finding in findings} >= {
        "zoo", "python", "torch", "dgl", "dgl import", "dgl CUDA kernels", "dgl.graphbolt", "CPU kernels", "device",
        "data",
    }  # fmt: skip
    assert all(finding["remedy"] for finding in findings if finding["state"] != "ok")
    assert any("nowhere" in finding["found"] and finding["state"] == "note" for finding in findings)


def test_it_is_a_table_for_people(zoo):
    """Without --json the same is readable."""
    assert "what to do" in zoo("doctor").stdout
