"""Studies: experiments too long for a lesson, run once, kept with where they came from.

A study is a script in ``benchmarks/studies``; ``make studies`` runs it. What it measured is a JSON
file inside the package, so that a lesson finds it wherever the package is installed. A ``Study``
writes each run down as soon as it has ended, and goes on where it was stopped.
"""

import ast
import datetime
import hashlib
import json
import math
import os
import platform
import tokenize
from importlib.metadata import version
from pathlib import Path

import numpy as np

from resnet_lesson.data import Examples
from resnet_lesson.plumbing.constraints import (
    Dictionary,
    ListOf,
    OneOf,
    checked,
    received,
)
from resnet_lesson.plumbing.files import whole_file
from resnet_lesson.plumbing.processes import each_in_a_process
from resnet_lesson.runs import RECORDS as RUNS
from resnet_lesson.training import evaluate

FOLDER = Path(__file__).parent / "records"


@checked
def write_study(script, settings, results):
    """Write what a study measured, whole or not at all.

    Args:
        script: path of the study; its stem names the file.
        settings: plain data: what the study was asked to do, seeds included.
        results: plain data: what it measured.

    Returns:
        path of the file.

    Raises:
        TypeError, ValueError: there is no such script, or settings or results are no plain data.
    """
    study = {
        "study": script.stem,
        "source_sha256": source_hash(script),
        **_here_and_now(),
        "settings": settings,
        "results": results,
    }
    try:
        text = json.dumps(study, indent=1) + "\n"
    except (TypeError, ValueError) as error:
        raise TypeError(f"settings and results must be plain data. Received: {error}") from None
    FOLDER.mkdir(exist_ok=True)
    target = FOLDER / f"{script.stem}.json"
    with whole_file(target) as new:
        new.write_text(text, encoding="utf-8")
    return target


class Study:
    """A study that keeps each run once it has ended, and goes on where it was stopped.

    Its record has ``sessions``, each with a date, versions and a machine; each result is
    ``{"task": …, "session": …, …}``, whatever was measured included.

    Example::

        study = Study(Path(__file__), SETTINGS)
        study.run(one_run, [{"depth": 20, "seed": 0}, {"depth": 20, "seed": 1}])
    """

    @checked
    def __init__(self, script, settings):
        """Read what was measured before.

        Args:
            script: path of the study; its stem names the record.
            settings: plain data: what the study is asked to do, seeds and claims included.

        Raises:
            ValueError: the record is of another script or of other settings. It is kept: move it
                away to begin anew.
        """
        self._path = FOLDER / f"{script.stem}.json"
        self._about = {
            "study": script.stem,
            "source_sha256": source_hash(script),
            "settings": json.loads(json.dumps(settings)),
        }
        self._sessions, self.results = [], []
        if self._path.exists():
            before = read_study(script.stem)
            if any(before[key] != value for key, value in self._about.items()):
                raise ValueError(
                    "script must be the one that began this record, with the same settings: move "
                    f"the record away to begin anew. Received: {script.name}"
                )
            self._sessions, self.results = before["sessions"], before["results"]
        self._sessions.append(_here_and_now())

    def run(self, work, tasks, workers=2):
        """Run the tasks that have not run yet, each in a process, and keep each result at once.

        Args:
            work: function of a module: ``work(task)`` returns a dictionary of plain data. NaN and
                infinity become None.
            tasks: list of dictionaries of plain data.
            workers: number of processes, of one thread each.

        Returns:
            list of results, in the order of the tasks.
        """
        missing = [task for task in tasks if self._result(task) is None]
        for task, found in each_in_a_process(work, missing, workers):
            self.results.append({"task": task, "session": len(self._sessions) - 1} | found)
            self._write()
            print(f"{len(self.results)} runs are done. The last was {task}.", flush=True)
        return [self._result(task) for task in tasks]

    def _result(self, task):
        """Return the result of a task; None if it has not run."""
        return next((found for found in self.results if found["task"] == task), None)

    def best_rate(self, work, tasks_at, rates, lower=(), higher=()):
        """Return the learning rate whose runs end at the lowest mean ``train_loss``.

        Args:
            work: as for ``run``.
            tasks_at: function: rate → list of tasks, as for ``run``.
            rates: those that are tried in any case.
            lower, higher: those that are tried one after the other where the best rate so far is
                the lowest or the highest, until it is not.

        Raises:
            ValueError: the best rate is at the edge of all that were to be tried.
        """

        def loss_at(rate):
            return mean_loss(self.run(work, tasks_at(rate)))

        losses = {rate: loss_at(rate) for rate in rates}
        lower, higher = iter(lower), iter(higher)
        while (best := min(losses, key=losses.get)) in (min(losses), max(losses)):
            rate = next(lower if best == min(losses) else higher, None)
            if rate is None:
                raise ValueError(
                    "lower and higher must go on until the best rate is not at the edge. "
                    f"Received: {best} is the best of {sorted(losses)}"
                )
            losses[rate] = loss_at(rate)
        return best

    def _write(self):
        head = json.dumps(self._about | {"sessions": self._sessions}, indent=1)
        lines = ",\n".join(json.dumps(_plain(result)) for result in self.results)
        FOLDER.mkdir(exist_ok=True)
        with whole_file(self._path) as new:
            new.write_text(f'{head[:-2]},\n "results": [\n{lines}\n]}}\n', encoding="utf-8")


