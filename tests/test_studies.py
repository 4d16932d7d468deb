"""Records of studies: each belongs to its source, and says where it comes from."""

import json
import math
from pathlib import Path

import pytest

from resnet_lesson import studies
from resnet_lesson.runs import Record

SCRIPTS = sorted((Path(__file__).parents[1] / "benchmarks" / "studies").glob("*.py"))


RECORDED = [path for path in SCRIPTS if (studies.FOLDER / f"{path.stem}.json").exists()]


def test_there_is_a_study_for_each_record():
    """A study whose settings are committed may still have to run."""
    assert [path.stem for path in RECORDED] == sorted(
        path.stem for path in studies.FOLDER.glob("*.json")
    )


@pytest.mark.parametrize("script", RECORDED, ids=lambda path: path.stem)
def test_record_belongs_to_its_source(script):
    record = studies.read_study(script.stem)
    assert record["study"] == script.stem
    assert record["source_sha256"] == studies.source_hash(script), (
        f"{script.name} was changed after its record was made: run make studies N={script.stem}"
    )
    for session in record.get("sessions", [record]):
        assert set(session["versions"]) >= {"python", "tensorflow", "keras", "numpy"}
        assert set(session["machine"]) == {"system", "architecture", "processor", "cores"}
    groups = [record["settings"], *record["settings"].values()]
    seeds = [group["seeds"] for group in groups if isinstance(group, dict) and "seeds" in group]
    assert seeds and min(map(len, seeds)) >= 3


def test_write_and_read(tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "FOLDER", tmp_path / "records")
    script = tmp_path / "99_study.py"
    script.write_text("x = 1\n")
    path = studies.write_study(script, {"seeds": [0]}, [{"loss": 0.5}])
    record = studies.read_study("99_study")
    assert record["results"] == [{"loss": 0.5}]
    assert record["source_sha256"] == studies.source_hash(script)
    # On Windows, with a module that has moved, in other words: it computes the same.
    script.write_bytes(b'"""Why."""\r\nfrom a import (\r\n  b,\r\n)\r\n\r\nx = 1  # one\r\n')
    assert record["source_sha256"] == studies.source_hash(script)
    for other in ("x = 2\n", "x = 1\nx = 1\n", "y = 1\n", "x = '1'\n"):
        script.write_text(other)
        assert record["source_sha256"] != studies.source_hash(script)
    script.write_text("x = 1\n")
    before = path.read_text()
    with pytest.raises(TypeError):
        studies.write_study(script, {}, [object()])
    assert path.read_text() == before
    assert [p.name for p in (tmp_path / "records").iterdir()] == ["99_study.json"]
    assert json.loads(before)["study"] == "99_study"


def test_a_run_becomes_plain_data():
    shared = {"parameters": 10, "batch_size": 64, "updates": 9, "learning_rate": [(0, 0.1)]}
    measured = {"loss": [1.0], "seconds": [0.5, 2.0], "epochs": [{"update": 7, "loss": 1.0}]}
    record = Record("a", 0, **shared, **measured, test_loss=0.3, test_accuracy=0.9)
    kept = {"name": "a", "seed": 0, "learning_rate": [(0, 0.1)], "seconds": 2.0}
    kept |= {"epochs": measured["epochs"], "test_loss": 0.3, "test_accuracy": 0.9}
    assert studies.result_of(record) == kept


def test_unknown_record():
    with pytest.raises(ValueError, match="name must be one of .*Received: 'none'"):
        studies.read_study("none")


# -- A study that goes on where it was stopped -----------------------------------------------------


def measured(task):
    """What a task of the tests measures; it stands in a module, so that a process finds it."""
    if task["n"] == 13:
        raise RuntimeError("out of luck")
    return {"square": task["n"] ** 2, "nothing": float("nan")}


