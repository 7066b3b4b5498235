import threading

import pytest

import zoo
from compared.points import BASE
from compared.zoo_training import ZooTraining


def test_a_training_in_turns_is_the_training(small):
    """Two trainings that take turns have, each, the losses of one that is left alone."""

    class Rows(list):
        def measured(self, row):
            self.append(row)

        def probed(self, row):
            pass

    overrides = small().overrides
    alone = Rows()
    zoo.build(BASE, {**overrides, "training.duration": 4, "execution.device": "cpu"}).trainer((alone,)).fit()
    both = [ZooTraining(name, BASE, overrides) for name in "ab"]
    for _ in range(5):
        assert all(each.epoch() > 0 for each in both)
    for each in both:
        assert each.losses[:4] == [row["loss"] for row in alone]
        assert each.vals[:4] == [row["val"] for row in alone]
        each.close()


def test_closing_ends_the_thread(small):
    """A training that is over leaves no thread behind, begun or not."""
    before = threading.active_count()
    begun, other = (ZooTraining(name, BASE, small().overrides) for name in "ab")
    begun.epoch()
    begun.close()
    other.close()
    assert threading.active_count() == before


def test_what_goes_wrong_in_the_trainer_is_raised_here(small):
    """A training that ends by itself is an error for the one who asked for an epoch."""
    short = ZooTraining("short", BASE, {**small().overrides, "training.duration": 2})
    short.epoch()
    with pytest.raises(RuntimeError, match="ended by itself"):
        short.epoch()


def test_matrices_start_no_larger_than_asked(small):
    """`largest` bounds the Frobenius norm of every block's matrix."""
    one = ZooTraining("one", BASE, small().overrides, largest=0.25)
    norms = [float(matrix.detach().norm()) for matrix in one.built.network.block_matrices().values()]
    assert norms == pytest.approx([0.25] * 3)
    one.close()
