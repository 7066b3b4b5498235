"""What the documents show works as shown."""

import re
import shlex
from pathlib import Path

import pytest

import zoo
from registry import load_plugin
from zoo.recipe.load import load
from zoo.studies.grid import variants
from zoo.studies.study_file import read_study

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
PLUGIN_TEXT = re.compile(r"```python\n(# (\w+\.py)\n.*?)```", re.DOTALL)
PLUGINS = [
    pytest.param(name, text, id=f"{document.name}:{name}")
    for document in DOCUMENTS
    for text, name in PLUGIN_TEXT.findall(document.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("name", "text"), PLUGINS)
def test_every_plug_in_shown_trains(name, text, tmp_path):
    """A plug-in file in a document is loaded and trained as it stands, on a residual GCN."""
    file = tmp_path / name
    file.write_text(text)
    (registered,) = load_plugin(file)
    table, _, entry = registered.partition(".")
    use = {
        "normalizers": {"normalizer": entry},
        "probes": {"probes": entry},
        "controllers": {"normalizer": {"name": "frobenius", "c": entry}},
        "regularizers": {"regularizer": entry},
        "initializers": {"initializer": entry},
        "datasets": {"dataset": entry, "split": "random"},
    }[table]
    run = zoo.train("smoke/res-gcn", use, plugins=[file], runs=tmp_path)
    assert run.status == "finished"
    assert run.metrics["loss"].notna().all()


def commands(verb: str) -> list[str]:
    found = []
    for document in DOCUMENTS:
        for block in re.findall(r"```bash\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL):
            found += [line.split("#")[0].strip() for line in block.splitlines() if line.startswith(f"zoo {verb}")]
    return sorted(set(found))


@pytest.mark.parametrize("command", commands("study"))
def test_every_study_shown_is_right(command):
    """Studies in `zoo study …` lines are shipped and pass the check, in the form shown."""
    words = shlex.split(command)[3:]
    if words[0].endswith(".yaml"):
        pytest.skip("the reader's own file")
    variants(read_study(words[0], quick="--quick" in words))


@pytest.mark.parametrize("command", commands("train"))
def test_every_command_shown_is_right(command):
    """Recipes and overrides in `zoo train …` lines pass the check; plug-ins and own files are the reader's."""
    words = shlex.split(command)[2:]
    if "--plugin" in words or any(word.endswith(".yaml") for word in words):
        pytest.skip("needs the file shown beside it, which another test trains")
    options = {index + 1 for index, word in enumerate(words) if word in ("--seeds", "--runs", "--device")}
    plain = [word for index, word in enumerate(words) if index not in options and not word.startswith("--")]
    overrides = [word for word in plain if "=" in word or word.startswith("~")]
    for recipe in plain:
        if recipe not in overrides:
            load(recipe, overrides)


def test_links_between_documents_lead_somewhere():
    """Relative links point at files that exist."""
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} → {target}"


def test_documents_and_code_name_no_machine():
    """No absolute path of anybody's machine stands in what is shipped."""
    words = re.compile(r"/(?:work|root|home)/")
    for file in [
        *DOCUMENTS,
        *ROOT.glob("zoo/**/*.py"),
        *ROOT.glob("registry/**/*.py"),
        *ROOT.glob("recipes/**/*.yaml"),
    ]:
        assert not words.search(file.read_text(encoding="utf-8")), file


def test_the_reading_path_is_short():
    """At most twelve files, 2,500 lines, from which a newcomer understands the main job; all of them are there."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    files = re.findall(r"^\| \d+ \| `([\w/.]+)` \|", text, re.MULTILINE)
    assert 1 < len(files) <= 12
    assert sum(len((ROOT / file).read_text(encoding="utf-8").splitlines()) for file in files) <= 2500
