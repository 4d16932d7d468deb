"""Records of studies: each belongs to its source, and says where it comes from."""

import json
import math
from pathlib import Path

import pytest

from resnet_lesson import studies
from resnet_lesson.records import Record

SCRIPTS = sorted((Path(__file__).parents[1] / "benchmarks" / "studies").glob("*.py"))


def test_there_is_a_record_for_each_study_and_a_study_for_each_record():
    assert [path.stem for path in SCRIPTS] == sorted(
        path.stem for path in studies.RECORDS.glob("*.json")
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_record_belongs_to_its_source(script):
    record = studies.read_record(script.stem)
    assert record["study"] == script.stem
    assert record["source_sha256"] == studies.source_hash(script), (
        f"{script.name} was changed after its record was made: run make studies N={script.stem}"
    )
    assert set(record["versions"]) >= {"python", "tensorflow", "keras", "numpy"}
    assert set(record["machine"]) == {"system", "architecture", "processor", "cores"}
    assert len(record["settings"]["seeds"]) >= 3


def test_long_runs_are_complete():
    record = studies.read_record("04_long_runs")
    settings, results = record["settings"], record["results"]
    pairs = {(run["name"], run["seed"]) for run in results}
    assert pairs == {(n, s) for n in settings["networks"] for s in settings["seeds"]}
    for run in results:
        assert 0 < run["epochs"][-1]["update"] <= settings["updates"]
        assert all(math.isfinite(epoch["loss"]) for epoch in run["epochs"])


def test_write_and_read(tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "RECORDS", tmp_path / "records")
    script = tmp_path / "99_study.py"
    script.write_text("x = 1\n")
    path = studies.write_record(script, {"seeds": [0]}, [{"loss": 0.5}])
    record = studies.read_record("99_study")
    assert record["results"] == [{"loss": 0.5}]
    assert record["source_sha256"] == studies.source_hash(script)
    script.write_bytes(b"x = 1\r\n")  # the same text on Windows
    assert record["source_sha256"] == studies.source_hash(script)
    script.write_text("x = 2\n")
    assert record["source_sha256"] != studies.source_hash(script)
    before = path.read_text()
    with pytest.raises(TypeError):
        studies.write_record(script, {}, [object()])
    assert path.read_text() == before
    assert [p.name for p in (tmp_path / "records").iterdir()] == ["99_study.json"]
    assert json.loads(before)["study"] == "99_study"


def runs(interrupted=False, **changes):
    shared = {"parameters": 10, "batch_size": 64, "learning_rate": [(0, 0.1), (5, 0.01)]}
    measured = {"loss": [1.0], "seconds": [0.5, 2.0], "epochs": [{"update": 7, "loss": 1.0}]}
    options = shared | measured | {"updates": 9, "test_loss": 0.3, "test_accuracy": 0.9} | changes
    made = [Record(name, seed, **options) for name in "ab" for seed in (0, 1)]
    made[-1].interrupted = interrupted
    return made


def test_results_are_read_back(tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "RECORDS", tmp_path)
    script = tmp_path / "99_study.py"
    script.write_text("")
    results = [studies.result_of(run) for run in runs()]
    del results[1]["learning_rate"], results[1]["test_loss"], results[1]["test_accuracy"]
    settings = {"batch_size": 64, "updates": 9, "learning_rate": 0.2}
    studies.write_record(script, settings, results)
    back = studies.runs_of(studies.read_record("99_study"))
    assert [(run.name, run.seed) for run in back] == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert [run.learning_rate for run in back[:2]] == [[[0, 0.1], [5, 0.01]], 0.2]
    assert back[0].epochs == runs()[0].epochs
    assert (back[0].seconds, back[0].updates, back[0].loss) == ([2.0], 9, [])
    assert [run.test_loss for run in back[:2]] == [0.3, None]
    del settings["learning_rate"], results[1]
    assert len(studies.runs_of({"settings": settings, "results": results})) == 3


def test_a_study_ends_where_runs_are_missing():
    records = runs()
    assert studies.complete(records, {"a": {}, "b": {}}, [0, 1]) is records
    for unfinished in (records[1:], runs(interrupted=True), [records[0], *records[:3]]):
        with pytest.raises(SystemExit, match="1 of 4 runs are missing .* old record"):
            studies.complete(unfinished, ["a", "b"], [0, 1])


def test_unknown_record():
    with pytest.raises(ValueError, match="name must be one of .*Received: 'none'"):
        studies.read_record("none")
