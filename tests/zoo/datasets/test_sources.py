"""Sources of data sets, and data sets that bring their own."""

import hashlib
import json
import re
from collections import Counter
from functools import partial

import numpy as np
import pytest

import zoo
from registry import datasets
from zoo.datasets import geom_gcn
from zoo.datasets.sources import _files, known_content, known_digests, source_files, superseded_content
from zoo.datasets.store import Store
from zoo.errors import DataBroken, DataMissing
from zoo.system.files import sha256_of

MADE = {"block-model", "overlapping-blocks", "karate", "random-graphs"}
OGB = {name for name in datasets.names() if name.startswith("ogb")}  # by folders of their own
ALL = [file for name in _files() if name not in OGB for file in source_files(name)]


@pytest.mark.parametrize("name", sorted(set(datasets.names()) - MADE - OGB))
def test_every_data_set_has_verified_files(name, registered, tmp_path):
    """Each file of each data set has a digest and, in the message about its absence, an address at a fixed commit."""
    files = source_files(name)
    assert files and all(file.digests for file in files)
    with pytest.raises(DataMissing) as caught:
        registered(name)(Store(folders=[], cache=tmp_path, offline=True))
    addresses = re.findall(r"it is at (\S+)", str(caught.value))
    assert len(addresses) == len(files)
    for address in addresses:
        assert re.fullmatch(r"https://raw\.githubusercontent\.com/[\w.-]+/[\w.-]+/[0-9a-f]{40}/.+", address)


def test_digests_are_well_formed():
    """Digests are lower-case hexadecimal of the right length, and every file's original has a git id."""
    for file in ALL:
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}|git:[0-9a-f]{40}", digest) for digest in file.digests)
        assert any(digest.startswith("git:") for digest in file.digests)


def test_no_two_files_share_a_digest():
    """A digest belongs to one file of one data set, OGB's among them: two of the same content would be one mistaken.

    A content that was distributed by mistake is no file of the data set.
    """
    digests = [digest for file in ALL for digest in file.digests]
    digests += [digest for name in OGB for digest in known_digests(name).values()]
    assert [digest for digest, times in Counter(digests).items() if times > 1] == []
    assert all(not set(file.superseded) & set(file.digests) for file in ALL)


def test_known_and_superseded_contents():
    """A file is known by data set, path and digest, in optional parts too; a superseded one has a reason."""
    part = source_files("cora/geom-gcn")[0]
    edges = known_digests("ogbl-ddi")["raw/edge.csv.gz"]
    assert known_content("cora", part.path, part.digests[0]) and known_content("ogbl-ddi", "raw/edge.csv.gz", edges)
    assert not known_content("citeseer", part.path, part.digests[0]) and not known_content("cora", part.path, edges)
    (nodes,) = [file for file in source_files("cornell", geom_gcn.GEOM_GCN) if file.name.endswith("label.txt")]
    bad, reason = next(iter(nodes.superseded.items()))
    assert superseded_content(nodes.path, bad) == reason and "Texas" in reason
    assert superseded_content(nodes.path, nodes.digests[0]) is None


def test_paths_are_relative_and_used_once():
    """No path leaves the data folder, and no two entries share one."""
    paths = [file.path for file in ALL]
    assert len(set(paths)) == len(paths)
    assert all(not path.startswith("/") and ".." not in path.split("/") for path in paths)


def test_folders_are_those_of_dgls_raw_dir():
    """The suffix of a folder below dgl/ is the start of the sha1 of DGL's download address."""
    for folder in {file.path.split("/")[1] for file in ALL if file.path.startswith("dgl/")}:
        name, _, suffix = folder.rpartition("_")
        addresses = [
            f"https://data.dgl.ai/dataset/{name}.zip",
            f"https://github.com/yandex-research/heterophilous-graphs/raw/main/data/{name}.npz",
            f"https://www.chrsmrrs.com/graphkerneldatasets/{name}.zip",
        ]
        assert suffix in [hashlib.sha1(address.encode()).hexdigest()[:8] for address in addresses]


def test_sha256_agree_with_the_folders_own_list(real):
    """Every file in the data folder's SHA256SUMS that the table knows has the same sha256 there."""
    sums = real / "SHA256SUMS"
    if not sums.is_file():
        pytest.skip("the data folder has no SHA256SUMS")
    listed = dict(line.split(maxsplit=1)[::-1] for line in sums.read_text().splitlines())
    shared = [file for file in ALL if file.path in listed]
    assert len(shared) > 100
    assert [file.path for file in shared if f"sha256:{listed[file.path]}" not in file.digests] == []


OWN = """
from registry import datasets
from zoo.datasets.base import NodeData
from zoo.datasets.readers import Archive
from zoo.datasets.sources import Source
from zoo.datasets.store import SourceFile

SOURCE = Source("https://example.org/rings", "CC-BY-4.0", "https://example.org/rings/v1")
FILE = SourceFile("rings/rings.npz", ("{digest}",), f"{{SOURCE.files}}/rings.npz")

@datasets.register("own-rings")
def rings(store):
    found = store.read("own-rings", [FILE])
    arrays = Archive(found["rings.npz"])
    facts = SOURCE.facts(found.values(), edges="directed")
    return NodeData("own-rings", arrays["src"], arrays["dst"], arrays["x"], arrays["y"], 2, facts=facts)
"""


def test_a_data_set_is_its_loader_and_its_name(tmp_path, monkeypatch):
    """A plug-in that declares its source and files is found, verified, trained on and recorded."""
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    file = tmp_path / "rings" / "rings.npz"
    plugin = tmp_path / "own_rings.py"
    file.parent.mkdir()
    src = np.arange(40)
    np.savez(file, src=src, dst=np.roll(src, 1), x=np.random.default_rng(0).normal(size=(40, 4)), y=src % 2)
    plugin.write_text(OWN.format(digest=sha256_of(file)))
    changes = {"dataset": "own-rings", "split": "random"}
    train = partial(zoo.train, "smoke/res-gcn", changes, plugins=[plugin], runs=tmp_path / "runs")
    run = train()
    data = json.loads((run.path / "environment.json").read_text())["data"]
    assert data["source"] == "https://example.org/rings" and data["licence"] == "CC-BY-4.0"
    assert data["files"] == {"rings/rings.npz": sha256_of(file)}
    assert data["digest"].startswith("blake2b:") and "verified" not in data
    assert train().path == run.path  # finished, and of these data
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(
        DataBroken, match=r"rings\.npz — wrong content .* again from https://example\.org/rings/v1/rings"
    ):
        zoo.build("smoke/res-gcn", changes, plugins=[plugin])
