"""The site's pages before Sphinx makes them: what is added to the notebooks, and the references."""

import re

import book
import nbformat
import pytest
from notebook_kinds import KINDS, ROOT, notebooks

COURSE = {made.name: made for made in notebooks()}


def test_every_kind_of_notebook_is_in_the_table_of_contents():
    names = ("index.md", "sheets.md")
    texts = [(ROOT / "docs" / name).read_text(encoding="utf-8") for name in names]
    listed = re.findall(r"^notebooks/(?:(\w+)/)?\*$", "\n".join(texts), re.MULTILINE)
    assert sorted(listed) == sorted(kind.folder for kind in KINDS)
    assert book.deeper_entries(ROOT).splitlines()[0] == "00 · A primer <notebooks/deeper/00_primer>"


def page(name):
    return book.page(nbformat.read(COURSE[name].path, as_version=4), COURSE[name])


@pytest.mark.parametrize("name", COURSE)
def test_each_page_opens_with_its_objectives_and_times_and_each_figure_has_its_text(name):
    cells = page(name).cells
    assert "**Objectives.**" in cells[0].source
    assert re.search(r"time:?\*\*:? \d+ minutes", cells[0].source, re.IGNORECASE)
    for cell in cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                alt = output.metadata["image/png"]["alt"]
                assert cell.metadata.mystnb.image.alt == alt.replace("\n", " ")
            assert output.get("data", {}).get("text/markdown") != ""


def test_an_exercise_leads_to_its_solutions_which_fold_up_what_it_does_not_show():
    after = page("exercises/02_residual_learning").cells[-1].source
    assert "(../solutions/02_residual_learning.ipynb)" in after
    cells = page("solutions/02_residual_learning").cells
    assert cells[0].source.startswith("# Solutions for lesson 02")
    hidden = {"hide-input", "hide-cell"}
    folded = [cell for cell in cells if hidden & set(cell.metadata.get("tags", []))]
    assert len(folded) >= 5
    assert any("at_hidden = at_sum @ W2.T" in cell.source for cell in folded)
    assert not any("checks." in cell.source for cell in folded if cell.cell_type == "code")


def test_a_site_for_a_class_that_is_graded_has_no_solutions(tmp_path, monkeypatch):
    monkeypatch.setattr(book, "SOURCE", str(tmp_path / "source"))
    book.stage(ROOT, solutions=False)
    staged = [path for path in (tmp_path / "source").rglob("*") if path.suffix in (".md", ".ipynb")]
    assert len(staged) > 30
    assert not any("solutions" in path.parts for path in staged)
    for path in staged:
        assert not re.search(r"\]\([^)]*solutions/|notebooks/solutions/\*", path.read_text("utf-8"))


def test_half_an_address_is_refused(capsys):
    assert book.main(["--repository", "owner"]) == 1
    assert capsys.readouterr().err == "REPOSITORY must be owner/name. Received: owner\n"


def test_references_are_merged_and_sorted():
    texts = {
        "02_b": "- K. He, X. Zhang 2016a: *Deep*. CVPR.\n  [arXiv:1](https://a.org/1). Page 3.\n",
        "01_a": "- A. Baker and others 2015: *Title*. ICLR. Words.\n"
        "- K. He 2016: *Deep*. [arXiv:1](https://a.org/1), Figure 2.\n",
        "deeper/01_c_d": "- K. He 2016: *Deep*. [arXiv:1](https://a.org/1), Table 3.\n",
    }
    assert book.reference_list(texts).splitlines() == [
        "- A. Baker and others 2015: *Title*. ICLR. Words. *Lesson* [01](notebooks/01_a.ipynb).",
        "- K. He, X. Zhang 2016a: *Deep*. CVPR. [arXiv:1](https://a.org/1). *Lessons:* "
        "[02](notebooks/02_b.ipynb), [01](notebooks/01_a.ipynb), "
        "[01: c d](notebooks/deeper/01_c_d.ipynb).",
    ]


def test_the_terms_are_all_there_in_the_order_of_chinese_too():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = book.chinese_terms(text).splitlines()[2:]
    assert len(rows) == len(re.findall(r"^\*\*.*lang=\"zh\"", text, re.MULTILINE)) > 60
    places = [
        next(i for i, row in enumerate(rows) if row.startswith(f"| {word}"))
        for word in ("残差", "池化", "梯度", "准确率")
    ]
    assert places == sorted(places)
    assert book.TERMS_HERE in (ROOT / "docs" / "zh.md").read_text(encoding="utf-8")


def test_the_glossary_names_lessons_that_use_the_term():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    blocks = (block.partition("\n: ") for block in text.strip().split("\n\n"))
    entries = [(head.split("**")[1], meaning) for head, _, meaning in blocks if meaning]
    assert len(entries) == text.count("** · <span lang=")
    names = [term.casefold() for term, _ in entries]
    assert names == sorted(names)
    for term, meaning in entries:
        (name,) = re.findall(r"\(\.\./notebooks/(\S+)\.ipynb\)", meaning)
        source = COURSE[name].source.read_text(encoding="utf-8")
        word = term.split(",")[0].casefold().replace("-", " ")
        stem = word[: max(4, len(word) - 3)]
        text = " ".join(source.casefold().replace("\n# ", " ").replace("-", " ").split())
        assert stem in text, f"{term} is not in {name}"


def test_the_guide_links_each_slide_that_its_plan_names():
    plan = book.with_slide_links((ROOT / "docs" / "instructors.md").read_text(encoding="utf-8"))
    assert '| 04: <a href="slides/04_plain_vs_residual/index.html#/3">4</a>, ' in plan
    assert plan.count('<a href="slides/') > 15


def test_the_kit_links_what_there_is_for_each_lesson():
    first, *others = book.kit(ROOT).splitlines()[2:]
    assert 'href="slides/00_start_here/index.html"' in first and "exercises" not in first
    assert len(others) == 9
    for row in others:
        assert row.count("](notebooks/") == 3 and "](handouts/" in row


@pytest.mark.parametrize("name", book.MICROSCOPES)
def test_two_lessons_end_with_the_microscope(name):
    text = "\n\n".join(cell.source for cell in page(name).cells)
    pattern = r"^## The microscope: take it apart$(.*?)^## Summary$"
    between = re.findall(pattern, text, re.MULTILINE | re.DOTALL)
    assert len(between) == 1 and f":file: ../{name}.html" in between[0]
