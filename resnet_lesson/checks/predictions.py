"""A prediction, judged by what the reader's experiment has measured."""

import numpy as np

from resnet_lesson.checks.answers import NotAttempted, as_array, as_parts, require

OUTCOMES = ("lower", "higher", "no clear difference")


def judged(answer):
    """Return praise for a prediction of how the first of two lists of losses lies to the second.

    Args:
        answer: (one of ``OUTCOMES``, losses, losses), as a cell hands it over.

    Raises:
        NotYet, NotAttempted: it cannot be judged.
    """
    wanted = "hand over a prediction and two lists of losses"
    predicted, *lists = as_parts(answer, 3, wanted)
    if predicted is None or predicted is ...:
        raise NotAttempted("predict before you run")
    later = any(isinstance(losses, str) for losses in lists) and not isinstance(predicted, str)
    require(not later, "the prediction comes first, then two lists of losses")
    one_of = f"the prediction should be one of: {', '.join(OUTCOMES)}; this is {predicted!r:.40}"
    require(isinstance(predicted, str) and predicted in OUTCOMES, one_of)
    shapes = " and ".join(str(np.shape(losses)) for losses in lists)
    flat = f"each list should have one number a seed; these have the shapes {shapes}"
    require(all(np.ndim(losses) == 1 for losses in lists), flat)
    if not all(map(len, lists)):
        raise NotAttempted("the experiment has not been run yet")
    names = ("the first list of losses", "the second list of losses")
    first, second = (as_array(*each, finite=False) for each in zip(lists, names, strict=True))
    seeds = f"as many losses of each are expected, of several seeds; these are {len(first)} and"
    require(len(first) == len(second) > 1, f"{seeds} {len(second)}")
    require(
        not np.array_equal(first, second), "these are the same runs twice: compare two networks"
    )
    # A run that diverged has a loss of NaN, which is higher than any other.
    first, second = (np.where(np.isnan(one), np.inf, one) for one in (first, second))
    lower, higher, unclear = OUTCOMES
    found = {lower: first.max() < second.min(), higher: first.min() > second.max(), unclear: True}
    measured = next(outcome for outcome, holds in found.items() if holds)
    said = "as predicted" if predicted == measured else f"you predicted {predicted!r}"
    return f"measured: {measured}; {said}"
