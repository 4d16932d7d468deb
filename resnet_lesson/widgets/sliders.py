"""Figures with sliders: a picture with its text alternative first, and below it what moves.

Without a kernel, on a page or on paper, the picture is there and complete. With one, each slider
makes the figure anew from the same function that drew the picture.
"""

import base64
from html import escape

import matplotlib.pyplot as plt
from IPython.display import display

from resnet_lesson import plots
from resnet_lesson.plots.page import png
from resnet_lesson.plumbing.constraints import FUNCTION, Dictionary, checked

# Of a figure that moves, as shares of its width and height.
MARGINS = {"left": 0.13, "right": 0.97, "bottom": 0.13, "top": 0.91}


@checked(draw=FUNCTION, start=Dictionary())
def explore(draw, start, **choices):
    """Show a figure, and sliders that change it.

    Args:
        draw: function of the named values → (Axes, text alternative), as those of ``plots``. A
            slider feels immediate if it takes less than 200 ms.
        start: dictionary: name → value of the first picture.
        choices: name → list of the values that its slider can take, in order.

    Returns:
        ipywidgets.VBox of the sliders and the moving figure; None without ipywidgets.

    Raises:
        TypeError, ValueError: ``draw`` is no function, or ``start`` no dictionary of its arguments.
    """
    plots.show(*draw(**start))
    try:
        import ipywidgets
    except ImportError:
        return None
    sliders = {
        name: ipywidgets.SelectionSlider(
            options=list(values),
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
        # Without ioff, the notebook would keep each figure until the next cell runs.
        with plt.ioff():
            values = {name: slider.value for name, slider in sliders.items()}
            figure.value = _image(*draw(**values))

    for slider in sliders.values():
        slider.observe(move, "value")
    box = ipywidgets.VBox([*sliders.values(), figure])
    display(box)
    return box


def _image(ax, alt):
    """Return a figure as HTML, and close it."""
    # Fixed margins: to fit them to the labels takes a third of the drawing's time.
    ax.figure.set_layout_engine(None)
    ax.figure.subplots_adjust(**MARGINS)
    picture = base64.b64encode(png(ax)).decode()
    source = f'src="data:image/png;base64,{picture}" alt="{escape(alt)}"'
    return f'<img style="max-width: 100%" {source}>'
