"""How the margins of verdicts are measured, and told."""

import ast
import json
import re
from types import SimpleNamespace

import margin_probe
import nbformat
import numpy as np
import pytest
import verdict_margins

from resnet_lesson import verdicts

RECORD = json.loads(verdict_margins.RECORD.read_text("utf-8"))


def noted(cell, **names):
    """Run a cell with the probe in it; return (what the verdict was given, smallest margin)."""
    given = []
    names |= {margin_probe.NAME: margin_probe.compared, "np": np}
    names["verdict"] = lambda claim, holds, measured: given.append(bool(holds))
    margin_probe._noted.clear()
    tree = margin_probe.Cells().visit(ast.parse(cell))
    exec(compile(tree, "cell", "exec"), names)
    return given[0], min(margin_probe._noted, default=(None, ""))


@pytest.mark.parametrize(
    ("holds", "result", "margin", "compared"),
    [
        ("x < 4", True, 0.5, "2 < 4"),
        ("1 < x < 8", True, 0.5, "1 < 2"),
        ("x > 4", False, None, ""),  # what does not hold has no margin
        ("max(rows) >= 5 and x <= 2", True, 0.0, "2 <= 2"),
        ("np.all(np.array(rows) > 4)", True, 0.2, "5 > 4"),
        ("all(row > 4 for row in rows)", True, 0.2, "5 > 4"),
        ("-3 < -x", True, 1 / 3, "-3 < -2"),
        ("x == 2", True, None, ""),
    ],
)
def test_the_margin_is_that_of_the_closest_comparison(holds, result, margin, compared):
    found, (smallest, text) = noted(f"verdict('c', {holds}, 'm')", x=2, rows=[5, 10])
    assert found == result
    assert smallest == (None if margin is None else pytest.approx(margin))
    assert text == compared


def test_a_comparison_outside_of_a_verdict_is_left_alone():
    assert noted("y = x < 3\nverdict('c', y, 'm')", x=2) == (True, (None, ""))


def test_each_kind_of_verdict_is_noted(tmp_path, monkeypatch):
    kinds = ("_say", "verdict_above", "verdict_paired", "verdict_equal")
    for name in kinds:  # so that they are put back
        monkeypatch.setattr(verdicts, name, getattr(verdicts, name))
    shell = SimpleNamespace(ast_transformers=[], user_ns={})
    monkeypatch.setattr(margin_probe, "get_ipython", lambda: shell, raising=False)
    monkeypatch.setattr(verdicts, "display", lambda said: None)
    margin_probe.install(str(tmp_path / "noted"))
    clear, same = verdicts.paired(
        {"clear": ([5, 6, 7, 8, 9], [1, 2, 3, 4, 4]), "same": ([1, 2, 1, 2, 1], [2, 1, 1, 2, 1])}
    ).values()
    verdicts.verdict_above("a", above=[8, 4], below=[1, 2])
    verdicts.verdict_paired("b", clear, "nats")
    verdicts.verdict_paired("c", same)
    verdicts.verdict_equal("d", same, 2 * same.high)
    with pytest.raises(AssertionError):
        verdicts.verdict("e", False, "f")
    lines = [json.loads(line) for line in (tmp_path / "noted").read_text().splitlines()]
    assert [(one["claim"], one["holds"], one["margin"]) for one in lines] == [
        ("a", True, 0.5),
        ("b", True, pytest.approx(1 - clear.p / verdicts.LEVEL)),
        ("c", True, None),  # undecided
        ("d", True, pytest.approx(0.5)),
        ("e", False, None),
    ]


def test_a_margin_is_thin_where_it_is_small_and_differs():
    def one(margin):
        return [{"claim": "c", "holds": True, "margin": margin, "compared": "1 < 2"}]

    def row(*margins):
        conditions = {f"condition {i}": {"00_start": one(m)} for i, m in enumerate(margins)}
        return verdict_margins.table({"edition": "second", "conditions": conditions}).splitlines()[
            -1
        ]

    assert row(0.05, 0.2) == "| c | 5.0% (thin) | 1 < 2 | condition 0 | 20.0% |"
    assert row(0.3, 0.2) == "| c | 20.0% | 1 < 2 | condition 1 | 30.0% |"
    assert row(0.05, 0.05) == "| c | 5.0% | 1 < 2 | everywhere | 5.0% |"
    assert row(None, None) == "| c |  |  |  |  |"


def test_the_page_is_made_from_the_record():
    page = verdict_margins.TABLE.read_text("utf-8")
    assert page == verdict_margins.table(RECORD), "Run `make verdicts`."


@pytest.mark.parametrize("lesson", verdict_margins.LESSONS)
def test_the_record_holds_every_verdict_of_a_lesson(lesson):
    if RECORD["edition"] != verdict_margins.EDITION:
        page = verdict_margins.TABLE.read_text("utf-8")
        assert f"{RECORD['edition']}, and not yet the {verdict_margins.EDITION}, edition" in page
        return
    said = "\n".join(
        output.data["text/plain"]
        for cell in nbformat.read(verdict_margins.LESSONS[lesson], as_version=4).cells
        for output in cell.get("outputs", [])
        if output.output_type == "display_data"
    )
    found = re.findall(r"^\W (?:[A-Z][^:]*): (.*?)\.\n  Measured: ", said, re.DOTALL | re.MULTILINE)
    claims = [" ".join(claim.split()) for claim in found]
    for name, condition in RECORD["conditions"].items():
        assert [one["claim"] for one in condition[lesson]] == claims, f"{name}: `make verdicts`."
        assert all(one["holds"] for one in condition[lesson]), name
