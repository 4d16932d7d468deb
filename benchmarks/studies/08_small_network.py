"""Study of lesson 08: how accurate can 40,000 parameters be?

Question: Highway Networks (Srivastava 2015, Table 1) report 99.40 ± 0.03 % with 39,000 parameters
and 99.54 ± 0.02 % with 151,000. What does a small residual network reach?

First, four candidates are compared by their accuracy on 5,000 validation images, with short runs
and two seeds. The test images have no part in that. Then the best one is trained on all 60,000
training images with five other seeds, to the end of its schedule, and tested once. The first of the
five networks is kept for the lesson.
"""

import statistics

from resnet_lesson import deterministic
from resnet_lesson.data import load_mnist
from resnet_lesson.recipe import RECIPE, TRAINED, small_network, train_recipe
from resnet_lesson.recipe.fast import one_thread_an_operation
from resnet_lesson.studies import result_of, write_study

MILD = {"turn": 10, "scale": 0.1, "shear": 0.1, "shift": 2}
STRONG = {"turn": 15, "scale": 0.15, "shear": 0.2, "shift": 2}
SETTINGS = RECIPE | {
    "pieces": 2,
    "candidates": {
        "two blocks, mild": {"blocks": [[32, 2], [32, 1]], "distortion": MILD},
        "two blocks, strong": {"blocks": [[32, 2], [32, 1]], "distortion": STRONG},
        "three blocks, mild": {"blocks": [[16, 1], [32, 2], [32, 1]], "distortion": MILD},
        "three blocks, strong": {"blocks": [[16, 1], [32, 2], [32, 1]], "distortion": STRONG},
    },
    "val": 5000,
    "candidate_epochs": 10,
    "candidate_seeds": [100, 101],
    "seeds": [0, 1, 2, 3, 4],
}


def trained(name, data, seed, epochs):
    """Train a candidate; return (model, plain data)."""
    candidate = SETTINGS["candidates"][name]
    model = small_network(candidate["blocks"])
    options = {"distortion": candidate["distortion"], "pieces": SETTINGS["pieces"]}
    model, record = train_recipe(data, seed, epochs, model=model, **options)
    return model, result_of(record) | {"name": name, "parameters": record.parameters}


def main():
    one_thread_an_operation()
    deterministic()
    data = load_mnist(val=SETTINGS["val"], test=0)
    candidates = [
        trained(name, data, seed, SETTINGS["candidate_epochs"])[1]
        for name in SETTINGS["candidates"]
        for seed in SETTINGS["candidate_seeds"]
    ]
    accuracy = {
        name: statistics.mean(
            run["epochs"][-1]["val_accuracy"] for run in candidates if run["name"] == name
        )
        for name in SETTINGS["candidates"]
    }
    chosen = max(accuracy, key=accuracy.get)
    data, final = load_mnist(val=0), []
    for seed in SETTINGS["seeds"]:
        model, result = trained(chosen, data, seed, SETTINGS["epochs"])
        final.append(result)
        if seed == SETTINGS["seeds"][0]:
            first = model
    results = {"candidates": candidates, "chosen": chosen, "final": final}
    print(f"Written: {write_study(__file__, SETTINGS, results).name}")
    TRAINED.parent.mkdir(exist_ok=True)
    first.save(TRAINED)


if __name__ == "__main__":
    main()
