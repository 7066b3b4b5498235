"""folder: where an OGB folder is found, and that missing, truncated and tampered files are one clear error each."""

import gzip
import shutil

import numpy as np
import pytest

from zoo.datasets.ogb.labelled import ogbg_molesol, ogbg_moltox21, ogbn_products
from zoo.datasets.ogb.link_sets import ogbl_collab
from zoo.datasets.ogb.ogb_folder import known_digests, open_folder
from zoo.datasets.store import Store
from zoo.errors import DataBroken, DataMissing
from zoo.system.files import sha256_of

LOADERS = [("nodes", "ogbn-products", ogbn_products), ("graphs", "ogbg-moltox21", ogbg_moltox21)]
LOADERS += [("links", "ogbl-collab", ogbl_collab)]
KINDS = pytest.mark.parametrize(("kind", "name", "load"), LOADERS, ids=[name for _, name, _ in LOADERS])


def left_in(store) -> list[str]:
    """The files in the store's cache."""
    return [str(file) for file in store.cache.rglob("*") if file.is_file() and file.suffix != ".lock"]


def test_found_with_and_without_the_folder_ogb(tiny, tmp_path):
    """The folder may stand below `ogb/` or by itself, in a named folder or the cache; the first complete one wins."""
    made = tiny.graphs("ogbg-moltox21")
    assert open_folder(tiny.store, made.name).place == made.folder
    assert open_folder(Store(folders=[tiny.root], cache=tmp_path / "c", offline=True), made.name).place == made.folder
    shutil.copytree(made.folder, tmp_path / "c" / "ogb" / made.folder.name)
    cached = Store(folders=[], cache=tmp_path / "c", offline=True)
    assert open_folder(cached, made.name).place == tmp_path / "c" / "ogb" / made.folder.name
    (made.folder / "raw" / "edge.csv.gz").unlink()
    both = Store(folders=[tiny.root], cache=tmp_path / "c", offline=True)
    assert open_folder(both, made.name).place == tmp_path / "c" / "ogb" / made.folder.name


@KINDS
@pytest.mark.parametrize("half", ["raw/edge.csv.gz", "split"])
def test_truncated_file(tiny, kind, name, load, half):
    """A file that was cut is one error with its path, in the first load and after a good one, and leaves no cache."""
    made = getattr(tiny, kind)(name)
    file = made.folder / half
    if half == "split":
        file = next(file.rglob("valid.*"))
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataBroken, match="cannot be read") as error:
        load(tiny.store)
    assert str(file) in str(error.value)
    assert left_in(tiny.store) == []
    file.write_bytes(whole)
    load(tiny.store)
    file.write_bytes(whole[:-9])
    with pytest.raises(DataBroken, match="cannot be read"):
        load(tiny.store)


@KINDS
def test_missing_file(tiny, kind, name, load):
    """A missing file is one error that says which, where it was looked for, and where OGB publishes the archive."""
    made = getattr(tiny, kind)(name)
    load(tiny.store)
    (made.folder / "raw" / "edge.csv.gz").unlink()
    with pytest.raises(DataMissing) as error:
        load(tiny.store)
    text = str(error.value)
    assert text.startswith(f"data set {name} — 1 of ")
    for part in (
        "  raw/edge.csv.gz\n",
        str(made.folder),
        made.meta["url"],
        "ZOO_OFFLINE",
        str(tiny.store.cache / "ogb"),
    ):
        assert part in text


@KINDS
def test_tampered_file_with_known_digest(tiny, kind, name, load, monkeypatch):
    """A file that differs from its known digest is refused with both digests, though a good load is in the cache."""
    made = getattr(tiny, kind)(name)
    folder = open_folder(tiny.store, name)
    monkeypatch.setattr("zoo.datasets.ogb.ogb_folder.known_digests", lambda name: dict(folder.digests))
    monkeypatch.setattr("zoo.datasets.published.published", dict)
    load(tiny.store)
    file = made.folder / "raw" / "num-edge-list.csv.gz"
    rows = made.arrays["raw/num-edge-list"].copy()
    made.csv("raw/num-edge-list", rows[::-1] + 1)
    with pytest.raises(DataBroken, match="1 of ") as error:
        load(tiny.store)
    for part in (str(file), sha256_of(file), folder.digests["raw/num-edge-list.csv.gz"], made.meta["url"]):
        assert part in str(error.value)


@KINDS
def test_tampered_file_without_known_digest(tiny, kind, name, load):
    """A changed file is read anew, never served from the cache of the old one, and its digest is in the facts."""
    made = getattr(tiny, kind)(name)
    before = load(tiny.store)
    edge = made.arrays["raw/edge"].copy()
    edge[0] = edge[0, ::-1] if edge[0, 0] != edge[0, 1] else (edge[0] + 1) % 2
    made.csv("raw/edge", edge)
    after = load(tiny.store)
    assert not (before.src.equal(after.src) and before.dst.equal(after.dst))
    assert before.facts["files"]["raw/edge.csv.gz"] != after.facts["files"]["raw/edge.csv.gz"]
    assert after.facts["digests"] == "of what was found"


