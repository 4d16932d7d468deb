"""The benchmarks: their peers are what they say, and their results file cannot flatter."""

import contextlib
import json
import subprocess
from pathlib import Path

import accuracy_for_size
import commands
import course
import growth
import images_per_second
import keras
import numpy as np
import ours
import peer_tuning
import pytest
import results
import run
import step_profile
import tables
import tensorflow_peers
import time_to_accuracy

from resnet_lesson.article import article_network
from resnet_lesson.recipe import small_network


def fake(contestant, task, seed, quick):
    if task == growth.NAME:
        what, size = contestant.split()
        cost = int(size) ** growth.POWERS[what]
        return {"update": 0.01 * cost, "tracing": 1.0 * cost, "epoch": cost, "memory": 2**20 * cost}
    if task == step_profile.NAME:
        return {"update": 20.0, "operations": {"A": 30.0, "B": 5.0}, "reached": 5e10, "peak": 2e11}
    if task == course.NAME:
        return {"seconds": 60.0, "memory": 2**30}
    if task == peer_tuning.NAME:
        return {"accuracy": 0.985 + 0.001 * peer_tuning.CONTESTANTS.index(contestant), "seconds": 9}
    speed = 4000 if contestant == "ours" else 2000 + seed
    seconds = 10.0 if contestant == "ours" else 100.0
    return {"images_per_second": speed} if task == images_per_second.NAME else {"seconds": seconds}


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(tables, "PAGE", tmp_path / "benchmarks.md")
    monkeypatch.setattr(run, "installed", lambda contestant: True)
    tables.PAGE.write_text(f"a\n{tables.BEGIN}\n{tables.END}\nz\n")


ARTICLE = article_network().count_params()
PEERS = Path(tensorflow_peers.__file__).parent


@pytest.mark.parametrize(
    ("name", "parameters", "rate", "last"),
    [
        ("keras_example", 34_826, 1e-3, "dense"),  # as published
        ("article", ARTICLE, 3e-3, "outputs"),  # a softmax layer, before the loss takes another
    ],
)
def test_peers_are_what_they_are_said_to_be(name, parameters, rate, last):
    model = tensorflow_peers.compiled(name)
    assert model.count_params() == parameters
    assert model.optimizer.learning_rate.numpy() == np.float32(rate)
    assert model.layers[-1].name.startswith(last)


def test_the_article_as_written_trains_through_both_softmaxes():
    keras.utils.set_random_seed(0)
    model = tensorflow_peers.compiled("article")
    x = 4 * np.random.default_rng(0).random((32, 28, 28, 1), np.float32)
    y = tensorflow_peers.one_hot(np.arange(32) % 10)
    outputs = model(x)
    loss = float(model.compute_loss(x, y, outputs))  # the loss that `fit` differentiates
    p = outputs.numpy().astype(np.float64)
    twice = np.log(np.exp(p).sum(1)) - (p * y).sum(1)
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


@pytest.mark.skipif(not run.TORCH.exists(), reason="`make bench-torch` installs PyTorch")
def test_pytorch_twins_have_our_parameters():
    code = "import pytorch_peers as twins; print([sum(p.numel() for p in made().parameters()) "
    code += "for made in (twins.Article, twins.SmallNetwork)])"
    done = subprocess.run([run.TORCH, "-c", code], cwd=PEERS, capture_output=True, text=True)
    variables = small_network(**ours.NETWORK).trainable_variables
    assert json.loads(done.stdout) == [ARTICLE, sum(v.numpy().size for v in variables)], done.stderr


def test_contestants_take_turns_and_goals_come_from_the_measurements(files):
    assert run.main([], fake) == 0
    found = json.loads(results.RESULTS.read_text())
    runs = found["parts"][time_to_accuracy.NAME]["runs"]
    first = [r["contestant"] for r in runs if r["seed"] == 0]
    assert [r["contestant"] for r in runs] == first * 10
    goals = [(g["measured"], g["met"]) for g in found["goals"]]
    assert goals[:2] == [(pytest.approx(0.1), "yes")] * 2
    assert goals[2] == (pytest.approx(4000 / 2004.5, rel=1e-5), "yes")
    assert goals[4] == (pytest.approx(0), "yes")
    kinds = (
        60 * sum(kind is its for its in course.COURSE.values()) for kind in course.SUMS.values()
    )
    assert [measured for measured, _ in goals[5:]] == [60, *kinds, 60, 60]
    assert tables.PAGE.read_text() == tables.with_table(tables.PAGE.read_text(), found)
    assert "| ours | 4,000 | 4,000 … 4,000 | 10 |" in tables.PAGE.read_text()


def test_the_profile_s_table_accounts_for_all_the_time(files):
    run.main(["--only", step_profile.NAME], fake)
    text = tables.PAGE.read_text()
    assert "| A | 30.0 | 75% |" in text and "| all else, and idle | 5.0 | 12% |" in text
    assert "50 billion operations a second, 25% of" in text


