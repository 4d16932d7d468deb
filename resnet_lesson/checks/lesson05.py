"""Checks of the exercises for lesson 05, inside the network."""

import numpy as np

from resnet_lesson.checks.answers import as_array, call, require
from resnet_lesson.checks.core import check, check_values, drawn
from resnet_lesson.checks.predictions import judged

NAMES = ("stem", "block1", "block10", "block2", "head")
IMAGES = drawn(4, (400, 6))[0]
# The blocks are not exchangeable, and neither stem nor head is the identity.
MATRICES = dict(zip(NAMES, drawn(1, (6, 12), *3 * [(12, 12)], (12, 10)), strict=True))


def _part(name):
    if name == "head":
        return lambda x: np.asarray(x) @ MATRICES[name]
    return lambda x: np.tanh(np.asarray(x) @ MATRICES[name])


PARTS = {name: _part(name) for name in NAMES}


def _read(parts, names=(), left_out=lambda x: x):
    """Return the digits that are read, with other things in place of the named parts."""
    return _logits(parts, names, left_out).argmax(axis=1)


def _logits(parts, names=(), left_out=lambda x: x):
    x = IMAGES
    for name, part in parts.items():
        x = left_out(x) if name in names else part(x)
    return x


# Half of them as the whole network reads them, the others as it does without its second block.
LABELS = np.where(np.arange(400) % 2, _read(PARTS), _read(PARTS, ["block10"]))


def _unequal(read):
    """Count the images, the first ones, that are read as another digit than their label."""
    return int(np.sum(read != LABELS[: len(read)]))


def _misread(*given):
    return _unequal(_read(*given))


def _mistakes(answer, names):
    given, listed = dict(PARTS), list(names)
    found = call(answer, given, listed, IMAGES.copy(), LABELS.copy())
    whole = list(given.items()) == list(PARTS.items()) and listed == list(names)
    require(whole, "what was given was changed; the next experiment needs it whole")
    return found


OUT = [(("block1",),), (("block10", "block2"),), ((),), (("block2", "block1"),)]


@check_values("05", "the count", OUT, run=_mistakes)
def mistakes_without(names):
    """``answer(parts, names, images, labels)`` → images misread with the named parts left out."""
    right, started = _misread(PARTS, names), tuple(names) or ("nothing",)
    alike = [name for name in NAMES if name.startswith(started)]
    by_name = {name: PARTS[name] for name in sorted(NAMES[1:4])}
    by_name = {"stem": PARTS["stem"]} | by_name | {"head": PARTS["head"]}
    headless = {name: part for name, part in PARTS.items() if name != "head"}
    yield "what comes in goes on, and the rest runs in its old order", right
    yield "asked is how many are misread, and this counts those read rightly", len(LABELS) - right
    yield "asked is a number of images, and this is a share", right / len(LABELS)
    yield "asked is a number of images, and this is per cent", 100 * right / len(LABELS)
    yield "nothing is left out", _misread(PARTS)
    yield (
        "leaving out block1 must not leave out block10: compare whole names",
        _misread(PARTS, alike),
    )
    within = [name for name in NAMES if any(name in one for one in names)]
    yield "leaving out block10 must not leave out block1: compare names", _misread(PARTS, within)
    yield "only the first of the names is left out", _misread(PARTS, names[:1])
    yield "the parts run in another order than they did", _misread(by_name, names)
    zeros = _misread(PARTS, names, lambda x: 0 * x)
    yield "a block that is left out gives out zeros; what came in should go on", zeros
    twice = _misread(PARTS, names, lambda x: x + x)
    yield "a block that is left out doubles what came in; it should go on as it is", twice
    yield "the last part, which gives the logits, has not run", _misread(headless, names)
    logits, whole = _logits(PARTS, names), _misread(PARTS)
    yield "the smallest logit is read; take the largest", _unequal(logits.argmin(1))
    singly = [_misread(PARTS, [name]) for name in names]
    if len(names) > 1:
        yield "these blocks are left out one at a time, and the mistakes added up", sum(singly)
        yield "these blocks are left out one at a time, and the mistakes averaged", np.mean(singly)
        yield "only the last of the names is left out", singly[-1]
    yield "the mistakes of the whole network are subtracted; count all", right - whole
    bent = _misread(PARTS, names, lambda x: np.maximum(x, 0))
    yield "a block that is left out becomes a ReLU; what came in should go on as it is", bent
    read = logits.argmax(axis=1)
    yield "count the images; this adds up how far the digits are apart", np.abs(read - LABELS).sum()
    ten = "10 is the number of digits: find the largest logit of each image, and count images"
    yield ten, len(set(LABELS[read != LABELS]))
    yield "the number of images is not always 1,000", 1000 - (len(LABELS) - right)
    yield "the last images, which fill no batch, are lost", _unequal(read[:384])
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    below = int(np.sum(p[range(len(LABELS)), LABELS] < 0.5))
    yield "an image is misread where another digit has more, not where its own has below ½", below
    yield "the logit itself is compared with the label; take its place", len(LABELS)
    yield "with {names} left out, {found:g} is not the number of images that are misread"


