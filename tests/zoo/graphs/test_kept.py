"""Who holds an output of a reversible operator, and when."""

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef

from zoo.errors import BuildError
from zoo.graphs.kept import Kept


def test_an_output_is_held_until_it_is_released():
    """Then its memory goes, unless somebody else holds it; without either, taking it is an error with the way out."""
    x = torch.ones(3)
    kept, storage = Kept(x, "do this"), StorageWeakRef(x.untyped_storage())
    assert torch.equal(kept.take(), torch.ones(3))
    kept.release()
    assert torch.equal(kept.take(), torch.ones(3))  # x is still there
    del x
    assert storage.expired()
    with pytest.raises(BuildError, match=r"output is gone.*do this"):
        kept.take()


def test_what_was_lent_is_taken_once():
    """The next operator lends it; after that its own holder counts again."""
    kept = Kept(torch.ones(3), "")
    kept.lent = torch.zeros(3)
    assert torch.equal(kept.take(), torch.zeros(3))
    assert torch.equal(kept.take(), torch.ones(3))


def test_an_overwritten_output_is_refused():
    """Rather than to start from other numbers."""
    x = torch.ones(3)
    kept = Kept(x, "")
    x.add_(1)
    with pytest.raises(BuildError, match="overwritten"):
        kept.take()


def test_only_reversible_operators_have_one():
    """Other nodes' results, and leaves, do not."""
    assert Kept.of(torch.ones(1)) is None
    assert Kept.of(torch.ones(1, requires_grad=True) * 2) is None