def without_test(data):
    """Return a Dataset whose test set is empty: ``known`` will look at it, and once is enough."""
    nothing = Examples(data.test.images[:0], data.test.labels[:0])
    return data._replace(test=nothing)


def known(logits, data):
    """Return losses and mistakes on the training and the test images, in evaluation mode.

    Args:
        logits: function: images → logits, as ``Trainer.logits``.
        data: Dataset.

    Returns:
        dict with ``train_loss`` in nats, ``train_mistakes``, ``test_loss`` and ``test_mistakes``.
    """
    found = {}
    for part, examples in (("train", data.train), ("test", data.test)):
        loss, accuracy = evaluate(logits(examples.images), examples.labels)
        found[f"{part}_loss"] = loss
        found[f"{part}_mistakes"] = round((1 - accuracy) * len(examples))
    return found


def learning_curve(run, every=25):
    """Return the mean loss of each ``every`` updates of a Record and its seconds, as plain data."""
    losses = np.reshape(run.loss, (-1, every)).mean(axis=1)
    return {"losses": losses.round(4).tolist(), "seconds": round(run.seconds[-1], 1)}


def mean_loss(results):
    """Return the mean ``train_loss`` of results: infinite if a run diverged and has None."""
    losses = [result["train_loss"] for result in results]
    return math.inf if None in losses else float(np.mean(losses))


@checked(results=ListOf(Dictionary()))
def at_best_rate(results, search_seeds, seeds):
    """Choose a network's learning rate on some seeds, and return its runs on others.

    Args:
        results: those of one network in a study: dictionaries with ``train_loss`` and a ``task``,
            which has a ``rate`` and a ``seed``.
        search_seeds: integers: the best rate is the one at which these runs end at the lowest mean
            training loss. A rate with a run that diverged is never the best.
        seeds: integers: those of the runs that are returned.

    Returns:
        (rate, list of results in the order of ``seeds``).

    Raises:
        KeyError: a run is missing.
    """
    searched, runs = {}, {}
    for result in results:
        rate, seed = result["task"]["rate"], result["task"]["seed"]
        runs[rate, seed] = result
        if seed in search_seeds:
            searched.setdefault(rate, []).append(result)
    best = min(searched, key=lambda rate: mean_loss(searched[rate]))
    return best, [runs[best, seed] for seed in seeds]


def result_of(record):
    """Return a Record as plain data for a study's results, without the values of each update."""
    RUNS.check("record", [record])
    if not record.seconds:
        raise ValueError(f"record must be of a run that was made. Received: {received(record)}")
    kept = ("name", "seed", "learning_rate", "epochs", "test_loss", "test_accuracy")
    return {key: getattr(record, key) for key in kept} | {"seconds": record.seconds[-1]}


def read_study(name):
    """Read what a study measured.

    Args:
        name: the study's name, as in ``"04_rate_map"``.

    Returns:
        dict with ``study``, ``source_sha256``, ``date``, ``versions``, ``machine``, ``settings``
        and ``results``. A study that ran in several sessions has ``sessions``, a list, each with
        ``date``, ``versions`` and ``machine``.

    Raises:
        ValueError: there is no such study.

    Example::

        study = read_study("04_rate_map")
        losses = [run["train_loss"] for run in study["results"]]
    """
    OneOf(*sorted(path.stem for path in FOLDER.glob("*.json"))).check("name", name)
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


@checked(study=Dictionary())
def provenance(study):
    """Say in a few lines when, with what and on which machines a study was recorded.

    Args:
        study: as from ``read_study``.
    """
    lines = []
    for session in study.get("sessions", [study]):
        machine, tensorflow = session["machine"], session["versions"]["tensorflow"]
        lines += [
            f"recorded on {session['date']} with TensorFlow {tensorflow}",
            f"machine: {machine['cores']} cores, {machine['processor']}",
        ]
    return "\n".join(dict.fromkeys(lines))


@checked
def source_hash(script):
    """Return the SHA-256 of what a script computes: its text without imports, docstrings, comments.

    So a study stays valid where a module is moved or a word mended, and on every system.
    """
    try:
        with tokenize.open(script) as file:
            lines = file.read().splitlines(keepends=True)
        tree = ast.parse("".join(lines))
        comments = [
            token
            for token in tokenize.generate_tokens(iter(lines).__next__)
            if token.type == tokenize.COMMENT
        ]
    except (OSError, SyntaxError, UnicodeDecodeError, tokenize.TokenError) as error:
        raise ValueError(
            f"script must be a Python file. Received: {script}, {type(error).__name__}"
        ) from None
    for comment in comments:
        row, column = comment.start
        lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(tree):
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if text or isinstance(node, (ast.Import, ast.ImportFrom)):
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
    left = "\n".join(line.rstrip() for line in lines if line.strip())
    return hashlib.sha256(left.encode()).hexdigest()


def _here_and_now():
    return {
        "date": datetime.date.today().isoformat(),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("tensorflow", "keras", "numpy")},
        "machine": {
            "system": platform.system(),
            "architecture": platform.machine(),
            "processor": _processor(),
            "cores": os.cpu_count(),
        },
    }


def _plain(value):
    """Return plain data with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _processor():
    """Name the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, IndexError):
        return platform.processor()
