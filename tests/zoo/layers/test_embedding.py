"""Embeddings of nodes: OGB's atoms, categories, and which one is taken."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import one_hot

from zoo import ogb_backend
from zoo.errors import BuildError
from zoo.layers.embedding import AtomEmbedding, CategoryEmbedding, Inputs, NoEmbedding, auto, look_up

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


def made(counts: list[int], rows: int) -> tuple[list[Tensor], Tensor]:
    """Tables of 3 columns in float64, and rows of categories."""
    generator = torch.Generator().manual_seed(rows)
    tables = [torch.randn(n, 3, dtype=torch.float64, generator=generator).requires_grad_() for n in counts]
    return tables, torch.stack([torch.randint(n, (rows,), generator=generator) for n in counts], dim=1)


@given(counts=st.lists(st.integers(1, 7), min_size=1, max_size=5), rows=st.integers(0, 400))
def test_equals_products_with_one_hot_matrices(counts, rows):
    """Values and the gradients of all tables are those of Σ_k onehot(x_k) E_k, for few rows and for many."""
    tables, x = made(counts, rows)
    ours = look_up(tables, x, "here")
    wanted = sum(one_hot(x[:, k], n).double() @ table for k, (n, table) in enumerate(zip(counts, tables, strict=True)))
    assert isinstance(wanted, Tensor)
    torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-12)
    incoming = torch.randn(ours.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for mine, other in zip(
        torch.autograd.grad(ours, tables, incoming), torch.autograd.grad(wanted, tables, incoming), strict=True
    ):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-11)


def test_few_combinations_are_looked_up_at_once(monkeypatch):
    """Three columns of 60 combinations take one lookup of many rows, and three of few."""
    taken = []
    whole = Tensor.index_select
    monkeypatch.setattr(Tensor, "index_select", lambda *args: (taken.append(1), whole(*args))[1])
    for rows, lookups in ((400, 1), (60, 2), (4, 3)):
        taken.clear()
        look_up(*made([5, 6, 2], rows), "here")
        assert len(taken) == lookups


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(4, 2), r"here — got torch\.float32 \[4, 2\] — expected int64 \[·, 3\]"),
        (torch.zeros(4, 2).long(), r"\[4, 2\]"),
        (torch.tensor([[0, 0, 0], [0, 6, 0]]), r"column 1 has a category 6 — expected 0 … 5"),
        (torch.tensor([[0, 0, -1]]), r"column 2 has a category -1 — expected 0 … 1"),
    ],
)
def test_what_is_in_no_table_is_refused(x, words):
    """Floats, a wrong number of columns, and categories out of range, which combined would be others."""
    with pytest.raises(BuildError, match=words):
        look_up(made([5, 6, 2], 1)[0], x, "here")
