"""Checks of lesson 08: right answers in several styles pass, each wrong one gets its message."""

import numpy as np
import tensorflow as tf
from answers import right_answers_pass, wrong_answers_get_their_message

from resnet_lesson import checks
from resnet_lesson.handwriting import centre_by_mass


def centre(ink):
    ink = ink.astype(float)
    rows, columns = np.indices(ink.shape)
    return (rows * ink).sum() / ink.sum(), (columns * ink).sum() / ink.sum()


def centre_by_average(ink):
    return [
        np.average(np.arange(size), weights=ink.sum(axis=1 - axis, dtype=float))
        for axis, size in enumerate(ink.shape)
    ]


def centre_by_tensors(ink):
    ink = tf.cast(ink, tf.float64)
    places = tf.cast(tf.stack(tf.meshgrid(*map(range, ink.shape), indexing="ij")), tf.float64)
    return tf.reduce_sum(places * ink, axis=(1, 2)) / tf.reduce_sum(ink)


def overflowing(ink):
    rows, columns = np.indices(ink.shape).astype(np.uint8)
    total = ink.sum(dtype=float)
    return (rows * ink).sum(dtype=float) / total, (columns * ink).sum(dtype=float) / total


def placed(top, left, boxed):
    field = np.zeros((28, 28))
    field[top : top + boxed.shape[0], left : left + boxed.shape[1]] = boxed
    return field


def field_by(middle, place=centre):
    def answer(boxed):
        row, column = place(boxed)
        return placed(round(middle - row), round(middle - column), boxed)

    return answer


def middle_of_box(boxed):
    return [(size - 1) / 2 for size in boxed.shape]


def cycle(update, updates, peak, share=0.25):
    top = share * updates
    return peak * update / top if update < top else peak * (updates - update) / (updates - top)


def average(weights, keep):
    mean = weights[0]
    for one in weights[1:]:
        mean = keep * mean + (1 - keep) * one
    return mean


def average_at_once(weights, keep):
    powers = keep ** np.arange(len(weights) - 1, -1, -1.0)
    powers[1:] *= 1 - keep
    return powers @ np.array(weights)


def choice(val, test, by=np.mean, chosen="val", reported="test", report=np.mean):
    table = {"val": val, "test": test}
    name = max(table[chosen], key=lambda one: by(table[chosen][one]))
    return name, report(table[reported][name])


