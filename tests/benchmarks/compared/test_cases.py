from compared import cases
from compared.cases import CHECKPOINT, PEERS, changes, contestants, estimate
from compared.points import Point


def test_what_does_not_fit_is_left_out_with_its_reason(small, monkeypatch):
    """Where memory is short a contestant is named with what it needs, and not begun."""
    monkeypatch.setattr(cases, "available", lambda: 1000)
    found, left_out = contestants(small(), ["zoo", "dgl.nn"], {}, 1)
    assert not found
    assert set(left_out) == {"zoo", "dgl.nn"}
    assert "GiB" in left_out["zoo"]


def test_estimates_grow_as_the_method_does():
    """Activations grow with the number of blocks, with checkpoints by its root."""
    shallow, deep = (Point("cora", "gcn", depth) for depth in (64, 256))
    ratios = {
        name: estimate(name, deep, 100, 0) / estimate(name, shallow, 100, 0) for name in ("zoo", *PEERS, CHECKPOINT)
    }
    assert ratios == {**dict.fromkeys(("zoo", *PEERS), 4.0), CHECKPOINT: 2.0}


def test_changes_are_values_not_words():
    """A number on the command line is a number in the recipe, and a value may hold an equals sign."""
    assert changes(["optimizer.lr=0.1", "model.share_weights=true", "description=a=b"]) == {
        "optimizer.lr": 0.1,
        "model.share_weights": True,
        "description": "a=b",
    }


def test_checkpoints_train_the_same_curve(small):
    """Checkpoints change no loss."""
    found, left_out = contestants(small(depth=40), ["zoo", CHECKPOINT], {}, 1)
    assert not left_out
    for each in found:
        for _ in range(4):
            each.epoch()
        each.close()
    plain, checkpoint = (each.losses[:3] for each in found)
    assert checkpoint == plain
