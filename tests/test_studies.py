"""Records of studies: each belongs to its source, and says where it comes from."""

import json
import math
from pathlib import Path

import pytest

from resnet_lesson import studies

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
        assert run["epochs"][-1]["update"] == settings["updates"]
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


def test_unknown_record():
    with pytest.raises(ValueError, match="name must be one of .*Received: 'none'"):
        studies.read_record("none")
