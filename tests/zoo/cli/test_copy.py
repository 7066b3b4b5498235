"""`zoo copy`."""

from zoo.recipe.load import load


def test_a_copy_stands_by_itself_and_is_the_same_recipe(zoo, tmp_path):
    """The copied file needs no parent and has the identity of the original."""
    assert zoo("copy", "cora-res-gat-64", "mine.yaml").returncode == 0
    mine = tmp_path / "mine.yaml"
    assert "extends" not in mine.read_text()
    assert load(mine).identity() == load("cora-res-gat-64").identity()


def test_nothing_is_overwritten(zoo, tmp_path):
    """A file that is there stays, and the error says what to do."""
    (tmp_path / "hello.yaml").write_text("dataset: karate\n")
    done = zoo("copy", "hello")
    assert done.returncode == 2
    assert "not overwritten" in done.stderr
    assert (tmp_path / "hello.yaml").read_text() == "dataset: karate\n"