@pytest.mark.parametrize(
    ("path", "rows", "wrong"),
    [
        ("raw/edge", [[0, 1]], "1 rows, not 21"),
        ("raw/edge", [[0, 9]] * 21, "a node that its graph does not have"),
        ("raw/edge", [[0.5, 1]] * 21, "not whole numbers"),
        ("raw/num-node-list", [[3]] * 5, "6 rows, but 5 graphs"),
        ("raw/num-node-list", [[1, 2]] * 6, "2 columns, not 1"),
        ("raw/graph-label", [[1.0] * 11] * 6, "11 columns, not 12"),
        ("split/scaffold/test", [[6]], "names number 6, but there are 6"),
        ("split/scaffold/test", [[0], [0]], "overlap"),
    ],
)
def test_files_that_do_not_fit_together(tiny, path, rows, wrong):
    """Whole files of the wrong rows or numbers are told apart, by the file."""
    made = tiny.graphs("ogbg-moltox21")
    made.csv(path, np.array(rows))
    with pytest.raises(DataBroken, match=wrong):
        ogbg_moltox21(tiny.store)
    assert left_in(tiny.store) == []


def test_text_among_numbers(tiny):
    """A cell with a word in it is no number."""
    made = tiny.graphs("ogbg-moltox21")
    (made.folder / "raw" / "edge.csv.gz").write_bytes(gzip.compress(b"0,one\n" * 21))
    with pytest.raises(DataBroken, match="something other than numbers"):
        ogbg_moltox21(tiny.store)


def test_another_release(tiny):
    """A folder of another release is refused, as its splits may differ; OGB's loader would ask and wait."""
    made = tiny.graphs("ogbg-moltox21")
    (made.folder / "RELEASE_v1.txt").rename(made.folder / "RELEASE_v0.txt")
    with pytest.raises(DataBroken, match="release 0 of ogbg-moltox21 — expected release 1"):
        ogbg_moltox21(tiny.store)
    (made.folder / "RELEASE_v0.txt").unlink()
    ogbg_moltox21(tiny.store)


def test_split_dict_takes_precedence(tiny):
    """As in OGB's loader, `split_dict.pt` stands in for the three tables."""
    import torch

    made = tiny.graphs("ogbg-moltox21")
    parts = {"train": np.array([0, 5]), "valid": np.array([1]), "test": np.array([2, 3])}
    torch.save(parts, made.folder / "split" / "scaffold" / "split_dict.pt")
    for part in parts:
        (made.folder / "split" / "scaffold" / f"{part}.csv.gz").unlink()
    masks = ogbg_moltox21(tiny.store).masks["public"]
    assert masks.train[0].nonzero().flatten().tolist() == [0, 5]
    assert masks.test[0].nonzero().flatten().tolist() == [2, 3]


def test_real_digests_are_known(real):
    """The files of the sets with known digests have those, as far as they are here."""
    for name in ("ogbg-molhiv", "ogbg-molbace", "ogbg-molesol", "ogbg-molfreesolv", "ogbl-ddi"):
        folder = real / "ogb" / name.replace("-", "_")
        assert all(sha256_of(folder / path) == digest for path, digest in known_digests(name).items())


def test_real_tampered_file(tiny, scratch):
    """One changed byte in the real molesol's labels is refused, with the digest that was expected."""
    root = scratch("ogb/ogbg_molesol")
    file = root / "ogb" / "ogbg_molesol" / "raw" / "graph-label.csv.gz"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(DataBroken, match="049ab083983327bd4e2d0bcdb019d6ae4c0316ae676e6add0403a5a7e94c5cad"):
        ogbg_molesol(Store(folders=[root], cache=tiny.store.cache, offline=True))


def test_real_file_that_was_compressed_anew(tiny, scratch):
    """Text of other gzip bytes is taken by what it says, and refused where it says something else."""
    root = scratch("ogb/ogbg_molesol")
    file = root / "ogb" / "ogbg_molesol" / "raw" / "graph-label.csv.gz"
    text = gzip.decompress(file.read_bytes())
    store = Store(folders=[root], cache=tiny.store.cache, offline=True)
    file.write_bytes(gzip.compress(text, 1))
    data = ogbg_molesol(store)
    assert "graph-label.csv.gz are not known: every array equals" in (data.verified or "")
    assert data.facts["digests"] == "what the files hold"
    file.write_bytes(gzip.compress(text.replace(b"-0.77", b"-0.78", 1)))
    with pytest.raises(DataBroken, match="labels differ from those of the known files"):
        ogbg_molesol(store)
