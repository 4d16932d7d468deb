"""Twins in PyTorch of our small network and of the article's network, channels last.

It runs in an environment of its own, with PyTorch and NumPy alone (``make bench-torch``).
"""

import argparse
import json
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

BATCH, AIM, MEAN, STD = 128, 0.99, 0.13066, 0.30811


def same(x, kernel, stride):
    """Pad x as TensorFlow's "same" does: what is odd goes to the right and the bottom."""
    size = x.shape[-1]
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return F.pad(x, (total // 2, total - total // 2) * 2)


class ConvNorm(nn.Module):
    """A convolution without a bias, then batch normalisation."""

    def __init__(self, channels, filters, kernel, stride=1, gamma=1.0):
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.conv = nn.Conv2d(channels, filters, kernel, stride, bias=False)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")
        self.norm = nn.BatchNorm2d(filters, eps=1e-5, momentum=0.1)
        nn.init.constant_(self.norm.weight, gamma)

    def forward(self, x):
        return self.norm(self.conv(same(x, self.kernel, self.stride)))


class Block(nn.Module):
    """The small network's basic block: an averaged and, if needed, projected shortcut."""

    def __init__(self, channels, filters, stride):
        super().__init__()
        self.stride = stride
        self.conv1 = ConvNorm(channels, filters, 3, stride)
        self.conv2 = ConvNorm(filters, filters, 3, gamma=0.0)
        wider = channels != filters
        self.shortcut = nn.Conv2d(channels, filters, 1, bias=False) if wider else nn.Identity()
        if wider:
            nn.init.kaiming_normal_(self.shortcut.weight, nonlinearity="relu")

    def forward(self, x):
        y = self.conv2(F.relu(self.conv1(x)))
        if self.stride > 1:
            x = F.avg_pool2d(x, self.stride, ceil_mode=True, count_include_pad=False)
        return F.relu(self.shortcut(x) + y)


class SmallNetwork(nn.Module):
    """Twin of ``recipe.small_network(blocks, stem)``."""

    def __init__(self, blocks=((16, 2), (48, 2)), stem=(8, 4)):
        super().__init__()
        self.stem, channels, made = ConvNorm(1, *stem), stem[0], []
        for filters, stride in blocks:
            made.append(Block(channels, filters, stride))
            channels = filters
        self.blocks, self.logits = nn.Sequential(*made), nn.Linear(channels, 10)
        nn.init.xavier_uniform_(self.logits.weight)
        nn.init.zeros_(self.logits.bias)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.stem(x)), 2)
        return self.logits(self.blocks(x).amax((2, 3)))


class ArticleBlock(nn.Module):
    """One of the article's blocks; a changing one uses its third kernel for the shortcut too."""

    def __init__(self, channels, widths, changing=False):
        super().__init__()
        self.changing = changing
        self.conv1 = nn.Conv2d(channels, widths[0], 1)
        self.conv2 = nn.Conv2d(widths[0], widths[1], 3, padding=1)
        self.conv3 = nn.Conv2d(widths[1], widths[2], 1, bias=False)
        self.bias3, self.bias = (nn.Parameter(torch.zeros(widths[2], 1, 1)) for _ in range(2))

    def forward(self, x):
        y = F.relu(self.conv2(F.relu(self.conv1(x))))
        y = F.relu(self.conv3(y) + self.bias3)
        return F.relu(y + (self.conv3(x) if self.changing else x) + self.bias)


class Article(nn.Module):
    """Twin of ``article.article_network()``: probabilities, which the loss takes for logits."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1)
        blocks = [ArticleBlock(16, (8, 8, 16)) for _ in range(4)]
        self.blocks = nn.Sequential(*blocks, ArticleBlock(16, (16, 16, 32), changing=True))
        self.dense1, self.logits = nn.Linear(7 * 7 * 32, 128), nn.Linear(128, 10)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=0.1, a=-0.2, b=0.2)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.stem(x)), 2)
        x = F.max_pool2d(self.blocks(x), 2).flatten(1)
        return F.softmax(self.logits(F.relu(self.dense1(x))), 1)


def train(model, x, y, epochs, rate, smoothing=0.0):
    """Train with Adam, rate(update, updates) its step size; return the seconds of each epoch."""
    model.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(model.parameters(), eps=1e-7)
    per_epoch, seconds = len(x) // BATCH, []
    for epoch in range(epochs):
        start = time.perf_counter()
        order = torch.randperm(len(x))
        for number in range(per_epoch):
            at = order[number * BATCH : (number + 1) * BATCH]
            images = x[at].contiguous(memory_format=torch.channels_last)
            optimizer.param_groups[0]["lr"] = rate(epoch * per_epoch + number, epochs * per_epoch)
            optimizer.zero_grad()
            F.cross_entropy(model(images), y[at], label_smoothing=smoothing).backward()
            optimizer.step()
        seconds.append(time.perf_counter() - start)
    return seconds


def one_cycle(update, updates, peak=2e-2, warm_up=0.25):
    """Return the rate of an update, as ``resnet_lesson.recipe.fast.one_cycle``."""
    top = warm_up * updates
    if update < top:
        return peak * (0.04 + 0.96 * update / top)
    return peak * (updates - update) / (updates - top)


def tensors(images, labels):
    """Return standardised images, shape (n, 1, 28, 28), and labels."""
    x = (images.reshape(-1, 1, 28, 28).astype(np.float32) / 255 - MEAN) / STD
    return torch.from_numpy(x.astype(np.float32)), torch.from_numpy(labels.astype(np.int64))


def main():
    """Run one twin once and print its result as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--task", choices=("time_to_accuracy", "images_per_second"))
    parser.add_argument("--data")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    if options.name == "torch_one_thread":  # two threads wait for each other on a busy machine
        torch.set_num_threads(1)
    data = np.load(options.data)
    speed = options.task == "images_per_second"
    images = 1280 if options.quick else 12_800 if speed else 60_000
    x, y = tensors(data["x_train"][:images], data["y_train"][:images])
    if speed:
        epochs = 2 if options.quick else 4
        seconds = train(Article(), x, y, epochs, lambda *_: 3e-3)
        result = {"images_per_second": images / float(np.median(seconds[1:])), "epochs": seconds}
    else:
        model = SmallNetwork()
        spent = sum(train(model, x, y, 3, one_cycle, smoothing=0.05))
        x_test, labels = tensors(data["x_test"], data["y_test"])
        with torch.no_grad():
            model.eval()
            right = torch.cat([model(part).argmax(1) for part in x_test.split(500)]) == labels
        accuracy = right.float().mean().item()
        reached = accuracy >= AIM
        result = {"seconds": spent if reached else None, "spent": spent, "accuracies": [accuracy]}
    print(json.dumps(result | {"torch": torch.__version__}))


if __name__ == "__main__":
    main()
