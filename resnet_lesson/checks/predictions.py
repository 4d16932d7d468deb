"""A prediction, judged by what the reader's experiment has measured."""

from resnet_lesson.checks.answers import NotAttempted, as_array, as_parts, require

OUTCOMES = ("lower", "higher", "no clear difference")


def judged(answer):
    """Return praise for a prediction of how the first of two lists of losses lies to the second.

    Args:
        answer: (one of ``OUTCOMES``, losses, losses), as a cell hands it over.

    Raises:
        NotYet, NotAttempted: it cannot be judged.
    """
    predicted, first, second = as_parts(answer, 3, "hand over a prediction and two lists of losses")
    if predicted is None or predicted is ...:
        raise NotAttempted("predict before you run")
    require(predicted in OUTCOMES, f"the prediction should be one of: {', '.join(OUTCOMES)}")
    if not len(first) or not len(second):
        raise NotAttempted("the experiment has not been run yet")
    first, second = as_array(first, "the first losses"), as_array(second, "the second losses")
    lower, higher, unclear = OUTCOMES
    found = {lower: first.max() < second.min(), higher: first.min() > second.max(), unclear: True}
    measured = next(outcome for outcome, holds in found.items() if holds)
    said = "as predicted" if predicted == measured else f"you predicted {predicted!r}"
    return f"measured: {measured}; {said}"
