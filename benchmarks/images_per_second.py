"""Part of the benchmarks: training speed on the article's exact network, batches of 128."""

from contestants import command  # noqa: F401  (how `run` starts them)

NAME = "images_per_second"
REPEATS = 10
CONTESTANTS = ("ours", "article", "article+", "tf1", "tf1+", "torch", "torch_one_thread")
PROTOCOL = (
    "The article's network as written, float32, Adam, batches of 128: the median over epochs of "
    "12,800 images, the first one left out."
)
