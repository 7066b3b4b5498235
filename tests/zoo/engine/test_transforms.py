"""What is known of the function transforms that a caller runs under."""

import torch

from zoo.engine.transforms import is_one_vmap, is_transformed


def seen(run):
    """What both say inside of `run`, which is handed a function of one tensor."""
    told: list[tuple[bool, bool]] = []

    def look(x):
        told.append((is_transformed(), is_one_vmap()))
        return x.sum()

    run(look)
    return told[0]


def test_none_one_vmap_and_others_are_told_apart():
    """Only a single vmap leaves plain PyTorch below it: not two of them, and not one inside of a gradient."""
    x = torch.randn(2, 3)
    assert seen(lambda look: look(x)) == (False, False)
    assert seen(lambda look: torch.vmap(look)(x)) == (True, True)
    assert seen(lambda look: torch.vmap(torch.vmap(look))(x)) == (True, False)
    assert seen(lambda look: torch.func.grad(look)(x)) == (True, False)
    assert seen(lambda look: torch.func.grad(lambda x: torch.vmap(look)(x).sum())(x)) == (True, False)


def test_without_pytorchs_private_part_no_vmap_is_taken_for_one(monkeypatch):
    """Operators are then made of PyTorch's own, as under any other transform."""
    monkeypatch.setattr("zoo.engine.transforms._functorch", None)
    assert seen(lambda look: torch.vmap(look)(torch.randn(2, 3))) == (True, False)
