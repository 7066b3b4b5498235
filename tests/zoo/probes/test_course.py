"""What is remembered of a training's losses."""

import math

from zoo.probes.course import Course


def test_peak_best_and_last():
    """The largest loss with its epoch, the loss at the best validation, the last metric; as plain values too."""
    course = Course()
    assert math.isinf(course.peak_loss) and math.isnan(course.last_val)
    for epoch, (loss, val, best) in enumerate([(2.0, 0.1, True), (9.0, 0.5, True), (3.0, 0.2, False)], start=1):
        course.take(epoch, loss, val, best=best)
    assert course == Course(peak_loss=9.0, peak_epoch=2, best_loss=9.0, last_val=0.2)
    assert Course(**course.state_dict()) == course
