"""Embeddings of nodes: OGB's atoms, categories, and which one is taken."""

import pytest
import torch

from zoo import ogb_backend
from zoo.errors import BuildError
from zoo.layers.embedding import AtomEmbedding, CategoryEmbedding, Inputs, NoEmbedding, auto

ATOMS = ogb_backend.atom_categories()
ATOM = Inputs(len(ATOMS), ATOMS, "atom")


@pytest.mark.parametrize("count", [0, 5, 4000])
def test_atoms_equal_ogbs_encoder(count: int):
    """Values and gradients are those that OGB's class computes of the same parameters, which its state fits."""
    ours = AtomEmbedding(ATOM, 4).double()
    theirs = ogb_backend.atom_encoder(4).double()
    theirs.load_state_dict(ours.encoder.state_dict())
    generator = torch.Generator().manual_seed(0)
    x = torch.stack([torch.randint(many, (count,), generator=generator) for many in ATOMS], dim=1)
    one, other = ours(x), theirs(x)
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    incoming = torch.randn(count, 4, dtype=torch.float64)
    pairs = [
        torch.autograd.grad(y, list(module.parameters()), incoming) for y, module in ((one, ours), (other, theirs))
    ]
    for mine, wanted in zip(*pairs, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=0, atol=1e-10)


def test_categories_are_summed():
    """The result is the sum of the columns' rows."""
    ours = CategoryEmbedding(Inputs(2, (3, 2)), 4)
    x = torch.tensor([[0, 1], [2, 0]])
    first, second = (torch.as_tensor(column.weight) for column in ours.columns)
    torch.testing.assert_close(ours(x), torch.stack([first[0] + second[1], first[2] + second[0]]))


@pytest.mark.parametrize(
    ("inputs", "kind", "width", "reason"),
    [
        (Inputs(5), NoEmbedding, 5, "floats"),
        (Inputs(2, (3, 2)), CategoryEmbedding, 8, "categories"),
        (ATOM, AtomEmbedding, 8, "atoms"),
    ],
)
def test_auto_says_which_and_why(inputs: Inputs, kind: type, width: int, reason: str):
    """Floats stay, atoms get OGB's encoder, other integers a vector for each category; the reason is recorded."""
    made = auto(inputs, 8)
    assert type(made) is kind and made.out_width == width and reason in made.reason
    if inputs.categories is not None:
        assert auto(inputs, 8, width=6).out_width == 6


@pytest.mark.parametrize(
    ("make", "inputs", "words"),
    [
        (NoEmbedding, Inputs(1, (3,)), "embedding=category"),
        (CategoryEmbedding, Inputs(5), "embedding=none"),
        (AtomEmbedding, Inputs(5), "features are floats — expected those of OGB's atoms"),
        (AtomEmbedding, Inputs(2, (3, 2)), r"categories \[3, 2\]"),
    ],
)
def test_features_of_another_kind_are_refused(make: type, inputs: Inputs, words: str):
    """Each embedding names what it got and what it takes."""
    with pytest.raises(BuildError, match=words):
        make(inputs, 4)
