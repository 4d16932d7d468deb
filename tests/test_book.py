"""The site's pages before Sphinx makes them: what is added to the notebooks, and the references."""

import re

import book
import nbformat
import pytest
from build_notebooks import ROOT, pairs

PAIRS = {pair.name: pair for pair in pairs()}


def test_every_notebook_is_in_the_table_of_contents():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^notebooks/\S+$", index, re.MULTILINE)
    targets = [p.target.relative_to(ROOT).with_suffix("").as_posix() for p in PAIRS.values()]
    assert sorted(listed) == sorted(targets)


def page(name):
    pair = PAIRS[name]
    return book.page(nbformat.read(pair.target, as_version=4), pair, ROOT)


@pytest.mark.parametrize("name", [name for name in PAIRS if "/" not in name])
def test_each_figure_of_a_lesson_has_its_text_alternative(name):
    for cell in page(name).cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                alt = output.metadata["image/png"]["alt"]
                assert cell.metadata.mystnb.image.alt == alt.replace("\n", " ")


def test_a_solution_folds_what_the_exercise_does_not_show():
    name = next(name for name in PAIRS if name.startswith("solutions/02"))
    cells = page(name).cells
    folded = [
        cell for cell in cells if {"hide-input", "hide-cell"} & set(cell.metadata.get("tags", []))
    ]
    assert cells[0].source.startswith("# Solutions to lesson 02")
    assert len(folded) >= 5
    assert any("lambda x: H(x) - x" in cell.source for cell in folded)
    assert not any("checks." in cell.source for cell in folded if cell.cell_type == "code")


def test_an_exercise_leads_to_its_solutions():
    name = next(name for name in PAIRS if name.startswith("exercises/02"))
    assert "(../solutions/02_residual_learning.ipynb)" in page(name).cells[-1].source


@pytest.mark.parametrize("name", PAIRS)
def test_each_page_opens_with_its_objectives_and_times(name):
    opening = page(name).cells[0].source
    assert "**Objectives.**" in opening
    assert re.search(r"time:?\*\*:? \d+ minutes", opening, re.IGNORECASE)


def test_references_are_merged_and_sorted():
    texts = {
        "02_b": "- K. He, X. Zhang 2016a: *Deep*. CVPR.\n  [arXiv:1](https://a.org/1). Page 3.\n",
        "01_a": "- A. Baker and others 2015: *Title*. ICLR. Words.\n"
        "- K. He 2016: *Deep*. [arXiv:1](https://a.org/1), Figure 2.\n",
    }
    assert book.reference_list(texts).splitlines() == [
        "- A. Baker and others 2015: *Title*. ICLR. Words. *Lesson* [01](notebooks/01_a.ipynb).",
        "- K. He, X. Zhang 2016a: *Deep*. CVPR. [arXiv:1](https://a.org/1). *Lessons:* "
        "[02](notebooks/02_b.ipynb), [01](notebooks/01_a.ipynb).",
    ]


def test_the_glossary_names_lessons_that_use_the_term():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    blocks = (block.partition("\n: ") for block in text.strip().split("\n\n"))
    entries = [(head.split("**")[1], meaning) for head, _, meaning in blocks if meaning]
    assert len(entries) == text.count("lang=")
    names = [term.casefold() for term, _ in entries]
    assert names == sorted(names)
    for term, meaning in entries:
        (lesson,) = re.findall(r"\(\.\./notebooks/(\w+)\.ipynb\)", meaning.replace("\n", " "))
        source = (ROOT / "notebooks" / "src" / f"{lesson}.py").read_text(encoding="utf-8")
        word = term.split(",")[0].casefold().replace("-", " ")
        stem = word[: max(4, len(word) - 3)]
        text = " ".join(source.casefold().replace("\n# ", " ").replace("-", " ").split())
        assert stem in text, f"{term} is not in {lesson}"
