"""The benchmarks: their peers are what they say, and their results file cannot flatter."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path[:0] = [str(BENCHMARKS), str(BENCHMARKS / "peers")]

import ours  # noqa: E402
import results  # noqa: E402
import run  # noqa: E402
import tensorflow_peers  # noqa: E402

from resnet_lesson.article import article_network  # noqa: E402
from resnet_lesson.recipe import small_network  # noqa: E402


def fake(contestant, task, seed, quick):
    speed = 4000 if contestant == "ours" else 2000 + seed
    seconds = 10.0 if contestant == "ours" else 100.0
    return {"images_per_second": speed} if task == results.SPEED else {"seconds": seconds}


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(results, "README", tmp_path / "README.md")
    results.README.write_text(f"a\n{results.BEGIN}\n{results.END}\nz\n")
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
    runs = found["parts"][results.TIME]["runs"]
    first = [r["contestant"] for r in runs if r["seed"] == 0]
    assert [r["contestant"] for r in runs] == first * 3
    assert [(g["measured"], g["met"]) for g in found["goals"]] == [
        (0.1, True),
        (4000 / 2002, True),
    ]
    assert results.README.read_text() == results.with_table(results.README.read_text(), found)
    assert "| ours | 4,000 | 5 |" in results.README.read_text()


def test_a_run_that_misses_the_accuracy_misses_the_goal(files):
    def miss(contestant, task, seed, quick):
        missed = task == results.TIME and contestant == "ours" and seed == 1
        return {"seconds": None} if missed else fake(contestant, task, seed, quick)

    run.main([], miss)
    assert results.read()["goals"][0] | {"name": ""} == results.goal("", 0.125, None, False)
    assert "| ours | 10 | 3, 1 not there |" in results.README.read_text()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_part_that_ends_early_keeps_the_old_results(files, error):
    run.main([], fake)
    before = results.read()

    def broken(contestant, task, seed, quick):
        if seed == 1:
            raise error("no")
        return {"images_per_second": 1}

    if error is RuntimeError:
        assert run.main(["--only", results.SPEED], broken) == 1
    else:
        with pytest.raises(KeyboardInterrupt):
            run.main(["--only", results.SPEED], broken)
    assert results.read() == before


def test_only_one_part_is_run_again(files):
    run.main([], fake)
    run.main(["--only", results.SPEED], lambda *a: {"images_per_second": 1})
    speeds = [r["images_per_second"] for r in results.read()["parts"][results.SPEED]["runs"]]
    assert set(speeds) == {1}
    assert results.read()["goals"][0]["met"]


def test_an_unknown_part_gets_a_sentence(capsys):
    assert run.main(["--only", "growht"], fake) == 1
    assert capsys.readouterr().err.endswith("Received: growht\n")


def test_the_results_in_the_repository():
    found = results.read()
    text = results.README.read_text()
    assert text == results.with_table(text, found)
    assert found.get("goals", []) == results.goals(found["parts"])
