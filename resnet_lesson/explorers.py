"""Figures with sliders: a picture with its text alternative first, and below it what moves.

Without a kernel, on a page or on paper, the picture is there and complete. With one, each slider
makes the figure anew from the same function that drew the picture.
"""

import base64
import gc
from html import escape

import matplotlib.pyplot as plt
from IPython.display import display

from resnet_lesson import plots
from resnet_lesson.arguments import function, received, sequence
from resnet_lesson.plots.page import png

try:
    import ipywidgets
except ImportError:  # the picture is there
    ipywidgets = None

# Of a figure that moves, as shares of its width and height.
MARGINS = {"left": 0.13, "right": 0.97, "bottom": 0.13, "top": 0.91}


def explore(draw, start, **choices):
    """Show a figure, and sliders that change it.

    Args:
        draw: function of the named values → (Axes, text alternative), as those of ``plots``. A
            slider feels immediate if it takes less than 200 ms.
        start: dictionary: name → value of the first picture.
        choices: name → values that its slider can take, in order.

    Returns:
        ipywidgets.VBox of the sliders and the moving figure; None without ipywidgets.

    Raises:
        TypeError, ValueError: ``draw`` is no function, or ``start`` has other names than
            ``choices``, or a value that is no choice.
    """
    function("draw", draw)
    if not isinstance(start, dict):
        raise TypeError(f"start must be a dictionary. Received: {received(start)}")
    choices = {name: list(sequence(name, values)) for name, values in choices.items()}
    if set(start) != set(choices) or any(start[name] not in choices[name] for name in start):
        raise ValueError(
            f"start must hold one of the choices for each name. Received: {received(start)}"
        )
    plots.show(*draw(**start))
    if ipywidgets is None:
        return None
    sliders = {
        name: ipywidgets.SelectionSlider(
            options=[(_label(value), value) for value in values],
            value=start[name],
            description=name.replace("_", " "),
            continuous_update=False,
            style={"description_width": "9em"},
            layout={"width": "min(30em, 100%)"},
        )
        for name, values in choices.items()
    }
    figure = ipywidgets.HTML()

    def move(_):
        with plt.ioff():  # else the notebook keeps each figure until the next cell runs
            ax, alt = draw(**{name: slider.value for name, slider in sliders.items()})
        # Fixed margins: to fit them to the labels takes a third of the drawing's time.
        ax.figure.set_layout_engine(None)
        ax.figure.subplots_adjust(**MARGINS)
        picture = base64.b64encode(png(ax)).decode()
        image = f'src="data:image/png;base64,{picture}" alt="{escape(alt)}"'
        figure.value = f'<img style="max-width: 100%" {image}>'
        gc.collect()  # a few ms now, instead of more in the middle of a later move

    for slider in sliders.values():
        slider.observe(move, "value")
    # To look for garbage in all that TensorFlow has loaded takes a quarter of a second, in one move
    # of a dozen. So what is there now is left out of it, until the next call of this function.
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    box = ipywidgets.VBox([*sliders.values(), figure])
    display(box)
    return box


def _label(value):
    return value if isinstance(value, str) else f"{value:g}"
