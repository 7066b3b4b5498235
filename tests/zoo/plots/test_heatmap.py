"""The heat map: its cells are the logarithms of the record."""

from typing import Any

import numpy as np
import pytest

from zoo.plots.heatmap import edges, heatmap


def cells_of(figure) -> Any:
    return figure.axes[0].collections[0].get_array()


def test_cells_are_logarithms_of_the_record(record):
    """Row l, column t holds log10 μ(G_l) at the t-th measured step."""
    rows = record(blocks=3, epochs=4)
    figure = heatmap(rows, "title", best=2)
    assert figure is not None
    cells = cells_of(figure)
    np.testing.assert_allclose(cells, np.log10([row["gradients.mu.plain"] for row in rows]).T, rtol=1e-12)
    assert figure.axes[0].get_lines()[-1].get_xdata() == [2, 2]
    assert figure.get_suptitle() == "title"


def test_cells_without_a_logarithm_are_hatched(record):
    """Zeros and nulls are masked, with a hatch behind them and a key to it."""
    rows = record(blocks=2, epochs=3)
    rows[0]["gradients.mu.plain"] = [0.0, 1.0]
    rows[1]["gradients.mu.plain"] = None
    figure = heatmap(rows, "")
    assert figure is not None
    mask = np.ma.getmaskarray(cells_of(figure))
    assert mask.tolist() == [[True, True, False], [False, True, False]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [r"$\mu$ is 0 or not finite"]
    assert figure.axes[0].patches[0].get_hatch()


def test_steps_within_an_epoch_have_columns_of_their_own(record):
    """Measured several times an epoch, the axis counts steps."""
    rows = [{**row, "epoch": 1} for row in record(epochs=3)]
    figure = heatmap(rows, "")
    assert figure is not None
    assert figure.axes[0].get_xlabel() == "step"
    assert figure.axes[0].get_xlim() == (-0.5, 2.5)


@pytest.mark.parametrize(("blocks", "epochs"), [(1, 1), (1, 3), (3, 1)])
def test_a_single_block_or_step_is_drawn(record, blocks, epochs):
    """One row or one column is a heat map, too."""
    figure = heatmap(record(blocks, epochs), "", best=0)
    assert figure is not None
    figure.draw_without_rendering()
    assert cells_of(figure).shape == (blocks, epochs)


def test_nothing_positive_is_no_picture(record):
    """Without μ, or with none above 0, there is no figure."""
    assert heatmap([], "") is None
    assert heatmap([{"step": 0, "epoch": 0, "gradients.mu.plain": [0.0, None]}], "") is None


def test_edges_lie_between_the_centres():
    """Cells of unequal width meet half-way, and the outer ones are symmetric about their centre."""
    np.testing.assert_array_equal(edges(np.array([0, 1, 3])), [-0.5, 0.5, 2, 4])
    np.testing.assert_array_equal(edges(np.array([7])), [6.5, 7.5])