def test_a_run_that_misses_the_accuracy_misses_the_goal(files):
    def miss(contestant, task, seed, quick):
        missed = task == time_to_accuracy.NAME and contestant == "ours" and seed == 1
        far = {"seconds": None, "spent": 9.0, "accuracies": [0.5, 0.98]}
        return far if missed else fake(contestant, task, seed, quick)

    run.main([], miss)
    goal = results.read()["goals"][0]
    assert goal["measured"] is None and goal["met"] == "no"
    text = tables.PAGE.read_text()
    assert "| ours | 10 | 10 … 10 | 10, 1 not there |" in text
    assert "Not there: ours, at 98.00% … 98.00% of the test images after 9 seconds." in text


def test_an_interval_that_holds_the_aim_leaves_a_goal_undecided():
    runs = [{"contestant": "ours", "s": 1.0}] * 3
    runs += [{"contestant": "peer", "s": seconds} for seconds in (7.0, 8.0, 9.0)]
    mean, low, high = results.ratio({"runs": runs}, "ours", "peer", "s")
    assert mean == pytest.approx((7 * 8 * 9) ** (-1 / 3))
    assert low < 1 / 9 and high > 1 / 7  # of three logarithms: t = 4.3
    measured = [mean, low, high]
    for aim, met in {low - 0.01: "no", mean: "undecided", high: "yes"}.items():
        assert results.at_most("time", aim, measured)["met"] == met
    for aim, met in {low: "yes", mean: "undecided", high + 0.01: "no"}.items():
        assert results.at_least("time", aim, measured)["met"] == met
    assert results.ratio({"runs": runs[2:4]}, "ours", "peer", "s") is None  # no second turn


def test_the_fastest_setting_of_which_each_run_reads_enough_is_raced():
    a, b, c = peer_tuning.CONTESTANTS[:3]
    runs = [
        {"contestant": name, "seconds": seconds, "accuracy": accuracy}
        for name, seconds, accuracy in (
            (a, 10.0, 0.992),
            (b, 20.0, 0.991),
            (c, 30.0, 0.999),
            (a, 10.0, 0.9899),
            (b, 21.0, 0.99),
            (c, 30.0, 0.999),
        )
    ]
    assert peer_tuning.fastest({"runs": runs}) == peer_tuning.CANDIDATES[b]
    assert peer_tuning.fastest({"runs": runs[3:4]}) is None
    assert len(peer_tuning.CANDIDATES) == 20


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_part_that_ends_early_keeps_the_old_results(files, error):
    run.main([], fake)
    before = results.read()

    def broken(contestant, task, seed, quick):
        if seed == 1:
            raise error("no")
        return {"images_per_second": 1}

    expected = contextlib.nullcontext() if error is RuntimeError else pytest.raises(error)
    with expected:
        assert run.main(["--only", images_per_second.NAME], broken) == 1
    assert results.read() == before


def test_only_one_part_is_run_again(files):
    run.main([], fake)
    run.main(["--only", images_per_second.NAME], lambda *_: {"images_per_second": 1})
    part = results.read()["parts"][images_per_second.NAME]
    assert {measured["images_per_second"] for measured in part["runs"]} == {1}
    assert results.read()["goals"][0]["met"] == "yes"


def test_an_unknown_part_gets_a_sentence(capsys):
    assert run.main(["--only", "growht"], fake) == 1
    assert capsys.readouterr().err.endswith("Received: growht\n")


def test_growth_is_judged_where_it_is_largest():
    runs = [{"contestant": c} | fake(c, growth.NAME, 0, False) for c in growth.CONTESTANTS]
    assert growth.steepest({"runs": runs}) == pytest.approx(0)
    slower = [measured | {"tracing": measured["tracing"] ** 1.5} for measured in runs]
    assert growth.steepest({"runs": slower}) == pytest.approx(1)
    fit = growth.fits({"runs": runs})[0]
    assert fit["slope"] == pytest.approx(0.01) and fit["start"] == pytest.approx(0, abs=1e-9)
    assert growth.steepest({"runs": []}) is None


@pytest.mark.slow
def test_a_trial_runs_all_parts_and_all_contestants():
    done = commands.run(*commands.make("bench", "QUICK=1"))
    assert done.returncode == 0, done.stderr
    parts = results.read(run.QUICK)["parts"]
    for name, part in run.PARTS.items():
        expected = [c for c in getattr(part, "QUICK", part.CONTESTANTS) if run.installed(c)]
        assert [measured["contestant"] for measured in parts[name]["runs"]] == expected
    assert done.stdout.endswith(f"{tables.table(results.read(run.QUICK))}\n")
    for found in parts[growth.NAME]["runs"]:
        size = int(found["contestant"].split()[1])
        assert 0 < found["update"] < found["tracing"] and found["epoch"] > 10 * found["update"]
        assert found["memory"] is None or found["memory"] > size * 28 * 28 * 4


def test_the_course_has_all_its_notebooks():
    lessons = [name for name in course.NOTEBOOKS if name.count("/") == 1]
    assert course.FLAGSHIP in lessons and len(lessons) == 10
    runs = [{"contestant": name, "seconds": 90.0} for name in course.NOTEBOOKS]
    assert course.seconds({"runs": runs})["lessons"] == 900
    assert course.seconds({"runs": runs[1:]})["lessons"] is None
    assert course.seconds({"runs": runs[1:]})["solutions"] == 90 * 9


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
    text = tables.PAGE.read_text()
    assert text == tables.with_table(text, found)
    assert found.get("goals", []) == results.goals(found["parts"])
