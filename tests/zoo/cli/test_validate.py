"""`zoo validate`."""


def test_a_right_recipe_is_said_to_be_right(zoo):
    """Exit code 0 and a line for each."""
    done = zoo("validate", "hello", "cora-gcn")
    assert (done.returncode, done.stdout) == (0, "hello: ok\ncora-gcn: ok\n")


def test_problems_of_several_recipes_come_together(zoo, tmp_path):
    """Each wrong file is reported with all its problems; exit code 2."""
    (tmp_path / "a.yaml").write_text("dataset: crora\nmodel: gcn\n")
    (tmp_path / "b.yaml").write_text("dataset: cora\nmodel: {name: gcn, depth: 0}\nseeds: x\n")
    done = zoo("validate", "a.yaml", "b.yaml", "hello")
    assert done.returncode == 2
    assert "3 problems" in done.stderr
    assert all(word in done.stderr for word in ("crora", "model.depth", "seeds"))
