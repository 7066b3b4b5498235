"""`zoo schema`."""

import json


def test_it_prints_the_json_schema(zoo):
    """Valid JSON with every table in it."""
    schema = json.loads(zoo("schema").stdout)
    assert {"normalizers", "models", "datasets"} <= set(schema["$defs"])
