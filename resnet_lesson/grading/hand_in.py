"""Run the cells of one hand-in: the process that ``grading`` starts for it."""

import json
import sys
from pathlib import Path


def main(task, report):
    """Run the cells of ``task`` and write to ``report``, after each, what the checks have said."""
    cells = json.loads(Path(task).read_text(encoding="utf-8"))
    from IPython.core.inputtransformer2 import TransformerManager

    import resnet_lesson  # noqa: F401 - before TensorFlow, whose start-up messages it stops
    from resnet_lesson.checks import core
    from resnet_lesson.plumbing.files import whole_file

    transform = TransformerManager().transform_cell
    names = {"__name__": "__main__", "get_ipython": lambda: _NoIPython()}
    remark = ""
    for number, cell in enumerate(cells, start=1):
        try:
            exec(compile(transform(cell), f"cell {number}", "exec"), names)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit, too: the next cells still count
            text = " ".join(str(error).split())[:80]
            remark = remark or f"code cell {number} raises {type(error).__name__}: {text}"
        statuses = {name: result.status for name, result in core.results.items()}
        with whole_file(Path(report)) as new:
            new.write_text(json.dumps([statuses, remark]), encoding="utf-8")


class _NoIPython:
    """Takes magics and shell commands and does nothing, as they are no part of an answer."""

    def __getattr__(self, name):
        return lambda *arguments, **options: None


if __name__ == "__main__":
    main(*sys.argv[1:])
