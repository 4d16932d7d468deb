"""Diagram of the article's changing block, as it is written and repaired.

The article is described in ``article``; the repaired block is that of He et al. 2016a
(arXiv:1512.03385), Figure 5, right, with the projection of Section 3.3.
"""

from resnet_lesson.diagrams.blocks import Block, draw_block
from resnet_lesson.diagrams.canvas import Canvas
from resnet_lesson.plumbing.constraints import checked

REPAIRED = Block(
    shortcut="projection",
    in_filters=16,
    out_filters=32,
    branch=["1×1 conv, 16", "ReLU", "3×3 conv, 16", "ReLU", "1×1 conv, 32: kernel W"],
    carry=["1×1 conv, 32: kernel V"],
    carried=("V x", "$V x$"),
)
WRITTEN = REPAIRED._replace(
    branch=[*REPAIRED.branch, "ReLU"],
    carry=["1×1 conv, 32: W again"],
    carried=("W x", "$W x$"),
    after=("+ a second bias", "ReLU"),
)


@checked
def article_blocks(ax=None):
    """Draw the block that changes 16 channels to 32: left as written, right repaired.

    Args:
        ax: matplotlib Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).
    """
    canvas = Canvas(ax)
    right = draw_block(canvas, 0, WRITTEN, "as written")
    draw_block(canvas, right + 2.2, REPAIRED, "repaired")
    return canvas.finish(), (
        "Two blocks side by side, each from 16 channels to 32. In both, x passes a 1×1 convolution "
        "to 16 channels, ReLU, a 3×3 convolution, ReLU and a 1×1 convolution to 32 with the kernel "
        "W. Left, as written: a ReLU follows, then the shortcut is added: x convolved with the "
        "same kernel W; then come a second bias and ReLU. Right, repaired: no ReLU before the "
        "addition, a kernel V of the shortcut's own, no second bias."
    )
