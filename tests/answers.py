"""Tests of a lesson's checks, made from lists of right and wrong answers."""

import pytest


def right_answers_pass(cases):
    """Make a test of (check, answer) pairs: the check lets the answer pass."""

    @pytest.mark.parametrize(("check", "answer"), cases)
    def test(check, answer):
        result = check(answer)
        assert result.passed, result.message

    return test


def wrong_answers_get_their_message(cases):
    """Make a test of (check, answer, words): the check refuses the answer with these words."""

    @pytest.mark.parametrize(("check", "answer", "words"), cases)
    def test(check, answer, words):
        result = check(answer)
        assert result.status == "not yet", result.message
        assert words in result.message, result.message

    return test