RIGHT = [
    (checks.centre_of_mass, centre),
    (checks.centre_of_mass, centre_by_average),
    (checks.centre_of_mass, centre_by_tensors),
    (checks.into_field, centre_by_mass),
    (checks.into_field, field_by(13.5)),
    (checks.cycle_rate, cycle),
    (checks.cycle_rate, lambda i, n, peak: peak * min(4 * i / n, 4 / 3 * (1 - i / n))),
    (checks.average_of, average),
    (checks.average_of, average_at_once),
    (checks.average_of, lambda w, keep: tf.constant(average(w, keep))),
    (checks.resnext_parameters, lambda w, c, d: c * (2 * w * d + 9 * d * d)),
    (checks.resnext_parameters, lambda w, c, d: np.int64(w * c * d * 2 + (3 * 3 * d) * (c * d))),
    (checks.honest_choice, choice),
    (checks.honest_choice, lambda val, test: list(choice(val, test))),
]
WRONG = [
    (checks.centre_of_mass, lambda ink: centre(ink)[::-1], "are exchanged"),
    (checks.centre_of_mass, lambda ink: centre(ink > 0), "counts by its ink"),
    (checks.centre_of_mass, middle_of_box, "middle of the picture"),
    (checks.centre_of_mass, lambda ink: [
        (np.nonzero(ink)[axis].min() + np.nonzero(ink)[axis].max()) / 2 for axis in (0, 1)
    ], "rectangle around the ink"),
    (checks.centre_of_mass, lambda ink: np.add(centre(ink), 1), "in Python they are 0"),
    (checks.centre_of_mass, overflowing, "overflowed"),
    (checks.centre_of_mass, lambda ink: np.round(centre(ink)), "is rounded"),
    (checks.centre_of_mass, lambda ink: (np.indices(ink.shape) * ink.astype(float)).mean((1, 2)),
     "not by the ink"),
    (checks.centre_of_mass, lambda ink: (0.1, 0.2), "is not the centre"),
    (checks.centre_of_mass, lambda ink: 3.0, "should have the shape"),
    (checks.into_field, field_by(13.5, middle_of_box), "the centre of mass should be"),
    (checks.into_field, field_by(12.5), "nearly"),
    (checks.into_field, lambda boxed: placed(0, 0, boxed), "from the middle"),
    (checks.into_field, lambda boxed: centre_by_mass(boxed)[::-1], "turned, flipped"),
    (checks.into_field, lambda boxed: centre_by_mass(boxed) > 0, "should be numbers"),
    (checks.into_field, lambda boxed: centre_by_mass(boxed) // 2, "all the pixels"),
    (checks.into_field, lambda boxed: boxed, "should have the shape"),
    (checks.cycle_rate, lambda i, n, peak: cycle(i, n, peak, 0.5), "after a quarter"),
    (checks.cycle_rate, lambda i, n, peak: peak * min(4 * i / n, 1), "should also fall"),
    (checks.cycle_rate, lambda i, n, peak: peak * (1 - i / n), "should rise first"),
    (checks.cycle_rate, lambda i, n, peak: cycle(i, n, 1.0), "the peak is missing"),
    (checks.cycle_rate, lambda i, n, peak: peak * (4 * i / n if 4 * i < n else 1 - (i - n / 4) / n),
     "too slowly"),
    (checks.cycle_rate, lambda i, n, peak: peak, "two straight lines"),
    (checks.average_of, lambda w, keep: average(w, 1 - keep), "are exchanged"),
    (checks.average_of, lambda w, keep: average([0 * w[0], *w], keep), "starts at zero"),
    (checks.average_of, lambda w, keep: np.mean(w, axis=0), "plain mean"),
    (checks.average_of, lambda w, keep: w[-1], "without an average"),
    (checks.average_of, lambda w, keep: average([w[0], *(one / (1 - keep) for one in w[1:])], keep),
     "add up to 1"),
    (checks.average_of, lambda w, keep: average(w[::-1], keep), "wrong order"),
    (checks.average_of, lambda w, keep: 2 * w[0], "not the moving average"),
    (checks.resnext_parameters, lambda w, c, d: 2 * w * c * d + 9 * (c * d) ** 2, "is grouped"),
    (checks.resnext_parameters, lambda w, c, d: 2 * w * d + 9 * d * d, "one branch"),
    (checks.resnext_parameters, lambda w, c, d: c * (2 * w * d + d * d), "nine places"),
    (checks.resnext_parameters, lambda w, c, d: c * (w * d + 9 * d * d), "one of the two 1×1"),
    (checks.resnext_parameters, lambda w, c, d: c * 9 * d * d, "the two 1×1"),
    (checks.resnext_parameters, lambda w, c, d: c * (2 * w * d + 9 * d * d) + 2 * c * d + w,
     "no biases"),
    (checks.resnext_parameters, lambda w, c, d: 5, "is not the count"),
    (checks.honest_choice, lambda val, test: choice(val, test, chosen="test"), "have no part"),
    (checks.honest_choice, lambda val, test: choice(val, test, by=max), "luckiest seed"),
    (checks.honest_choice, lambda val, test: choice(val, test, reported="val"),
     "already been used"),
    (checks.honest_choice, lambda val, test: choice(val, test, report=max), "not the best one"),
    (checks.honest_choice, lambda val, test: choice(val, test, report=min), "not the worst one"),
    (checks.honest_choice, lambda val, test: ("b", 0.5), "is not the accuracy"),
    (checks.honest_choice, lambda val, test: "b", "return two things"),
    (checks.honest_choice, lambda val, test: ("d", 0.9), "a name out of the dictionary"),
]  # fmt: skip


test_right, test_wrong = right_answers_pass(RIGHT), wrong_answers_get_their_message(WRONG)
