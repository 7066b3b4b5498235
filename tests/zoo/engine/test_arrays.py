"""Tensors handed to compiled loops."""

import numpy as np
import torch
from zoo.engine.arrays import array, by_member, numbers


def test_memory_is_shared_where_it_lies_in_order():
    """What a loop writes into a contiguous tensor's array stands in the tensor; a strided one is copied."""
    x = torch.zeros(2, 3, requires_grad=True)
    array(x, x.dtype)[0, 1] = 5
    assert x[0, 1] == 5
    strided = torch.arange(6.0).view(2, 3).t()
    assert array(strided, strided.dtype).flags.c_contiguous
    np.testing.assert_array_equal(array(strided, strided.dtype), strided.numpy())


def test_nothing_is_an_array_without_rows():
    """In place of a tensor that is not there stands an empty array of the same kind."""
    assert array(None, torch.float64).shape == (0, 0) and array(None, torch.bool, dimensions=1).shape == (0,)
    assert array(None, torch.float64).dtype == np.float64


def test_numbers_have_the_precision_of_the_features():
    """float64 numbers would have all that they multiply computed in float64."""
    assert numbers(torch.float32, 0.2, 1.0).dtype == np.float32
    assert numbers(torch.float64, 0.1)[0] == 0.1


def test_members_come_one_after_the_other():
    """Of several networks each array's parts, in order; what is not there goes to each; one network is whole."""
    x, y = np.arange(12.0).reshape(2, 3, 2), np.arange(4.0).reshape(2, 2)
    nothing = np.empty((0, 0))
    first, second = by_member(3, x, nothing, y)
    assert (first[0] == x[0]).all() and first[1] is nothing and (first[2] == y[0]).all()
    assert (second[0] == x[1]).all() and second[1] is nothing and (second[2] == y[1]).all()
    assert list(by_member(2, y, nothing)) == [(y, nothing)]
