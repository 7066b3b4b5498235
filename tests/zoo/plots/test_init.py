"""All pictures of a run."""

import numpy as np
import pytest

from zoo.errors import RunError
from zoo.plots import draw


def test_a_run_with_probes_has_every_picture(record, recorded):
    """Each names the recipe, seed, metric and what was measured, and marks the best validation."""
    run = recorded(record(epochs=5), val=(0.4, 0.7, 0.6, 0.7), seed=3)
    pictures = draw(run)
    assert list(pictures) == ["training", "profile", "heatmap", "bound"]
    for figure in pictures.values():
        title = figure.get_suptitle()
        assert title.startswith("smoke/res-gcn, seed 3: ")
        assert "test accuracy 0.600 at the best validation (finished)" in title
    best = pictures["training"].axes[0].get_lines()[-1]
    assert best.get_label() == "best: epoch 2", "the first of two that are equal, whose weights were kept"
    keys = [text.get_text() for text in pictures["profile"].legends[0].get_texts()]
    assert keys == ["first: epoch 0", "best: epoch 2", "last: epoch 4"]


def test_a_run_without_probes_has_its_training(recorded):
    """Validation alone is drawn from metrics.jsonl."""
    pictures = draw(recorded())
    assert list(pictures) == ["training"]
    assert ": validation during training\n" in pictures["training"].get_suptitle()
    np.testing.assert_array_equal(pictures["training"].axes[0].get_lines()[0].get_ydata(), [0.4, 0.7, 0.6, 0.5])


def test_pictures_without_data_are_left_out(record, recorded):
    """Without a normaliser there is no bound to draw."""
    assert list(draw(recorded(record(bounds=False)))) == ["training", "profile", "heatmap"]


def test_a_run_that_never_validated(record, recorded):
    """Its gradients are drawn, without a best; with no probes either there is nothing."""
    pictures = draw(recorded(record(epochs=1), val=()))
    assert "never validated" in pictures["profile"].get_suptitle()
    keys = [text.get_text() for text in pictures["profile"].legends[0].get_texts()]
    assert keys == ["first = last: epoch 0"]
    assert draw(recorded(val=(), seed=1)) == {}


def test_one_block_one_step(record, recorded):
    """The smallest run has its one number in each picture."""
    rows = record(blocks=1, epochs=1)
    pictures = draw(recorded(rows, val=(0.5,)))
    first = {name: figure.axes[0] for name, figure in pictures.items()}
    assert np.asarray(first["training"].get_lines()[0].get_xydata()).tolist() == [[1, 0.5]]
    (mu,) = rows[0]["gradients.mu.plain"]
    assert np.asarray(first["profile"].get_lines()[0].get_xydata()).tolist() == [[1, mu]]
    cells = first["heatmap"].collections[0].get_array()
    assert cells is not None and cells.tolist() == [[np.log10(mu)]]
    assert np.asarray(first["bound"].get_lines()[0].get_xydata()).tolist() == [[0, 1]]
    for figure in pictures.values():
        figure.draw_without_rendering()


def test_a_run_that_diverged(record, recorded):
    """Null wherever a number was not finite leaves gaps in every picture."""
    rows = record(epochs=3)
    rows[-1] = {name: value if name in ("step", "epoch") else None for name, value in rows[-1].items()}
    pictures = draw(recorded(rows, val=(0.5, float("nan"))))
    assert len(pictures) == 4
    first = {name: figure.axes[0] for name, figure in pictures.items()}
    np.testing.assert_array_equal(first["training"].get_lines()[0].get_ydata(), [0.5, np.nan])
    np.testing.assert_array_equal(first["profile"].get_lines()[0].get_ydata(), rows[0]["gradients.mu.plain"])
    cells = first["heatmap"].collections[0].get_array()
    assert cells is not None
    mask = np.ma.getmaskarray(np.ma.asarray(cells))
    assert mask.tolist() == [[False, False, True]] * 6
    assert [np.asarray(line.get_xdata()).tolist() for line in first["bound"].get_lines()[:3]] == [[0, 1]] * 3
    for figure in pictures.values():
        figure.draw_without_rendering()


def test_a_damaged_record_is_the_runs_error(recorded):
    """What cannot be read is not drawn around."""
    run = recorded([])
    (run.path / "probes.jsonl").write_text("{")
    with pytest.raises(RunError, match=r"probes\.jsonl"):
        draw(run)