def _halves(seed, size, count=100):
    """Draw 5,000 features of images, 40 of which tell the digits apart if size is not 0.

    Four hundred others are loud, and say nothing.

    Returns:
        features and labels of the images to learn from, features and labels of the new ones.
    """
    features, centres = drawn(seed, (2 * count, 5000), (10, 40))
    labels = np.random.default_rng(seed).permutation(np.arange(2 * count) % 10)
    features[:, 1000:1400] *= 6
    features[:, 100:140] += size * centres[labels]
    return features[:count] + 40, labels[:count], features[count:] + 40, labels[count:]


def _clear(seed):
    """Draw as ``_halves`` does: each digit has a feature that tells it, all others say nothing."""
    features, labels, new, new_labels = _halves(seed, 0)
    for some, its in ((features, labels), (new, new_labels)):
        some[:, 2000:2010] += 100 * np.eye(10)[its]
    return features, labels, new, new_labels


@check("05")
def mended_probe(answer):
    """``answer(features, labels, new, new_labels)`` → the accuracy on new images, honestly."""
    noise, digits = (
        np.mean([_accuracy(answer, *_halves(seed, size)) for seed in seeds])
        for size, seeds in ((0, (0, 1, 2)), (4, (3, 4)))
    )
    luck = f"of pure noise it reads {noise:.0%}, where luck is a tenth"
    ask = "is it tested on all of the new images alone, learns from none, and counts those read?"
    require(noise < 0.2, f"{luck}: {ask}")
    _check_that_nothing_is_learnt_from_new_images(answer, *_halves(5, 3))
    few = f"where forty features tell the digits apart, it reads {digits:.0%}"
    choose = "choose those whose means differ between the digits, and read the nearest mean"
    require(digits > 0.8, f"{few}; {choose}")
    clear = _accuracy(answer, *_clear(6))
    beyond = f"where each digit has a feature that tells it beyond doubt, it reads {clear:.0%}"
    require(clear > 0.95, f"{beyond}: can each digit be read?")
    return "chosen and learnt on one half, tested on the other"


def _accuracy(answer, *given):
    """Return the accuracy that the reader's probe reports."""
    copies = [array.copy() for array in given]
    found = float(as_array(call(answer, *copies), "the accuracy", ()))
    require(all(map(np.array_equal, copies, given)), "an array that was given is changed")
    require(0 <= found <= 1, "return a share between 0 and 1")
    return found


def _check_that_nothing_is_learnt_from_new_images(answer, features, labels, new, new_labels):
    """Raise NotYet unless each new image is read as if it were the only one."""
    whole = _accuracy(answer, features, labels, new, new_labels)
    one_by_one = [
        _accuracy(answer, features, labels, new[i : i + 1], new_labels[i : i + 1])
        for i in range(len(new))
    ]
    seen = f"tested together, new images are read in {whole:.0%}, one by one in"
    learns = "but each should be read by itself, against its own label, and all should count"
    require(abs(np.mean(one_by_one) - whole) < 1e-6, f"{seen} {np.mean(one_by_one):.0%}, {learns}")


@check("05")
def lesion_prediction(answer):
    """``answer``: (prediction, mistakes of faded networks, mistakes of plain ones)."""
    return judged(answer)
