"""Learning rates: a number, or pairs (first update, step size)."""

import keras

from resnet_lesson.arguments import positive_number, whole_number


def schedule(learning_rate):
    """Return what a Keras optimiser takes for a learning rate of the course.

    Args:
        learning_rate: a number, or pairs (first update, step size) as in
            ``[(0, 2e-3), (9000, 2e-4)]``.

    Returns:
        float or ``keras.optimizers.schedules.PiecewiseConstantDecay``.

    Raises:
        TypeError, ValueError: it is neither; the message ends with what was received.
    """
    if not isinstance(learning_rate, (list, tuple)):
        return positive_number("learning_rate", learning_rate)
    if not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in learning_rate):
        raise ValueError(
            "learning_rate must be a number or pairs (first update, step size), as in "
            f"[(0, 2e-3), (9000, 2e-4)]. Received: {learning_rate!r}"
        )
    starts = [whole_number("learning_rate's first updates", start) for start, _ in learning_rate]
    rates = [positive_number("learning_rate", rate) for _, rate in learning_rate]
    if not starts or starts[0] != 0 or starts != sorted(set(starts)):
        raise ValueError(
            "learning_rate, given as pairs, must start at update 0 and go up. "
            f"Received: {learning_rate!r}"
        )
    if len(rates) == 1:
        return rates[0]
    # Keras keeps a rate up to and including its boundary.
    boundaries = [start - 1 for start in starts[1:]]
    return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)
