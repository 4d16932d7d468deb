"""The benchmarks: their peers are what they say, and their results file cannot flatter."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path[:0] = [str(BENCHMARKS), str(BENCHMARKS / "peers")]

import accuracy_for_size  # noqa: E402
import course  # noqa: E402
import growth  # noqa: E402
import images_per_second  # noqa: E402
import ours  # noqa: E402
import results  # noqa: E402
import run  # noqa: E402
import step_profile  # noqa: E402
import tables  # noqa: E402
import tensorflow_peers  # noqa: E402
import time_to_accuracy  # noqa: E402

from resnet_lesson.article import article_network  # noqa: E402
from resnet_lesson.recipe import small_network  # noqa: E402


def fake(contestant, task, seed, quick):
    if task == growth.NAME:
        what, size = contestant.split()
        cost = int(size) ** growth.POWERS[what]
        return {"update": 0.01 * cost, "tracing": 1.0 * cost, "epoch": cost, "memory": 2**20 * cost}
    if task == step_profile.NAME:
        return {"update": 20.0, "operations": {"A": 30.0, "B": 5.0}, "reached": 5e10, "peak": 2e11}
    if task == course.NAME:
        return {"seconds": 60.0, "memory": 2**30}
    speed = 4000 if contestant == "ours" else 2000 + seed
    seconds = 10.0 if contestant == "ours" else 100.0
    return {"images_per_second": speed} if task == images_per_second.NAME else {"seconds": seconds}


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(tables, "README", tmp_path / "README.md")
    tables.README.write_text(f"a\n{tables.BEGIN}\n{tables.END}\nz\n")
    monkeypatch.setattr(results.read, "__defaults__", (results.RESULTS,))
    monkeypatch.setattr(results.write, "__defaults__", (results.RESULTS,))
    return tmp_path


def test_the_example_has_the_published_number_of_parameters():
    assert tensorflow_peers.keras_example().count_params() == 34_826


@pytest.mark.parametrize(("name", "softmax"), [("article", True), ("article_one_softmax", False)])
def test_the_articles_peers_are_its_network(name, softmax):
    model = tensorflow_peers.compiled(name)
    assert model.count_params() == article_network().count_params()
    assert (model.layers[-1].name == "outputs") == softmax
    assert model.optimizer.learning_rate.numpy() == np.float32(3e-3)


def test_the_article_as_written_trains_through_both_softmaxes():
    keras.utils.set_random_seed(0)
    model = tensorflow_peers.compiled("article")
    x = 4 * np.random.default_rng(0).random((128, 28, 28, 1), np.float32)
    y = tensorflow_peers.one_hot(np.arange(128) % 10)
    p = model.predict(x, verbose=0).astype(np.float64)
    twice = np.log(np.exp(p).sum(1)) - (p * y).sum(1)
    loss = model.train_on_batch(x, y)[0]
    assert loss == pytest.approx(twice.mean(), rel=1e-4)
    once = -np.log((p * y).sum(1)).mean()
    assert loss != pytest.approx(once, rel=1e-2)


def test_the_first_update_is_taken_back():
    model = tensorflow_peers.compiled("keras_example")
    before = model.get_weights()
    x = np.random.default_rng(0).random((192, 28, 28, 1), np.float32)
    y = tensorflow_peers.one_hot(np.arange(192) % 10)
    assert tensorflow_peers.fit_epochs(model, x, y, epochs=0) == []
    assert all(map(np.array_equal, before, model.get_weights()))
    assert model.optimizer.iterations.numpy() == 0
    tensorflow_peers.fit_epochs(model, x, y, epochs=1)
    assert model.optimizer.iterations.numpy() == 2


def test_pytorch_twins_have_our_parameters():
    pytest.importorskip("torch", reason="PyTorch is not installed; `make bench-torch` installs it")
    import pytorch_peers

    def count(m):
        return sum(p.numel() for p in m.parameters())

    assert count(pytorch_peers.Article()) == article_network().count_params()
    network = small_network(**ours.NETWORK)
    assert count(pytorch_peers.SmallNetwork()) == sum(
        int(np.prod(v.shape)) for v in network.trainable_variables
    )


def test_contestants_take_turns_and_goals_come_from_the_measurements(files):
    assert run.main([], fake) == 0
    found = json.loads(results.RESULTS.read_text())
    runs = found["parts"][time_to_accuracy.NAME]["runs"]
    first = [r["contestant"] for r in runs if r["seed"] == 0]
    assert [r["contestant"] for r in runs] == first * 3
    goals = [(g["measured"], g["met"]) for g in found["goals"]]
    assert goals[:2] == [(0.1, True), (4000 / 2002, True)]
    assert goals[3] == (pytest.approx(0), True)
    assert goals[4:] == [(60, True), (600, True), (60, True), (60, True)]
    assert tables.README.read_text() == tables.with_table(tables.README.read_text(), found)
    assert "| ours | 4,000 | 4,000 … 4,000 | 5 |" in tables.README.read_text()


def test_the_profile_s_table_accounts_for_all_the_time(files):
    run.main(["--only", step_profile.NAME], fake)
    text = tables.README.read_text()
    assert "| A | 30.0 | 75% |" in text and "| all else, and idle | 5.0 | 12% |" in text
    assert "50 billion operations a second, 25% of" in text


def test_a_run_that_misses_the_accuracy_misses_the_goal(files):
    def miss(contestant, task, seed, quick):
        missed = task == time_to_accuracy.NAME and contestant == "ours" and seed == 1
        return {"seconds": None} if missed else fake(contestant, task, seed, quick)

    run.main([], miss)
    goal = results.read()["goals"][0]
    assert goal["measured"] is None and goal["met"] is False
    assert "| ours | 10 | 10 … 10 | 3, 1 not there |" in tables.README.read_text()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_part_that_ends_early_keeps_the_old_results(files, error):
    run.main([], fake)
    before = results.read()

    def broken(contestant, task, seed, quick):
        if seed == 1:
            raise error("no")
        return {"images_per_second": 1}

    if error is RuntimeError:
        assert run.main(["--only", images_per_second.NAME], broken) == 1
    else:
        with pytest.raises(KeyboardInterrupt):
            run.main(["--only", images_per_second.NAME], broken)
    assert results.read() == before


def test_only_one_part_is_run_again(files):
    run.main([], fake)
    run.main(["--only", images_per_second.NAME], lambda *a: {"images_per_second": 1})
    speeds = [
        r["images_per_second"] for r in results.read()["parts"][images_per_second.NAME]["runs"]
    ]
    assert set(speeds) == {1}
    assert results.read()["goals"][0]["met"]


def test_an_unknown_part_gets_a_sentence(capsys):
    assert run.main(["--only", "growht"], fake) == 1
    assert capsys.readouterr().err.endswith("Received: growht\n")


def test_growth_is_judged_where_it_is_largest():
    def slow(contestant):
        found = fake(contestant, growth.NAME, 0, False)
        return found | {"tracing": found["tracing"] ** 1.5}

    for measured, excess in ((lambda c: fake(c, growth.NAME, 0, False), 0), (slow, 1)):
        runs = [{"contestant": c} | measured(c) for c in growth.CONTESTANTS]
        assert growth.steepest({"runs": runs}) == pytest.approx(excess)
    fit = growth.fits({"runs": runs})[0]
    assert fit["slope"] == pytest.approx(0.01) and fit["start"] == pytest.approx(0, abs=1e-9)
    assert growth.steepest({"runs": []}) is None


@pytest.mark.slow
def test_one_case_of_growth_is_measured():
    found = run.call("images 2500", growth.NAME, 0, True)
    assert 0 < found["update"] < found["tracing"] and found["epoch"] > 10 * found["update"]
    assert found["memory"] is None or found["memory"] > 2500 * 28 * 28 * 4


def test_the_course_has_all_its_notebooks():
    lessons = [name for name in course.NOTEBOOKS if name.count("/") == 1]
    assert course.FLAGSHIP in lessons and len(lessons) == 10
    runs = [{"contestant": name, "seconds": 90.0} for name in course.NOTEBOOKS]
    assert course.seconds({"runs": runs})["lessons"] == 900
    assert course.seconds({"runs": runs[1:]})["lessons"] is None


def test_a_command_that_fails_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(course, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match="make check ended with"):
        course.measure("make check")


def test_accuracy_for_its_size_comes_from_the_study(tmp_path):
    record = json.loads(accuracy_for_size.RECORD.read_text())
    final = record["results"]["final"]
    assert 0.99 < accuracy_for_size.accuracy() < 1
    path = tmp_path / "record.json"
    for changed in (final[:4], [r | {"parameters": 40_001} for r in final]):
        path.write_text(json.dumps({"results": {"final": changed}}))
        assert accuracy_for_size.accuracy(path) is None


def test_the_results_in_the_repository():
    found = results.read()
    text = tables.README.read_text()
    assert text == tables.with_table(text, found)
    assert found.get("goals", []) == results.goals(found["parts"])
