"""`~`, links and names, as a shell has them."""

from pathlib import Path

from zoo.system.paths import expanded, with_split_number


def test_a_home_is_put_in_place_and_one_of_nobody_stays(monkeypatch):
    """As a shell expands `~`, also where it is handed on unexpanded."""
    monkeypatch.setenv("HOME", "/somewhere")
    assert expanded("~/runs") == Path("/somewhere/runs")
    assert expanded("~nobody-here/runs") == Path("~nobody-here/runs")


def test_a_link_keeps_its_own_name_and_folder(tmp_path, monkeypatch):
    """The folders above are whole, links in them followed; a file that is a link is not."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "3f2a9c").write_text("")
    (tmp_path / "named").mkdir()
    (tmp_path / "named" / "mine.yaml").symlink_to("../store/3f2a9c")
    (tmp_path / "way").symlink_to("named")
    monkeypatch.chdir(tmp_path)
    assert with_split_number("way/mine.yaml") == tmp_path / "named" / "mine.yaml"