@pytest.fixture
def script(tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "FOLDER", tmp_path / "records")
    path = tmp_path / "99_squares.py"
    path.write_text("print(1)\n", encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_study_keeps_what_has_run_and_runs_the_rest(script, capsys):
    tasks = [{"n": n} for n in (2, 3)]
    study = studies.Study(script, {"seeds": [0]})
    assert [result["square"] for result in study.run(measured, tasks)] == [4, 9]
    with pytest.raises(RuntimeError, match="out of luck"):
        study.run(measured, [{"n": 4}, {"n": 13}], workers=1)
    capsys.readouterr()
    again = studies.Study(script, {"seeds": [0]})
    found = again.run(measured, [{"n": n} for n in (5, 4, 2)])
    assert [result["square"] for result in found] == [25, 16, 4]
    assert capsys.readouterr().out.count("\n") == 1, "only one of them had not run"
    record = studies.read_study("99_squares")
    assert sorted(result["task"]["n"] for result in record["results"]) == [2, 3, 4, 5]
    assert [result["session"] for result in record["results"]] == [0, 0, 0, 1]
    assert {result["nothing"] for result in record["results"]} == {None}
    assert len(record["sessions"]) == 2
    said = studies.provenance(record)
    assert said.count("recorded on") == 1, "both sessions were alike"


@pytest.mark.parametrize("change", ["settings", "script"])
def test_a_study_never_mixes_two_scripts_or_settings(script, change):
    study = studies.Study(script, {"seeds": [0]})
    study.results.append({"task": {"n": 1}, "session": 0})
    study._write()
    kept = (studies.FOLDER / "99_squares.json").read_bytes()
    if change == "script":
        script.write_text("print(2)\n", encoding="utf-8")
    settings = {"seeds": [1] if change == "settings" else [0]}
    with pytest.raises(ValueError, match="script must be .*Received: 99_squares.py"):
        studies.Study(script, settings)
    assert (studies.FOLDER / "99_squares.json").read_bytes() == kept


@pytest.mark.parametrize(
    ("valley", "tried", "best"),
    [(0.01, [], 0.01), (1e-4, [3e-4, 1e-4, 3e-5], 1e-4), (0.3, [0.1, 0.3, 1.0], 0.3)],
)
def test_a_rate_at_an_edge_is_not_taken(script, valley, tried, best):
    study, asked = studies.Study(script, {"seeds": [0]}), []

    def run(work, tasks):
        asked.extend(task["rate"] for task in tasks)
        return [{"train_loss": abs(math.log(task["rate"] / valley))} for task in tasks]

    study.run = run
    lower, higher = [3e-4, 1e-4, 3e-5], [0.1, 0.3, 1.0]
    tasks_at = lambda rate: [{"rate": rate}]  # noqa: E731
    found = study.best_rate(None, tasks_at, [0.001, 0.003, 0.01, 0.03], lower, higher)
    assert found == best and asked == [0.001, 0.003, 0.01, 0.03, *tried]


def test_a_rate_with_which_a_run_diverges_is_never_the_best(script):
    study = studies.Study(script, {"seeds": [0]})
    losses = {0.001: [2.0, 2.0], 0.01: [1.0, 1.0], 0.1: [0.1, None], 1.0: [3.0, 3.0]}
    study.run = lambda work, tasks: [{"train_loss": loss} for loss in losses[tasks[0]]]
    assert study.best_rate(None, lambda rate: [rate], [0.001, 0.01, 0.1, 1.0]) == 0.01


def test_the_best_rate_is_chosen_on_some_seeds_and_judged_on_others():
    losses = {
        (0.1, 0): 3.0,
        (0.1, 1): 1.0,
        (0.2, 0): 1.5,
        (0.2, 1): 1.6,
        (0.3, 0): 0.1,
        (0.3, 1): None,
    }
    losses |= {(0.1, 9): 0.2, (0.2, 9): 7.0, (0.2, 8): 8.0}
    results = [
        {"task": {"rate": rate, "seed": seed}, "train_loss": loss}
        for (rate, seed), loss in losses.items()
    ]
    rate, judged = studies.at_best_rate(results, [0, 1], [8, 9])
    assert rate == 0.2
    assert [run["train_loss"] for run in judged] == [8.0, 7.0]
    with pytest.raises(KeyError):
        studies.at_best_rate(results, [0, 1], [7])


def test_a_search_that_ends_at_an_edge_says_so(script):
    study = studies.Study(script, {"seeds": [0]})
    study.run = lambda work, tasks: [{"train_loss": -rate} for rate in tasks]
    with pytest.raises(ValueError, match=r"Received: 0.1 is the best of \[0.001, 0.01, 0.1\]"):
        study.best_rate(None, lambda rate: [rate], [0.001, 0.01], (), [0.1])
