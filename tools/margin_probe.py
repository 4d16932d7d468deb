"""Loaded into a lesson's kernel by verdict_margins.py: measures by how much each verdict holds.

Each comparison inside of a verdict's second argument is rewritten, when its cell runs, to a call
that makes the same comparison and notes how far apart the two sides were.
"""

import ast
import json
import operator
from typing import Any

import numpy as np

from resnet_lesson import verdicts

ORDER = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
NAME = "_compared"
_noted = []


class Rewrite(ast.NodeTransformer):
    """Rewrites the comparisons of one verdict."""

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if not any(type(op) in ORDER for op in node.ops):
            return node
        sides = [node.left, *node.comparators]
        if len(node.ops) == 1:
            return self._call(node.ops[0], *sides)
        # a < b < c: b would be computed twice, which is harmless where nothing is changed.
        parts = [
            self._call(op, left, right) if type(op) in ORDER else ast.Compare(left, [op], [right])
            for op, left, right in zip(node.ops, sides, sides[1:], strict=False)
        ]
        return ast.BoolOp(ast.And(), parts)

    def _call(self, op, left, right):
        name = ast.Name(NAME, ast.Load())
        return ast.Call(name, [ast.Constant(ORDER[type(op)]), left, right], [])


class Cells(ast.NodeTransformer):
    """Finds the verdicts of a cell."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "verdict":
            if len(node.args) > 1:
                node.args[1] = Rewrite().visit(node.args[1])
            for keyword in node.keywords:
                if keyword.arg == "holds":
                    keyword.value = Rewrite().visit(keyword.value)
        return ast.fix_missing_locations(node)


def compared(sign: str, left: Any, right: Any) -> Any:
    """Compare, and note the margin: the distance of the two sides over the larger of them."""
    result = OPERATORS[sign](left, right)
    try:
        a, b = np.broadcast_arrays(np.asarray(left, float), np.asarray(right, float))
    except (TypeError, ValueError):
        return result
    true = np.asarray(result)
    if true.any():
        a, b = a[true], b[true]
        larger = np.maximum(np.abs(a), np.abs(b))
        with np.errstate(invalid="ignore"):
            margins = np.where(larger > 0, np.abs(a - b) / larger, 0.0)
        at = int(np.nanargmin(margins)) if margins.ndim else ()
        _noted.append((float(margins[at]), f"{a[at]:.4g} {sign} {b[at]:.4g}"))
    return result


def install(path: str) -> None:
    """Note the margin of every verdict of this kernel as a line of the file ``path``."""
    say, plain_above = verdicts._say, verdicts.verdict_above
    plain_paired, plain_equal = verdicts.verdict_paired, verdicts.verdict_equal

    def noting(word, claim, measured, recorded):
        noted, _noted[:] = min(_noted, default=(None, "")), []
        holds = word != "Does not hold"
        with open(path, "a", encoding="utf-8") as file:
            line = {"claim": claim, "holds": holds, "margin": noted[0], "compared": noted[1]}
            file.write(json.dumps(line) + "\n")
        say(word, claim, measured, recorded)

    def verdict_above(claim, above, below, ratio=1.0, *rest, **options):
        compared(">", min(above), ratio * max(below))
        plain_above(claim, above, below, ratio, *rest, **options)

    def verdict_paired(claim, difference, *rest, **options):
        compared("<", difference.p, verdicts.LEVEL)
        plain_paired(claim, difference, *rest, **options)

    def verdict_equal(claim, difference, margin, *rest, **options):
        compared("<=", max(-difference.low, difference.high), margin)
        plain_equal(claim, difference, margin, *rest, **options)

    verdicts._say, verdicts.verdict_above = noting, verdict_above
    verdicts.verdict_paired, verdicts.verdict_equal = verdict_paired, verdict_equal
    shell = get_ipython()  # noqa: F821
    shell.ast_transformers.append(Cells())
    shell.user_ns[NAME] = compared
