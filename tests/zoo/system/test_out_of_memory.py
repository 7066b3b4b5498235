"""A lack of memory is told from other errors."""

import errno

import pytest
import torch

from zoo.system.out_of_memory import asked_for, shortage_of


def test_pytorch_itself():
    """What PyTorch really says when it is asked for more than any machine has."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 55, dtype=torch.uint8)
    assert shortage_of(caught.value) is caught.value
    assert asked_for(caught.value) == 1 << 55


def test_a_cause_counts_and_a_neighbour_does_not():
    """An error that was raised from a lack is one; an error that only came after one is not."""
    outer = ValueError("cannot be read")
    outer.__cause__ = lack = MemoryError()
    assert shortage_of(outer) is lack
    after = ValueError("cannot be read")
    after.__context__ = MemoryError()
    assert shortage_of(after) is None


@pytest.mark.parametrize("error", [RuntimeError("sizes differ"), OSError(errno.ENOSPC, "full"), ValueError("memory")])
def test_others_are_none(error):
    """Neither a bug nor a full disk is a lack of memory."""
    assert shortage_of(error) is None and asked_for(error) is None
