"""Digests of files, data sets and splits."""

import subprocess
from dataclasses import replace

import pytest
import torch

from zoo.datasets.base import LinkData, LinkSplit, Masks, NodeData, Split
from zoo.datasets.digests import accepted, digest_of, git_blob, parts_of
from zoo.system.files import sha256


def test_sha256_of_nothing_is_the_published_value():
    """sha256 of the empty string, as in FIPS 180-4 test vectors."""
    assert sha256(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("content", [b"", b"hello\n", bytes(range(256)) * 300])
def test_git_blob_is_what_git_says(content):
    """The blob id is that of `git hash-object`."""
    try:
        known = subprocess.run(["git", "hash-object", "--stdin"], input=content, capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    assert git_blob(content) == f"git:{known.stdout.decode().strip()}"


def test_either_kind_of_digest_is_accepted():
    """One matching digest of any kind is enough; none at all accepts anything; no match refuses."""
    assert accepted(b"x", ["sha256:0", git_blob(b"x")])
    assert accepted(b"x", [sha256(b"x"), "git:0"])
    assert accepted(b"x", [])
    assert not accepted(b"x", [sha256(b"y"), git_blob(b"y")])


MASK = torch.tensor([[True, False, False]])
DATA = NodeData(
    name="small",
    src=torch.tensor([0, 1]),
    dst=torch.tensor([1, 2]),
    features=torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
    labels=torch.tensor([0, 1, 1]),
    classes=2,
    masks={"public": Masks(MASK, MASK.roll(1), MASK.roll(2))},
)


def test_equal_content_has_one_digest_whatever_it_is_called():
    """Name and facts do not count, nor does how a tensor lies in memory."""
    turned = DATA.features.T.contiguous().T
    assert not turned.is_contiguous()
    same = replace(DATA, name="other", features=turned, src=DATA.src.clone(), facts={"source": "elsewhere"})
    assert digest_of(same) == digest_of(DATA)


@pytest.mark.parametrize(
    "change",
    [
        {"src": torch.tensor([0, 2])},
        {"dst": torch.tensor([2, 1])},
        {"features": DATA.features.double()},
        {"features": torch.nextafter(DATA.features, torch.tensor(9.0))},
        {"features": DATA.features.reshape(2, 3)},
        {"features": -0.0 * DATA.features},
        {"labels": torch.tensor([0, 1, 0])},
        {"classes": 3},
        {"metric": "rocauc"},
        {"masks": {}},
        {"masks": {"geom-gcn": DATA.masks["public"]}},
        {"masks": {"public": Masks(MASK.roll(1), MASK, MASK.roll(2))}},
        {"edge_features": torch.zeros(2, 1)},
        {"categories": (2, 7)},
    ],
)
def test_each_number_counts(change):
    """One edge, one last digit, a shape, a kind of number, a mask, a class more: another digest."""
    assert digest_of(replace(DATA, **change)) != digest_of(DATA)


def test_links_and_splits_have_digests_too():
    """The parts of a split count, and those of the split inside a data set with links."""
    pairs = torch.tensor([[0, 1], [1, 2]])
    links = LinkSplit("public", pairs, pairs, pairs, pairs, pairs, pairs)
    data = LinkData("links", DATA.src, DATA.dst, DATA.features, links)
    other = replace(data, links=replace(links, test_negative=pairs.flip(1)))
    assert digest_of(data) != digest_of(other)
    assert {name for name, digest in parts_of(data).items() if digest != parts_of(other)[name]} == {
        "links.test_negative"
    }
    split = Split("random", pairs[0], pairs[1], pairs[0])
    assert digest_of(split) == digest_of(replace(split, facts={"seed": 1}))
    assert digest_of(split) != digest_of(replace(split, test=pairs[1]))
