"""Train the recipe's network: ``python -m resnet_lesson.recipe``."""

import argparse
import sys
from pathlib import Path

from resnet_lesson import deterministic
from resnet_lesson.data import load_mnist
from resnet_lesson.plumbing.files import whole_file
from resnet_lesson.recipe import RECIPE, train_recipe
from resnet_lesson.recipe.fast import one_thread_an_operation


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m resnet_lesson.recipe")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=RECIPE["epochs"])
    parser.add_argument("--save", type=Path, help="file for the trained model, ends in .keras")
    options = parser.parse_args()
    path = options.save
    if path and not (path.suffix == ".keras" and path.parent.is_dir()):
        sys.exit(f"--save must be a file .keras in a folder that there is. Received: {path}")
    one_thread_an_operation()
    deterministic()
    try:
        model, record = train_recipe(load_mnist(val=0), options.seed, options.epochs)
        print(
            f"{record.parameters:,} parameters, {record.seconds[-1] / 60:.1f} minutes of training: "
            f"{record.test_accuracy:.2%} of the test images are right."
        )
        if path:
            with whole_file(path) as new:
                model.save(new)
    except (OSError, TypeError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
