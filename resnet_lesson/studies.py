"""Records of studies: experiments too long for a lesson, run once, kept with where they came from.

A study is a script in ``benchmarks/studies``; ``make studies`` runs it. Its record is a JSON file
inside the package, so that a lesson finds it wherever the package is installed.
"""

import datetime
import hashlib
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

from resnet_lesson.arguments import (
    dictionary,
    file_path,
    one_of,
    received,
    sequence,
    text_value,
    whole_number,
)
from resnet_lesson.files import whole_file
from resnet_lesson.records import Record, all_records

RECORDS = Path(__file__).parent / "records"


def write_record(script, settings, results):
    """Write a study's record, whole or not at all.

    Args:
        script: path of the study; its stem names the record.
        settings: plain data: what the study was asked to do, seeds included.
        results: plain data: what it measured.

    Returns:
        path of the record.

    Raises:
        TypeError, ValueError: there is no such script, or settings or results are no plain data.
    """
    script = file_path("script", script)
    record = {
        "study": script.stem,
        "source_sha256": source_hash(script),
        "date": datetime.date.today().isoformat(),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("tensorflow", "keras", "numpy")},
        "machine": {
            "system": platform.system(),
            "architecture": platform.machine(),
            "processor": _processor(),
            "cores": os.cpu_count(),
        },
        "settings": settings,
        "results": results,
    }
    try:
        text = json.dumps(record, indent=1) + "\n"
    except (TypeError, ValueError) as error:
        raise TypeError(f"settings and results must be plain data. Received: {error}") from None
    RECORDS.mkdir(exist_ok=True)
    target = RECORDS / f"{script.stem}.json"
    with whole_file(target) as new:
        new.write_text(text, encoding="utf-8")
    return target


def complete(records, networks, seeds):
    """Return a study's records if they are whole; end the study otherwise.

    Args:
        records: list of Record, as ``sweep`` returns it.
        networks: list of the networks' names, or a dictionary with them as keys.
        seeds: integers; each network was to run with each.

    Raises:
        SystemExit: a run is missing or was interrupted; the study's old record stays as it was.
        TypeError: ``records`` is not a list of Record, or the others are no lists.
    """
    all_records("records", records)
    for name in sequence("networks", list(networks) if isinstance(networks, dict) else networks):
        text_value("networks", name)
    for seed in sequence("seeds", seeds):
        whole_number("seeds", seed)
    wanted = {(name, seed) for name in networks for seed in seeds}
    missing = wanted - {(run.name, run.seed) for run in records if not run.interrupted}
    if missing:
        raise SystemExit(
            f"{len(missing)} of {len(wanted)} runs are missing or cut short: the old record of the "
            "study stays as it was."
        )
    return records


def result_of(record):
    """Return a Record as plain data for a study's results, without the values of each update."""
    all_records("record", [record])
    if not record.seconds:
        raise ValueError(f"record must be of a run that was made. Received: {received(record)}")
    kept = ("name", "seed", "learning_rate", "epochs", "test_loss", "test_accuracy")
    return {key: getattr(record, key) for key in kept} | {"seconds": record.seconds[-1]}


def read_record(name):
    """Read a study's record.

    Args:
        name: the study's name, as in ``"04_long_runs"``.

    Returns:
        dict with ``study``, ``source_sha256``, ``date``, ``versions``, ``machine``, ``settings``
        and ``results``.

    Raises:
        ValueError: there is no such record.
    """
    known = sorted(path.stem for path in RECORDS.glob("*.json"))
    one_of("name", name, known)
    return json.loads((RECORDS / f"{name}.json").read_text(encoding="utf-8"))


def runs_of(record):
    """Return the runs of a study's record as a list of Record, for the plots.

    A study keeps one value an epoch, and none for each update. A run without a learning rate of its
    own has that of the settings.
    """
    dictionary("record", record)
    try:
        return _runs_of(record["settings"], sequence("results", record["results"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            "record must be a study's, with settings and results of runs. "
            f"Received: {received(record)} ({type(error).__name__}: {error})"
        ) from None


def _runs_of(settings, results):
    return [
        Record(
            run["name"],
            run["seed"],
            parameters=None,
            batch_size=settings["batch_size"],
            learning_rate=run.get("learning_rate") or settings["learning_rate"],
            updates=settings["updates"],
            seconds=[run["seconds"]],
            epochs=run["epochs"],
            test_loss=run.get("test_loss"),
            test_accuracy=run.get("test_accuracy"),
        )
        for run in results
    ]


def source_hash(script):
    """Return the SHA-256 of a script's text, the same on every system."""
    try:
        text = file_path("script", script).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"script must be a file of text. Received: {script}, {type(error).__name__}"
        ) from None
    return hashlib.sha256(text.encode()).hexdigest()


def _processor():
    """Name the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, IndexError):
        return platform.processor()
