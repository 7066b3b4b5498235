from compared.records import Records


def test_a_record_replaces_the_one_before(tmp_path):
    """Figures of a point that is measured again stand in the place of the old ones; others stay."""
    path = tmp_path / "deeper" / "figures.json"
    records = Records(path)
    records.put("times", "a", {"value": 1})
    records.put("times", "b", {"value": 2})
    again = Records(path)
    again.put("times", "a", {"value": 3})
    assert [record["value"] for record in Records(path).of("times")] == [3, 2]
    assert Records(path).of("memory") == []
