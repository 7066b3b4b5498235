"""Memory that is lent again, and only when nobody holds it."""

import torch

from zoo.engine.buffers import Buffers

SHAPE = torch.Size((8, 4))


def test_memory_comes_back_when_its_tensor_is_gone():
    """The second tensor lies where the first lay; while the first is held it does not."""
    buffers = Buffers()
    first = buffers.take(SHAPE, torch.float32)
    second = buffers.take(SHAPE, torch.float32)
    assert first.data_ptr() != second.data_ptr()
    place = first.data_ptr()
    del first
    assert buffers.take(SHAPE, torch.float32).data_ptr() == place


def test_gradients_go_to_and_fro_between_two_buffers():
    """However many features are held, a gradient that makes the next one and goes takes turns with it."""
    buffers = Buffers()
    features = [buffers.take(SHAPE, torch.float32) for _ in range(5)]
    places: list[int] = []
    gradient = buffers.take(SHAPE, torch.float32, "gradients")
    for _ in range(6):
        gradient = buffers.take(SHAPE, torch.float32, "gradients")
        places.append(gradient.data_ptr())
    assert len(set(places)) == 2
    assert not set(places) & {each.data_ptr() for each in features}


def test_views_and_saved_tensors_hold_the_memory():
    """A view of a tensor, or an autograd graph that saved it, keeps it from being lent."""
    buffers = Buffers()
    x = buffers.take(SHAPE, torch.float32)
    view, place = x[:2], x.data_ptr()
    del x
    assert buffers.take(SHAPE, torch.float32).data_ptr() != place
    del view
    x = buffers.take(SHAPE, torch.float32).fill_(1.0).requires_grad_()
    loss = (x * x).sum()  # saves x
    place = x.data_ptr()
    del x
    others = [buffers.take(SHAPE, torch.float32) for _ in range(4)]
    assert place not in [other.data_ptr() for other in others]
    loss.backward()


def test_a_tensor_is_no_view():
    """Autograd would treat a view as changed with its base; these tensors are on their own."""
    x = Buffers().take(SHAPE, torch.float32)
    assert not x._is_view() and x.shape == SHAPE and x.is_contiguous()


def test_shapes_and_types_are_kept_apart():
    """What is lent has the shape and the type that were asked for."""
    buffers = Buffers()
    buffers.take(SHAPE, torch.float32)
    assert buffers.take(torch.Size((4, 8)), torch.float32).shape == (4, 8)
    assert buffers.take(SHAPE, torch.bool).dtype == torch.bool


def test_cleared_buffers_leave_what_is_in_use_alone():
    """After clearing, a tensor that somebody holds keeps its values, and new memory is another."""
    buffers = Buffers()
    held = buffers.take(SHAPE, torch.float32).fill_(3.0)
    Buffers.clear_all()
    buffers.take(SHAPE, torch.float32).fill_(0.0)
    assert bool((held == 3.0).all())


def test_without_counts_every_tensor_is_fresh(monkeypatch):
    """On a PyTorch that does not say who shares a storage nothing is lent twice."""
    monkeypatch.setattr("zoo.engine.buffers.TELLS_SHARERS", False)
    buffers = Buffers()
    first, second = buffers.take(SHAPE, torch.float32), buffers.take(SHAPE, torch.float32)
    assert first.data_ptr() != second.data_ptr() and first.shape == SHAPE


def test_a_storage_that_somebody_names_is_held():
    """Who keeps the storage alone, without a tensor, keeps its memory, too."""
    buffers = Buffers()
    x = buffers.take(SHAPE, torch.float32).fill_(3.0)
    storage = x.untyped_storage()
    del x
    buffers.take(SHAPE, torch.float32).fill_(0.0)
    assert storage.tolist() == torch.full(SHAPE, 3.0).untyped_storage().tolist()
