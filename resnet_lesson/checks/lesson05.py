"""Checks of the exercises to lesson 05, inside the network."""

import numpy as np

from resnet_lesson.checks.answers import as_array, call, require
from resnet_lesson.checks.core import check, check_values, drawn
from resnet_lesson.checks.predictions import judged

# Each part turns the logits by some places, so that the digit that is read says which parts ran.
TURNS = {"stem": 0, "block1": 1, "block10": 2, "block2": 4, "head": 0}
LABELS = np.repeat(np.arange(10), np.arange(1, 11))  # one 0, two 1s, three 2s and so on


def _turned(turns):
    return lambda x: np.roll(np.asarray(x), turns, axis=-1)


def _misread(turns):
    """Count the images that are misread if all parts together turn by so many places."""
    return int(np.sum(LABELS != turns % 10))


def _mistakes(answer, names):
    parts = {name: _turned(turns) for name, turns in TURNS.items()}
    given, images = dict(parts), np.eye(10)[np.zeros(len(LABELS), int)]
    found = call(answer, given, list(names), images, LABELS.copy())
    whole = list(given.items()) == list(parts.items())
    require(whole, "the given dictionary was changed; the next experiment needs it whole")
    return found


OUT = [(("block1",),), (("block10", "block2"),), ((),), (("block2", "block1"),)]


@check_values("05", "the count", OUT, run=_mistakes)
def mistakes_without(names):
    """``answer(parts, names, images, labels)`` → images misread with the named parts left out."""
    kept = sum(turns for name, turns in TURNS.items() if name not in names)
    right = _misread(kept)
    started = tuple(names) or ("nothing",)
    fewer = sum(turns for name, turns in TURNS.items() if not name.startswith(started))
    only_first = sum(TURNS.values()) - sum(TURNS[name] for name in names[:1])
    yield "what comes in goes on, and the rest runs in its old order", right
    yield "asked is how many are misread, and this counts those read rightly", len(LABELS) - right
    yield "asked is a number of images, and this is a share", right / len(LABELS)
    yield "nothing is left out", _misread(sum(TURNS.values()))
    yield "leaving out block1 must not leave out block10: compare whole names", _misread(fewer)
    yield "only the first of the names is left out", _misread(only_first)
    yield "only the named parts have run; the others should", _misread(sum(map(TURNS.get, names)))
    yield "a block that is left out gives out zeros; what came in should go on", _misread(0)
    yield "with {names} left out, {found:g} is not the number of images that are misread"


def _halves(seed, size, count=100):
    """Draw 5,000 features of images, 40 of which tell the digits apart if size is not 0.

    Returns:
        features and labels of the images to learn from, features and labels of the new ones.
    """
    features, centres = drawn(seed, (2 * count, 5000), (10, 40))
    labels = np.random.default_rng(seed).permutation(np.arange(2 * count) % 10)
    features[:, 100:140] += size * centres[labels]
    return features[:count] + 40, labels[:count], features[count:] + 40, labels[count:]


@check("05")
def mended_probe(answer):
    """``answer(features, labels, new, new_labels)`` → the accuracy on new images, honestly."""
    noise, digits = (
        np.mean([_read(answer, *_halves(seed, size)) for seed in seeds])
        for size, seeds in ((0, (0, 1, 2)), (2, (3, 4)))
    )
    tested = "so it knows the images that it is tested on"
    require(noise < 0.9, f"of pure noise it reads {noise:.0%}, {tested}: does it learn from them?")
    require(noise < 0.2, f"of pure noise it reads {noise:.0%}, where luck is a tenth, {tested}")
    few = f"where forty features tell the digits apart, it reads {digits:.0%}"
    require(digits > 0.2, f"{few}, which is luck: do labels and images belong together?")
    require(digits > 0.8, f"{few}, too little: choose the features that differ between digits")
    return "chosen and learnt on one half, tested on the other"


def _read(answer, *given):
    """Return the accuracy that the reader's probe reports."""
    copies = [array.copy() for array in given]
    found = float(as_array(call(answer, *copies), "the accuracy", ()))
    require(all(map(np.array_equal, copies, given)), "an array that was given is changed")
    require(0 <= found <= 1, "return a share between 0 and 1")
    return found


@check("05")
def lesion_prediction(answer):
    """``answer``: (prediction, mistakes of faded networks, mistakes of plain ones)."""
    return judged(answer)
