"""Slides are cells of a lesson's source that its notebook does not have."""

from pathlib import Path

import build_notebooks as builder
from slide_cells import without_slides

LESSON = """# %% [markdown]
# # 99 · Test

# %% [markdown] tags=["slide"]
# ## A slide
#
# %%-signs in a text are no cells.

# %%
1 + 1

# %% [markdown] tags=["slide"]
# The last one
"""


def test_a_notebook_has_no_slide_and_does_not_change_with_one(tmp_path):
    path = tmp_path / "notebooks" / "src" / "99_test.py"
    path.parent.mkdir(parents=True)
    pair = builder.Pair(path, tmp_path / "notebooks" / "99_test.ipynb", Path("none"))
    made = []
    for text in (LESSON, LESSON.replace("A slide", "Another"), without_slides(LESSON)):
        path.write_text(text, encoding="utf-8")
        cells = [(cell.id, cell.source) for cell in builder.from_source(pair).cells]
        made.append((builder.notebook_hash(pair), cells))
    assert made[0] == made[1] == made[2]
    assert [source for _, source in made[0][1]] == ["# 99 · Test", "1 + 1"]
    path.write_text(LESSON.replace("1 + 1", "1 + 2"), encoding="utf-8")
    assert builder.notebook_hash(pair) != made[0][0]
