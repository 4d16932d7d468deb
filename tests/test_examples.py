"""Examples in docstrings run, and give what their comments say."""

import functools
import inspect
import re
import textwrap

import pytest

from resnet_lesson import data, diagnostics, models, plots, training, verdicts


@pytest.mark.parametrize(
    "function",
    [
        diagnostics.layer_counts,
        diagnostics.gradient_norms,
        plots.learning_curves,
        verdicts.verdict_above,
    ],
    ids=lambda function: function.__name__,
)
def test_example(function, monkeypatch):
    monkeypatch.setattr(plots, "show", lambda ax, alt: None)
    names = vars(diagnostics) | vars(verdicts) | {
        "load_mnist": data.load_mnist,
        "mnist": data.load_mnist(train=64, val=0, test=0),
        "network": models.network,
        "plots": plots,
        "train": functools.partial(training.train, updates=2, progress=False),
    }  # fmt: skip
    example = inspect.getdoc(function).partition("Example::\n")[2]
    assert example
    exec(textwrap.dedent(example), names)
    for code, value in re.findall(r"^ *(.+?)  # (.+)$", example, re.MULTILINE):
        assert repr(eval(code, names)) == value
