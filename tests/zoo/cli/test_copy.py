"""`zoo copy`."""

import pytest

from zoo.recipe import recipe_files
from zoo.recipe.load import load
from zoo.studies.study_file import read_study
from zoo.studies.study_plan import StudyPlan


def test_a_copy_stands_by_itself_and_is_the_same_recipe(zoo_here, tmp_path):
    """The copied file needs no parent and has the identity of the original."""
    done = zoo_here("copy", "cora-res-gat-64", "mine.yaml")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[1:] == ["  zoo validate mine.yaml", "  zoo train mine.yaml"]
    mine = tmp_path / "mine.yaml"
    assert "extends" not in mine.read_text()
    assert load(mine).identity() == load("cora-res-gat-64").identity()


@pytest.mark.parametrize("name", recipe_files.studies())
def test_a_copied_study_is_the_same_study(name, zoo_here, tmp_path):
    """By name it becomes ./studies/NAME.yaml, as it was written; it reads the same, and the commands are of studies."""
    done = zoo_here("copy", f"studies/{name}")
    assert (done.code, done.err) == (0, "")
    file = f"studies/{name}.yaml"
    assert done.out.splitlines()[1:] == [f"  zoo study status {file}", f"  zoo study run {file}"]
    written = (tmp_path / file).read_text()
    shipped = (recipe_files.shipped() / file).read_text()
    assert written.startswith(f"# zoo study run {file}\n# made from studies/{name}\n")
    assert written.splitlines()[2:] == shipped.splitlines()[1:]
    assert read_study(tmp_path / file) == read_study(name)


def test_what_a_study_names_beside_itself_is_found_from_its_copy(zoo_here, tmp_path):
    """Recipes and plug-ins that are relative to the study, in its short form too, have whole paths in the copy."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "net.yaml").write_text("extends: smoke/res-gcn\n")
    (tmp_path / "mine" / "plug.py").write_text("")
    (tmp_path / "mine" / "grid.yaml").write_text(
        "base: net.yaml\nvary: {x: {a: {base: net.yaml}, b: {}}}\nplugins: [plug.py]\n"
        "quick: {vary: {x: {a: {base: net.yaml}}}}\n"
    )
    assert zoo_here("copy", "mine/grid.yaml").code == 0
    copied, original = tmp_path / "studies" / "grid.yaml", tmp_path / "mine" / "grid.yaml"
    for quick in (False, True):
        assert read_study(copied, quick=quick, allow_plugins=True) == read_study(
            original, quick=quick, allow_plugins=True
        )
    (tmp_path / "mine" / "grid.yaml").write_text("base: net.yaml\n")
    assert zoo_here("copy", "mine/grid.yaml", "other.yaml").code == 0
    assert [str(searched.variant.recipe.name) for searched in StudyPlan(read_study("other.yaml"), "runs").cells] == [
        "net"
    ]


def test_a_name_of_both_is_the_recipe(zoo_here, tmp_path):
    """`hello` is copied as the recipe, and the study is mentioned; a name that only a study has is the study."""
    done = zoo_here("copy", "hello")
    assert "There is a study of that name, too: zoo copy studies/hello\n" in done.out
    assert load(tmp_path / "hello.yaml").identity() == load("hello").identity()
    assert zoo_here("copy", "depth").code == 0
    assert (tmp_path / "studies" / "depth.yaml").is_file()


def test_nothing_is_overwritten(zoo_here, tmp_path):
    """A file that is there stays, be it a link to nowhere, and the error has the command to type."""
    (tmp_path / "hello.yaml").write_text("dataset: karate\n")
    done = zoo_here("copy", "hello")
    assert done.code == 2
    assert "not overwritten — expected another name: zoo copy hello my-hello.yaml" in done.err
    assert (tmp_path / "hello.yaml").read_text() == "dataset: karate\n"
    (tmp_path / "link.yaml").symlink_to(tmp_path / "nowhere")
    assert "not overwritten" in zoo_here("copy", "hello", "link.yaml").err
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_is_made_or_filled(zoo_here, tmp_path):
    """A file in a folder that is not there yet brings the folder; a folder gets the file of the usual name."""
    assert zoo_here("copy", "hello", "new/deep/mine.yaml").code == 0
    assert zoo_here("copy", "hello", "new").code == 0
    assert zoo_here("copy", "studies/hello", "new/deep").code == 0
    found = sorted(file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.yaml"))
    assert found == ["new/deep/hello.yaml", "new/deep/mine.yaml", "new/hello.yaml"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["helo"], "neither a recipe nor a study"),
        (["helo"], "did you mean 'hello'"),
        (["studies/helo"], "did you mean 'studies/hello'"),
        (["none.yaml"], "neither a recipe nor a study"),
        (["hello", "mine.txt"], "expected one that ends in .yaml"),
        (["hello", "taken/mine.yaml"], "taken is a file — expected a folder"),
        (["model.depth=3"], "expected at least one recipe"),
    ],
    ids=str,
)
def test_mistakes_have_exit_code_2_and_write_nothing(words, said, zoo_here, tmp_path):
    """What cannot be copied, or would not be found as a recipe afterwards."""
    (tmp_path / "taken").write_text("")
    done = zoo_here("copy", *words)
    assert done.code == 2
    assert said in done.err
    assert [file.name for file in tmp_path.iterdir()] == ["taken"]
