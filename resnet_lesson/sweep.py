"""Many runs of training, networks × seeds, in worker processes side by side.

On a small machine two processes with one thread each train faster than one process with two.
"""

import inspect

import tensorflow as tf

from resnet_lesson.arguments import (
    dictionary,
    function,
    received,
    sequence,
    truth_value,
    whole_number,
)
from resnet_lesson.models import network
from resnet_lesson.training import check_run, progress_bar
from resnet_lesson.workers import check_workers_find, cores, in_workers, run_task

# A mistyped number must not fill the machine with processes.
MOST_WORKERS = 256
# To build and trace a network takes about as long as so many of its updates.
TRACING = 100


def sweep(
    configs,
    seeds,
    data,
    updates=300,
    batch_size=64,
    learning_rate=2e-3,
    after_epoch=None,
    workers=None,
    progress=True,
    build=network,
):
    """Train every network with every seed.

    Interrupting the kernel (Ctrl-C) ends the sweep and returns what was measured so far.

    Args:
        configs: dictionary: name → arguments of ``build``, as in
            ``{"plain 8": {"depth": 8, "shortcut": "none"}}``.
        seeds: different integers of 0 or more; one run of each network for each.
        data, updates, batch_size: as in ``training.train``.
        learning_rate: as in ``training.train``, or a dictionary: name → that network's own.
        after_epoch: as in ``training.train``; for workers it must be a function of a module, not
            one defined in a notebook.
        workers: number of processes; 1 trains in this process. By default one a core, at most as
            many as there are networks times seeds, at most 2; 1 where there is a GPU.
        progress: show a progress bar.
        build: function that makes a model from one entry of ``configs``; ``models.network`` unless
            another one is given. For workers it must be a function of a module, as above.

    Returns:
        list of Record, in the order of ``configs`` and, within each, of ``seeds``. Runs that an
        interrupt kept from starting are missing.

    Raises:
        TypeError, ValueError: an argument is unusable; the message ends with what was received.
        RuntimeError: a worker process died, as it does where memory runs out. The error's
            ``records`` are the runs that were finished; in a notebook, where the cell has failed,
            they are ``sys.last_value.records``.
    """
    configs = dict(dictionary("configs", configs))
    for config in configs.values():
        if not isinstance(config, dict):
            raise TypeError(
                f"configs must hold dictionaries of arguments. Received: {received(config)}"
            )
    seeds = [whole_number("seeds", seed) for seed in sequence("seeds", seeds)]
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must be all different. Received: {seeds}")
    truth_value("progress", progress)
    if workers is None:
        workers = 1 if tf.config.list_physical_devices("GPU") else min(2, cores())
    workers = whole_number("workers", workers, least=1, most=MOST_WORKERS)
    rates = learning_rate
    if not isinstance(rates, dict):
        rates = dict.fromkeys(configs, learning_rate)
    elif rates.keys() != configs.keys():
        raise ValueError(
            "learning_rate, given as a dictionary, must have the names of configs. "
            f"Received: {received(rates)}"
        )
    settings = {
        "updates": whole_number("updates", updates, least=1),
        "batch_size": whole_number("batch_size", batch_size, least=1),
        "learning_rates": rates,
        "after_epoch": after_epoch,
        "build": function("build", build),
    }
    if workers > 1:
        check_workers_find("after_epoch", after_epoch)
        check_workers_find("build", build)
    tasks = _tasks(configs, seeds, workers, settings["updates"])
    order = {pair: i for i, pair in enumerate((name, seed) for name in configs for seed in seeds)}
    run = _in_this_process if workers == 1 else in_workers
    records, death = [], None
    try:
        # A mistake is told here, at once, and not from a worker.
        for name, config in configs.items():
            model = _built(build, config)
            check_run(model, data, settings["batch_size"], rates[name], after_epoch)
        with progress_bar(len(order) * settings["updates"], progress) as bar:
            records, death = run(tasks, data, settings, min(workers, len(tasks)), bar)
    except KeyboardInterrupt:  # before the first run
        pass
    records.sort(key=lambda record: order[record.name, record.seed])
    finished = sum(not record.interrupted for record in records)
    if death:
        error = RuntimeError(
            "a worker process died: memory may have run out (then workers=1 needs less), or a "
            'script calls sweep outside of `if __name__ == "__main__":`. This error\'s `records` '
            f"are the {finished} of {len(order)} runs that were finished. "
            f"Received: workers={workers}"
        )
        error.records = records
        raise error from death
    if finished < len(order):
        print(
            f"Interrupted: {len(order) - finished} of {len(order)} runs are missing or cut short."
        )
    return records


def _built(build, config):
    """Build a model; tell which arguments do not fit the function that builds it."""
    try:
        inspect.signature(build).bind(**config)
    except TypeError as error:
        raise TypeError(
            f"configs must hold arguments of {getattr(build, '__name__', 'build')}: {error}. "
            f"Received: {received(config)}"
        ) from None
    return build(**config)


def _tasks(configs, seeds, workers, updates):
    """Return (name, config, seeds) for each task, the longest first.

    A task traces its network once, so it takes all seeds of one network. Some of the deepest are
    split into tasks of fewer seeds, if all is done sooner that way.
    """
    deepest_first = sorted(configs.items(), key=lambda item: -_depth(item[1]))
    parts = min(workers, len(seeds))

    def split(count):
        tasks = [
            (name, config, seeds[part::of])
            for i, (name, config) in enumerate(deepest_first)
            for of in [parts if i < count else 1]
            for part in range(of)
        ]
        return sorted(tasks, key=cost, reverse=True)

    def cost(task):
        return _depth(task[1]) * (len(task[2]) * updates + TRACING)

    def end(tasks):
        """Return when the last worker is done, if each takes the next task as soon as it can."""
        busy = [0] * workers
        for task in tasks:
            busy[busy.index(min(busy))] += cost(task)
        return max(busy)

    return min((split(count) for count in range(len(configs) + 1)), key=end)


def _depth(config):
    depth = config.get("depth")
    return depth if isinstance(depth, int) and depth > 0 else 1


def _in_this_process(tasks, data, settings, workers, bar):
    """Return (records, None), as ``in_workers`` does where no worker died."""
    records = []
    try:
        for task in tasks:
            for record in run_task(task, data, settings, None, bar.update):
                records.append(record)
            if record.interrupted:
                break
    except KeyboardInterrupt:  # between two runs
        pass
    return records, None
